//! What people are alarmed about: leaks and twins. Each is one durable record.

use std::time::Duration;

use crate::api::ledger::{Leak, Ledger};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::events;
use crate::controller::token::pass::{Flow, Pass};
use crate::rotation::observed::{Observed, Row};
use crate::rotation::report::Phase;
use crate::rotation::schedule::leak_turn;

use crate::controller::error::PassError;
use crate::controller::token::perform::record::Written;

/// What the answer to a leak asks of the service: revoke, prove, generate, try, verify.
const ANSWER_CALLS: u32 = 5;

impl Pass<'_> {
    /// P14: which tokens leaked is written down before the first of them is revoked.
    pub(super) async fn record_leak(&mut self, issued_before: Time, observed: &Observed) -> Result<Flow, PassError> {
        // Claims are stamped by the later clock, and so is what covers them.
        let now = self.ctx.shared.clock.now().latest;
        let change = |ledger: &mut Ledger| ledger.leaked(issued_before, now);
        let written = self.record(observed, Phase::Working, change).await?;
        Ok(if written == Written::Gone { Flow::Gone } else { Flow::Continue })
    }

    /// P21: whose token this is, a person has to say.
    pub(super) async fn dispute(&mut self, row: Row, observed: &Observed) -> Result<Flow, PassError> {
        let confirm = observed.object.requests.confirm.clone();
        let disputed = row.clone();
        let written = self.record(observed, Phase::Working, move |ledger| ledger.disputed(&disputed, confirm)).await?;
        if written == Written::Yes {
            let note =
                format!("attempt {} (id {}) is not known to have been claimed by this cluster", row.attempt, row.id);
            events::warning(&self.ctx.shared, &self.object, Reason::IdentityConflict, "Sweep", note).await;
        }
        Ok(if written == Written::Gone { Flow::Gone } else { Flow::Continue })
    }

    /// P21: a person said so, and everything that is listed stands in the ledger.
    pub(super) async fn confirm(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let confirm = observed.object.requests.confirm.clone();
        let written = self.record(observed, Phase::Working, move |ledger| ledger.confirmed(confirm)).await?;
        Ok(if written == Written::Gone { Flow::Gone } else { Flow::Continue })
    }

    /// The replacement of a leaked token is verified: how long consumers held a dead one is told and measured.
    pub(super) async fn announce_replacement(&mut self, before: &Observed) {
        let open = |leak: &Leak| leak.replaced_time.is_none();
        if !before.ledger.leak.as_ref().is_some_and(open) {
            return;
        }
        let Some(leak) = self.ledger().leak else { return };
        let Some(replaced) = leak.replaced_time else { return };
        let dead = leak.revoked_time.map_or(Duration::ZERO, |revoked| replaced.since(revoked));
        self.ctx.shared.metrics.leak_answered(dead);
        let note = format!(
            "tokens claimed before {} leaked; the one in use was revoked at {} and replaced at {replaced}: the Secret held a dead token \
             for {:.1} s",
            leak.claimed_before,
            leak.revoked_time.map_or_else(|| "no time yet".to_owned(), |time| time.to_string()),
            dead.as_secs_f64()
        );
        events::warning(&self.ctx.shared, &self.object, Reason::EmergencyRotationCompleted, "Rotate", note).await;
    }

    /// A leak at the service is answered oldest first: each older token takes its share of the rate limit before this one's turn
    /// comes. The turn is fixed at the first look, so that one that cannot be answered holds up nobody.
    pub(in crate::controller) fn leak_turn(&mut self, now: Time) -> Option<Time> {
        let service = self.service.as_deref()?;
        let issued_before = service.spec.revoke_issued_before?;
        let claimed = self.ledger().current.map(|current| current.claimed_time).filter(|time| *time < issued_before)?;
        if let Some((_, turn)) = self.memory.leak_turn.filter(|(of, _)| *of == issued_before) {
            return Some(turn);
        }
        let rate = service.spec.limits.requests_per_minute.unsigned_abs();
        let turn = leak_turn(self.ctx.older_leaks(&self.object, claimed), ANSWER_CALLS, rate, now);
        self.memory.leak_turn = Some((issued_before, turn));
        Some(turn)
    }
}
