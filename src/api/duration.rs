//! Durations as users write them.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time in the subset of Go's notation that GEP-2257 allows: `720h`, `1h30m`, `10s`, `500ms`; no days.
///
/// At most four parts of at most five digits each. More than `99999h`, eleven years, counts as that: so every value can be written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = PATTERN, "maxLength" = MAX_LENGTH))]
pub struct GoDuration(pub Duration);

/// The pattern of GEP-2257, as the schema of every duration field has it.
const PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// The longest text that the pattern lets through: four parts of five digits and two letters.
pub(super) const MAX_LENGTH: usize = 28;

/// What five digits of hours can say.
const MAX: Duration = Duration::from_secs(99_999 * 3600);

impl GoDuration {
    /// `seconds` as a duration.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Reads the notation above; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut total = Duration::ZERO;
        for _ in 0..4 {
            if rest.is_empty() {
                break;
            }
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 || digits > 5 {
                return None;
            }
            let count: u64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let (unit, letters) = unit(rest)?;
            total += unit * u32::try_from(count).ok()?;
            rest = &rest[letters..];
        }
        (rest.is_empty() && !text.is_empty()).then_some(Self(total.min(MAX)))
    }
}

/// The unit at the start of `text`, and how many letters it takes. `ms` before `m`: the longer name wins.
fn unit(text: &str) -> Option<(Duration, usize)> {
    if text.starts_with("ms") {
        Some((Duration::from_millis(1), 2))
    } else if text.starts_with('h') {
        Some((Duration::from_secs(3600), 1))
    } else if text.starts_with('m') {
        Some((Duration::from_secs(60), 1))
    } else if text.starts_with('s') {
        Some((Duration::from_secs(1), 1))
    } else {
        None
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        if seconds > 0 {
            write!(f, "{seconds}s")?;
        }
        match millis % 1000 {
            0 if millis == 0 => f.write_str("0s"),
            0 => Ok(()),
            rest => write!(f, "{rest}ms"),
        }
    }
}

impl fmt::Debug for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for GoDuration {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("write a duration such as 720h, 1h30m or 10s (there are no days)")
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> Self {
        duration.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_pattern_lets_through_is_read_and_nothing_else() {
        let check = |text: &str, millis: Option<u64>| {
            let read = GoDuration::parse(text).map(|duration| duration.0);
            assert_eq!(read, millis.map(Duration::from_millis), "{text:?}");
        };
        check("720h", Some(2_592_000_000));
        check("1h30m", Some(5_400_000));
        check("10s", Some(10_000));
        check("500ms", Some(500));
        check("99999h99999h99999h99999h", Some(99_999 * 3_600_000));
        check("77220h30722h", Some(99_999 * 3_600_000));
        check("99998h60m", Some(99_999 * 3_600_000));
        check("99998h59m", Some(99_998 * 3_600_000 + 59 * 60_000));
        for bad in ["", "1d", "h", "1", "-1h", "1.5h", "123456s", "1h1h1h1h1h", " 1h"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_duration_is_written_so_that_it_reads_back() {
        for millis in [0, 1, 999, 1000, 61_001, 3_600_000, 5_400_000, 2_592_000_000, 99_999 * 3_600_000] {
            let duration = GoDuration(Duration::from_millis(millis));
            assert_eq!(GoDuration::parse(&duration.to_string()), Some(duration), "{duration}");
        }
    }
}
