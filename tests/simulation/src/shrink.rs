//! The smallest plan that still breaks a law: acts and faults are left out one by one, then the rest is made simpler.

use crate::plan::Plan;

impl Plan {
    /// Whether a run of it breaks the law.
    pub fn breaks(&self, law: &str) -> bool {
        self.run(false).new_laws().contains(law)
    }

    /// The smallest plan found that breaks the same law.
    pub fn shrink(&self, law: &str) -> Self {
        let mut best = self.clone();
        loop {
            let before = best.clone();
            for index in (0..before.acts.len()).rev() {
                best.try_less(law, |less| _ = less.acts.remove(index));
            }
            for index in (0..best.faults.len()).rev() {
                best.try_less(law, |less| _ = less.faults.remove(index));
            }
            for seconds in [7_200, 1_800, 600] {
                best.try_less(law, |less| {
                    less.seconds = less.seconds.min(seconds);
                    less.acts.retain(|(at, _)| *at < seconds);
                });
            }
            best.try_less(law, |less| less.hours = 0);
            best.try_less(law, |less| less.per_minute = 600);
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
