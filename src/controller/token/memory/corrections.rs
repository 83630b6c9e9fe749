//! How often this process corrected the Secret in a row, because somebody else changed it. Each further correction waits twice as
//! long: where two controllers fight over one Secret, neither gives way.

use std::time::Duration;

use crate::api::time::Time;
use crate::rotation::ledger::backoff;
use crate::rotation::report::Contest;

/// The longest name of a rival that is told, in characters.
const MAX_NAME: usize = 64;

/// The corrections in a row.
#[derive(Debug, Default)]
pub(crate) struct Corrections(Option<Row>);

#[derive(Debug)]
struct Row {
    count: u32,
    /// A changed spec begins a new row, as it ends other back-offs.
    generation: i64,
    last: Time,
    first: Duration,
    pause: Duration,
    /// Who may have changed the Secret last.
    rival: Option<String>,
}

impl Row {
    /// The row ends if the Secret stays as it is for as long again as the next correction would have waited.
    fn over(&self) -> Time {
        self.last.plus(self.pause.saturating_mul(2))
    }
}

impl Corrections {
    /// Counts a correction. It is a write of the Secret, or the claim of a token because the Secret lost the current one.
    pub(crate) fn corrected(&mut self, generation: i64, rival: Option<String>, first: Duration, now: Time) {
        let count = self.row(generation).filter(|row| now < row.over()).map_or(1, |row| row.count.saturating_add(1));
        let rival = rival.map(|name| name.chars().filter(|sign| !sign.is_control()).take(MAX_NAME).collect());
        self.0 = Some(Row { count, generation, last: now, first, pause: backoff(first, count), rival });
    }

    /// Takes the last one back: its claim was refused, so there was no token to write.
    pub(crate) fn take_back(&mut self) {
        let Some(row) = &mut self.0 else { return };
        row.count = row.count.saturating_sub(1);
        row.pause = backoff(row.first, row.count);
        if row.count == 0 {
            self.0 = None;
        }
    }

    /// When the next one may be made.
    pub(crate) fn pause(&self, generation: i64) -> Option<Time> {
        self.row(generation).map(|row| row.last.plus(row.pause))
    }

    /// The fight over the Secret, while there is one: two corrections are no accident.
    pub(crate) fn contest(&self, generation: i64, now: Time) -> Option<Contest> {
        let row = self.row(generation).filter(|row| row.count > 1 && now < row.over())?;
        let next = row.last.plus(row.pause);
        Some(Contest { corrections: row.count, next, over: row.over(), rival: row.rival.clone() })
    }

    fn row(&self, generation: i64) -> Option<&Row> {
        self.0.as_ref().filter(|row| row.generation == generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Time {
        Time::from_millis(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn each_correction_in_a_row_waits_twice_as_long_up_to_an_hour() {
        let (mut corrections, mut now, mut pauses) = (Corrections::default(), at(0), Vec::new());
        for _ in 0..11 {
            corrections.corrected(1, None, FIRST, now);
            let next = corrections.pause(1).unwrap_or_default();
            pauses.push(next.since(now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
    }

    #[test]
    fn a_quiet_time_or_another_spec_begins_a_new_row() {
        let mut corrections = Corrections::default();
        corrections.corrected(1, None, FIRST, at(0));
        corrections.corrected(1, None, FIRST, at(20));
        assert_eq!(corrections.pause(1), Some(at(30)), "the first row was over");
        corrections.corrected(1, None, FIRST, at(39));
        assert_eq!(corrections.pause(1), Some(at(59)));
        assert_eq!(corrections.pause(2), None, "a spec that was changed since is applied at once");
    }

    #[test]
    fn claims_that_the_service_refuses_are_no_fight() {
        let mut corrections = Corrections::default();
        for second in [0, 10, 30] {
            corrections.corrected(1, None, FIRST, at(second));
            corrections.take_back();
            assert_eq!((corrections.contest(1, at(second)), corrections.pause(1)), (None, None));
        }
        corrections.corrected(1, None, FIRST, at(40));
        corrections.corrected(1, None, FIRST, at(50));
        corrections.take_back();
        assert_eq!((corrections.contest(1, at(51)), corrections.pause(1)), (None, Some(at(60))));
        corrections.corrected(1, None, FIRST, at(60));
        assert!(corrections.contest(1, at(61)).is_some(), "the Secret was changed twice");
    }

    #[test]
    fn two_in_a_row_are_a_fight_and_it_ends() {
        let mut corrections = Corrections::default();
        corrections.corrected(1, None, FIRST, at(0));
        assert_eq!(corrections.contest(1, at(1)), None, "an accident");
        corrections.corrected(1, Some("kubectl\n-edit".to_owned()), FIRST, at(10));
        let contest = corrections.contest(1, at(11));
        let rival = Some("kubectl-edit".to_owned());
        assert_eq!(contest, Some(Contest { corrections: 2, next: at(30), over: at(50), rival }));
        assert_eq!(corrections.contest(1, at(50)), None);
    }
}
