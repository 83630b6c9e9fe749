//! Whether this process may begin passes, checks and sweeps: it leads, or runs without an election.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// Whether this process leads. Cheap to clone.
///
/// It ends by itself, at a time of this process's monotonic clock. So a process that slept past it begins nothing when it wakes up, not
/// even before its election runs again.
#[derive(Clone, Debug)]
pub(crate) struct Leadership(Option<Arc<Mutex<Term>>>);

/// When a process leads.
#[derive(Debug, Default)]
struct Term {
    since: Option<Instant>,
    until: Option<Instant>,
}

impl Term {
    fn lasts(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

impl Leadership {
    /// Of a process that keeps tokens without asking others.
    pub(crate) fn without_election() -> Self {
        Self(None)
    }

    /// Of a process that stands for election: until it wins one, it is a standby.
    pub(crate) fn standby() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether it leads now.
    pub(crate) fn is_leading(&self) -> bool {
        self.0.as_ref().is_none_or(|term| term.lock().unwrap_or_else(PoisonError::into_inner).lasts())
    }

    /// Since when it leads, or led last. `None` without an election, and before its first term.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).since
    }

    /// Leads until then, or no longer. Without an election, this changes nothing.
    pub(crate) fn lead_until(&self, until: Option<Instant>) {
        let Some(term) = &self.0 else { return };
        let mut term = term.lock().unwrap_or_else(PoisonError::into_inner);
        if !term.lasts() {
            term.since = Some(Instant::now());
        }
        term.until = until;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn leadership_ends_by_itself_and_without_an_election_it_never_does() {
        let (alone, elected) = (Leadership::without_election(), Leadership::standby());
        assert!(alone.is_leading() && !elected.is_leading());
        elected.lead_until(Some(Instant::now() + Duration::from_secs(10)));
        let begun = Some(Instant::now());
        tokio::time::advance(Duration::from_millis(9_999)).await;
        elected.lead_until(Some(Instant::now() + Duration::from_millis(1)));
        assert!(elected.is_leading());
        assert_eq!((elected.since(), alone.since()), (begun, None), "a renewal begins no other term");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!elected.is_leading() && alone.is_leading());
    }
}
