//! The figures of many lives.

use std::fmt;

use crate::laws;
use crate::sweep::{Plan, Report};

/// What all lives showed.
#[derive(Debug, Default)]
pub struct Figures {
    pub plans: usize,
    kills: usize,
    pub missed: usize,
    pub broken: usize,
    orphans: usize,
    pub probes: usize,
    pub rejected: usize,
}

impl Figures {
    pub fn of(reports: &[(Plan, Report)]) -> Self {
        let mut figures = Self { plans: reports.len(), ..Self::default() };
        for (plan, report) in reports {
            figures.kills += plan.kills() * usize::from(report.struck);
            figures.missed += usize::from(!report.struck);
            figures.broken += usize::from(!report.broken.is_empty());
            figures.orphans += report.broken.iter().filter(|what| what.starts_with(laws::ORPHANS)).count();
            figures.probes += report.probes;
            figures.rejected += report.broken.iter().filter(|what| what.starts_with("S2")).count();
        }
        figures
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plans, kills, missed, broken, orphans, probes, rejected } = self;
        write!(formatter, "{plans} plans, {kills} kills, {missed} whose call did not come, {broken} broke a law, ")?;
        write!(formatter, "{orphans} left orphans; ")?;
        write!(formatter, "a consumer's calls {probes}, rejected {rejected}")
    }
}
