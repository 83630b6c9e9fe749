//! When people are reminded that a token expires which only a person can replace.

use std::time::Duration;

use crate::api::ledger::Current;
use crate::api::time::Time;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// So many days before the expiry, and when it has come. A token that lives for less is not reminded of before it was made.
const REMINDERS: [u32; 6] = [30, 14, 7, 3, 1, 0];

/// The reminder that is due and was not given yet, in days before the expiry; 0 once the token has expired.
pub fn reminder(current: &Current, now: Time) -> Option<u32> {
    let due = reminders(current).filter(|(_, at)| *at <= now).map(|(days, _)| days).last()?;
    current.reminded_days.is_none_or(|reminded| reminded > due).then_some(due)
}

/// When the next reminder is due after the last one that was given.
pub fn next_reminder(current: &Current) -> Option<Time> {
    let given = current.reminded_days;
    reminders(current).find(|(days, _)| given.is_none_or(|given| *days < given)).map(|(_, at)| at)
}

/// All reminders of this token in their order, with their times.
fn reminders(current: &Current) -> impl Iterator<Item = (u32, Time)> {
    let (end, issued) = (current.expiration_time, current.issued_time);
    let times = REMINDERS.into_iter().filter_map(move |days| Some((days, end?.minus(DAY * days))));
    times.filter(move |(days, at)| *days == 0 || *at > issued)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(days: u32) -> Time {
        Time::from_millis(1_800_000_000_000).plus(DAY * days)
    }

    fn expiring(life: u32, reminded_days: Option<u32>) -> Current {
        let current = json!({
            "attempt": 1, "id": "hand-over-1", "claimedTime": at(0), "issuedTime": at(0), "publishedTime": at(0),
            "verifiedTime": at(0), "probed": true, "expirationTime": at(life), "remindedDays": reminded_days,
        });
        serde_json::from_value(current).unwrap()
    }

    #[test]
    fn a_year_has_all_reminders_and_each_is_given_once() {
        let mut token = expiring(365, None);
        let mut given = Vec::new();
        for day in 0..=366 {
            while let Some(days) = reminder(&token, at(day)) {
                given.push((day, days));
                token.reminded_days = Some(days);
            }
        }
        assert_eq!(given, [(335, 30), (351, 14), (358, 7), (362, 3), (364, 1), (365, 0)]);
    }

    #[test]
    fn reminders_are_bounded_by_the_lifetime_and_those_that_were_missed_are_one() {
        assert_eq!(next_reminder(&expiring(10, None)), Some(at(3)), "7 days before");
        assert_eq!(reminder(&expiring(10, None), at(0)), None);
        assert_eq!(reminder(&expiring(365, None), at(360)), Some(7), "30 and 14 days were missed");
        assert_eq!(next_reminder(&expiring(365, Some(7))), Some(at(362)));
        assert_eq!(next_reminder(&expiring(365, Some(0))), None);
        assert_eq!(next_reminder(&Current { expiration_time: None, ..expiring(1, None) }), None);
    }
}
