//! What many scenarios showed, in numbers.

use std::fmt;

use crate::fault_matrix::{Plan, Report};
use crate::invariants;

/// The counts over all scenarios.
#[derive(Debug, Default)]
pub struct Summary {
    pub plans: usize,
    kills: usize,
    pub missed: usize,
    pub broken: usize,
    orphans: usize,
    pub consumer_calls: usize,
    pub rejected: usize,
}

impl Summary {
    pub fn of(reports: &[(Plan, Report)]) -> Self {
        let mut summary = Self { plans: reports.len(), ..Self::default() };
        for (plan, report) in reports {
            summary.kills += plan.kills() * usize::from(report.struck);
            summary.missed += usize::from(!report.struck);
            summary.broken += usize::from(!report.broken.is_empty());
            summary.orphans += report.broken.iter().filter(|what| what.starts_with(invariants::ORPHANS)).count();
            summary.consumer_calls += report.consumer_calls;
            summary.rejected += report.broken.iter().filter(|what| what.starts_with("S2")).count();
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plans, kills, missed, broken, orphans, consumer_calls, rejected } = self;
        write!(
            formatter,
            "{plans} plans, {kills} kills, {missed} whose call did not come, {broken} broke an invariant, "
        )?;
        write!(formatter, "{orphans} left orphans; ")?;
        write!(formatter, "a consumer's calls {consumer_calls}, rejected {rejected}")
    }
}
