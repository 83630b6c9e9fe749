//! How long an object waits after a failed pass: longer with each failure in a row, and counted for each object separately.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::rotation::ledger::backoff;

/// The wait after the first failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait. When the API server comes back, each watch gets a complete list, which begins a pass at once.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The most objects that are remembered. An object that is deleted after a failed pass has no later pass that would forget it.
const MAX_OBJECTS: usize = 10_000;

/// Failures in a row, by the object's uid.
#[derive(Debug, Default)]
pub(crate) struct PassBackoff(Mutex<HashMap<String, u32>>);

impl PassBackoff {
    /// Forgets the failures of the object: a pass over it succeeded.
    pub(crate) fn succeeded(&self, uid: &str) {
        self.failures().remove(uid);
    }

    /// Counts a failed pass over the object, and returns the wait before the next one.
    pub(crate) fn failed(&self, uid: &str) -> Duration {
        let mut failures = self.failures();
        if failures.len() >= MAX_OBJECTS {
            failures.clear();
        }
        let count = failures.entry(uid.to_owned()).or_default();
        *count = count.saturating_add(1);
        backoff(FIRST_WAIT, *count).min(MAX_WAIT)
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_doubles_the_wait_of_its_object_alone_up_to_a_minute() {
        let backoff = PassBackoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.failed("a").as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.failed("b"), FIRST_WAIT, "another object's failures do not count");
        backoff.succeeded("a");
        assert_eq!(backoff.failed("a"), FIRST_WAIT);
    }

    #[test]
    fn objects_that_are_gone_do_not_fill_the_memory() {
        let backoff = PassBackoff::default();
        for number in 0..=MAX_OBJECTS {
            backoff.failed(&number.to_string());
        }
        assert!(backoff.failures().len() <= MAX_OBJECTS);
    }
}
