//! The smallest plan that still breaks a law: acts and faults are left out one by one, then the rest is made simpler.

use std::time::{Duration, Instant};

use crate::layout::Layout;
use crate::plan::Plan;

/// How long it may take.
const LONGEST: Duration = Duration::from_secs(60);

impl Plan {
    /// Whether a run of it breaks the law.
    pub fn breaks(&self, law: &str) -> bool {
        self.run(false).laws().contains(law)
    }

    /// The smallest plan found within a minute that breaks the same law.
    pub fn shrink(&self, law: &str) -> Self {
        let (mut best, begun) = (self.clone(), Instant::now());
        loop {
            let before = best.clone();
            // First of all, a shorter life: every later try is faster.
            for seconds in [7_200, 1_800, 600] {
                best.try_less(law, |less| {
                    less.seconds = less.seconds.min(seconds);
                    less.acts.retain(|(at, _)| *at < seconds);
                });
            }
            for index in (0..best.acts.len()).rev() {
                if begun.elapsed() > LONGEST {
                    return best;
                }
                best.try_less(law, |less| _ = less.acts.remove(index));
            }
            for index in (0..best.faults.len()).rev() {
                best.try_less(law, |less| _ = less.faults.remove(index));
            }
            best.try_less(law, |less| less.hours = 0);
            best.try_less(law, |less| less.elects = false);
            best.try_less(law, |less| less.layout = Layout::One);
            best.try_less(law, |less| (less.probe, less.sweep_revokes) = (true, false));
            best.try_less(law, |less| (less.per_minute, less.second_per_minute) = (600, 600));
            best.try_less(law, |less| less.overlap_seconds = 60);
            if best == before {
                return best;
            }
        }
    }

    /// Takes the simpler plan if it is another one and breaks the law, too.
    fn try_less(&mut self, law: &str, simplify: impl FnOnce(&mut Self)) {
        let mut less = self.clone();
        simplify(&mut less);
        if less != *self && less.breaks(law) {
            *self = less;
        }
    }
}
