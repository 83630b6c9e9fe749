//! Times as services write them. Read is what has one meaning only; a time without a zone is one in UTC.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use serde_json::Value;

use crate::api::time::Time;

/// Numbers from here on are milliseconds since 1970, smaller ones are seconds: as seconds this is the year 5138.
const FIRST_MILLISECONDS: u64 = 100_000_000_000;

/// The year 2000 in seconds since 1970. No token ends or began before it, so a smaller number is a length (OAuth's
/// `expires_in`), or no time at all.
const FIRST_SECONDS: u64 = 946_684_800;

/// Some 31 years in seconds. A larger number is a time since 1970, and no length.
const LONGEST_SECONDS: f64 = 1_000_000_000.0;

/// A time: RFC 3339 and the forms near to it (ISO 8601 without seconds, with a blank, with `+0000`, without a zone; Java's
/// zone in brackets), a date (its beginning), RFC 5322, or a number since 1970, also as a text.
///
/// `Some(None)` is "no time": an empty text, or a zero time. `None` cannot be read.
pub(super) fn time(value: &Value) -> Option<Option<Time>> {
    let time = match value {
        Value::String(text) if text.trim().is_empty() => return Some(None),
        Value::String(text) => match number(text.trim()) {
            Some(number) => since_1970(number)?,
            None => written(text.trim())?,
        },
        Value::Number(number) => since_1970(number.as_i64().or_else(|| number.as_f64().map(|float| float as i64))?)?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(Some(time).filter(|time| time.as_millis() > 0))
}

/// A length in seconds, also as a text. `Some(None)` is "none": an empty text, 0 or less. `None` cannot be read.
pub(super) fn seconds(value: &Value) -> Option<Option<Duration>> {
    let seconds = match value {
        Value::String(text) if text.trim().is_empty() => return Some(None),
        Value::String(text) if text.trim().bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte)) => {
            text.trim().parse::<f64>().ok()?
        }
        Value::Number(number) => number.as_f64()?,
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    if seconds <= 0.0 {
        return Some(None);
    }
    (seconds < LONGEST_SECONDS).then(|| Some(Duration::from_secs(seconds as u64)))
}

/// A number that a service wrote as a text. Eight digits may also be a date, so they are no number.
fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| text.len() != 8 && !text.starts_with('+'))
}

/// `None` for a positive number that is too small for a time of a token.
fn since_1970(number: i64) -> Option<Time> {
    // The smallest number has no positive counterpart, so `abs` would panic on it.
    let millis = if number.unsigned_abs() < FIRST_MILLISECONDS { number.saturating_mul(1000) } else { number };
    let too_small = number > 0 && number.unsigned_abs() < FIRST_SECONDS;
    (!too_small).then(|| Time::from_millis(0).plus(Duration::from_millis(u64::try_from(millis).unwrap_or(0))))
}

fn written(text: &str) -> Option<Time> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text)) {
        return Some(time.to_utc().into());
    }
    // Java adds the zone's name, which says the same as the offset before it.
    let text = text.split_once('[').map_or(text, |(before, _)| before);
    let (local, offset) = zone(text)?;
    let naive = local_time(local)?;
    offset.from_local_datetime(&naive).single().map(|time| time.to_utc().into())
}

/// The time without its zone, and the zone: `Z`, `UTC`, `+02:00`, `+0200`, `+02`, or none.
fn zone(text: &str) -> Option<(&str, FixedOffset)> {
    let utc = FixedOffset::east_opt(0)?;
    for mark in ["Z", "z", "UTC", "GMT"] {
        if let Some(local) = text.strip_suffix(mark) {
            return Some((local.trim_end(), utc));
        }
    }
    // A date has `-`, too, so only what comes after the first colon can be an offset.
    let Some(colon) = text.find(':') else { return Some((text, utc)) };
    let Some(sign) = text.get(colon..)?.find(['+', '-']).map(|at| colon + at) else { return Some((text, utc)) };
    let digits: String = text.get(sign + 1..)?.chars().filter(|it| *it != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = match digits.len() {
        2 => (digits.parse().ok()?, 0),
        4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
        _ => return None,
    };
    let east = (hours * 60 + minutes) * 60;
    let offset = FixedOffset::east_opt(if text[sign..].starts_with('-') { -east } else { east })?;
    Some((text[..sign].trim_end(), offset))
}

fn local_time(text: &str) -> Option<NaiveDateTime> {
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN)).ok();
    forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).or_else(date)
}
