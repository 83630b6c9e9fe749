//! Points in time and lengths of time as the wire has them.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point in time, to the millisecond, written as RFC 3339 in UTC.
///
/// It is a number inside, so that the pure parts can compare and add without a clock or a calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("format" = "date-time", "pattern" = PATTERN, "maxLength" = MAX_LENGTH))]
pub struct Time(i64);

impl Time {
    /// The time `milliseconds` after the Unix epoch.
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time and `length`, clamped to what RFC 3339 can write (year 9999).
    pub fn plus(self, length: Duration) -> Self {
        let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis).min(LATEST_MILLIS))
    }

    /// This time less `length`, clamped at the Unix epoch.
    pub fn minus(self, length: Duration) -> Self {
        let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis).max(0))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339 with any offset; a time outside the years 0 to 9999 in UTC is clamped to them.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc().into())
    }

    /// The date in UTC, such as `2026-11-01`.
    pub fn date(self) -> String {
        self.to_utc().date_naive().to_string()
    }

    /// The beginning of that date.
    pub const fn midnight(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY_MILLIS))
    }

    /// The calendar form.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// RFC 3339 as [`Time::parse`] reads it. The API server's own check of `date-time` accepts texts that no parser reads, such
/// as an offset of 99 hours, and one unreadable object would end the watch of all objects.
const PATTERN: &str = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$";

/// The longest text that the pattern allows: nanoseconds and an offset.
const MAX_LENGTH: usize = 35;

/// A day, as UTC has it.
const DAY_MILLIS: i64 = 86_400_000;

/// 9999-12-31T23:59:59.999Z, the last time that RFC 3339 can write with four digits of year.
const LATEST_MILLIS: i64 = 253_402_300_799_999;

/// 0000-01-01T00:00:00Z, the first time.
const EARLIEST_MILLIS: i64 = -62_167_219_200_000;

impl From<DateTime<Utc>> for Time {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_millis().clamp(EARLIEST_MILLIS, LATEST_MILLIS))
    }
}

impl From<&meta::Time> for Time {
    fn from(time: &meta::Time) -> Self {
        Self::from_millis(time.0.as_millisecond())
    }
}

impl From<Time> for meta::MicroTime {
    /// The years 0 to 9999 are all among those of the other type, but for the last hours of the last one.
    fn from(time: Time) -> Self {
        Self(Timestamp::from_millisecond(time.as_millis()).unwrap_or(Timestamp::MAX))
    }
}

impl fmt::Display for Time {
    /// To the second, for messages to people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from(*self))
    }
}

impl TryFrom<String> for Time {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("write a time of RFC 3339, such as 2026-11-01T00:00:00Z")
    }
}

impl From<Time> for String {
    /// To the millisecond, so that the wire keeps what the ledger compares.
    fn from(time: Time) -> Self {
        time.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back_from_the_wire_unchanged() {
        for millis in [0, 1, 1_790_000_000_123, LATEST_MILLIS] {
            let time = Time::from_millis(millis);
            let text = serde_json::to_string(&time).unwrap();
            assert_eq!(serde_json::from_str::<Time>(&text).unwrap(), time, "{text}");
        }
    }

    #[test]
    fn a_time_that_an_offset_moves_out_of_four_digits_of_year_can_still_be_written_and_read() {
        for (text, expected) in
            [("9999-12-31T23:59:59-23:59", Time(LATEST_MILLIS)), ("0000-01-01T00:00:00+23:59", Time(EARLIEST_MILLIS))]
        {
            let time = Time::parse(text).unwrap();
            assert_eq!(time, expected, "{text}");
            assert_eq!(Time::parse(&format!("{time:?}")), Some(time), "{text}");
        }
    }

    #[test]
    fn a_date_is_that_of_utc_also_before_1970() {
        for (text, date) in [("2026-11-01T23:59:59.999Z", "2026-11-01"), ("1969-12-31T00:00:01Z", "1969-12-31")] {
            let time = Time::parse(text).unwrap();
            assert_eq!(time.date(), date);
            assert_eq!(time.midnight().to_string(), format!("{date}T00:00:00Z"));
            assert_eq!(time.midnight().midnight(), time.midnight());
        }
    }

    #[test]
    fn a_time_far_away_is_clamped_and_never_wraps() {
        assert_eq!(Time::from_millis(5).plus(Duration::MAX), Time(LATEST_MILLIS));
        assert_eq!(Time::from_millis(5).minus(Duration::MAX), Time(0));
        assert_eq!(Time::from_millis(5).since(Time(9)), Duration::ZERO);
    }
}
