//! What a service says about when to come back.

use std::time::Duration;

use chrono::DateTime;

use crate::api::time::Time;

/// The shortest pause that an answer can ask for.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause that an answer can ask for. If a service asks for more, the operator tries again every hour.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// The pause where an answer asks for one without a readable length.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

/// The pause that a `Retry-After` header asks for, in seconds or as a date (RFC 9110, section 10.2.3), from 1 s to 1 h.
///
/// `answered` is the time of the answer by the service's clock: its `Date`, so that a skewed clock does not matter.
pub fn retry_after(header: Option<&str>, answered: Time) -> Duration {
    let Some(text) = header.map(str::trim) else { return DEFAULT_PAUSE };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or(MAX_PAUSE, Duration::from_secs).clamp(MIN_PAUSE, MAX_PAUSE);
    }
    match http_date(text) {
        Some(time) => time.since(answered).clamp(MIN_PAUSE, MAX_PAUSE),
        None => DEFAULT_PAUSE,
    }
}

/// A number of seconds from now is below this, and a time of this age above it.
const LEAST_TIME: u64 = 100_000_000;

/// The pause that an `X-RateLimit-Reset` header asks for, from 1 s to 1 h: a time in seconds since 1970 (GitHub, GitLab), or seconds from
/// now.
pub fn rate_limit_reset(header: &str, answered: Time) -> Duration {
    match header.trim().parse() {
        Ok(seconds @ LEAST_TIME..) => Time::from_millis(0).plus(Duration::from_secs(seconds)).since(answered),
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => DEFAULT_PAUSE,
    }
    .clamp(MIN_PAUSE, MAX_PAUSE)
}

/// An HTTP date, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.to_utc().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms_and_clamped() {
        let answered = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let check = |header: Option<&str>, seconds: u64| {
            assert_eq!(retry_after(header, answered), Duration::from_secs(seconds), "{header:?}");
        };
        check(None, 5);
        check(Some("7"), 7);
        check(Some(" 7 "), 7);
        check(Some("0"), 1);
        check(Some("86400"), 3600);
        check(Some("99999999999999999999999999"), 3600);
        check(Some("-3"), 5);
        check(Some("1.5"), 5);
        check(Some("soon"), 5);
        check(Some(""), 5);
        check(Some("Sun, 06 Nov 1994 08:50:07 GMT"), 30);
        check(Some("Sun, 06 Nov 1994 08:00:00 GMT"), 1);
        check(Some("Sat, 06 Nov 2094 08:49:37 GMT"), 3600);
        check(Some("Xyz, 99 Nov 1994 08:49:37 GMT"), 5);
    }

    #[test]
    fn the_reset_of_a_rate_limit_is_a_time_or_a_number_of_seconds() {
        let answered = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let check = |header: &str, seconds: u64| {
            assert_eq!(rate_limit_reset(header, answered), Duration::from_secs(seconds), "{header}");
        };
        check("40", 40);
        check("784111817", 40);
        check("784111777", 1);
        check("1784111777", 3600);
        check("soon", 5);
    }
}
