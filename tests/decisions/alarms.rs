//! Laws about leaks, identity conflicts and services whose refusals are in doubt.

use artifact_token_operator::api::ids::TokenId;
use artifact_token_operator::api::ledger::{Claim, Leak, Outcome};
use artifact_token_operator::rotation::desired::{Desired, REFUSAL_SETTLE};
use artifact_token_operator::rotation::observed::{Observed, Row, Verdict};
use artifact_token_operator::rotation::plan::{GiveUpReason, Step};

use super::inputs::NOW;
use super::laws::own_rows;

/// P14: whether this token leaked, so that its revoke waits for no overlap and no successor.
pub fn leaked(observed: &Observed, id: &TokenId) -> bool {
    let ledger = &observed.ledger;
    let current = ledger.current.iter().map(|current| (&current.id, current.claimed_time, None));
    let superseded = ledger.superseded.iter();
    let superseded = superseded.filter_map(|old| Some((&old.id, old.claimed_time?, old.next_try_time)));
    let leak = ledger.leak.as_ref();
    current.chain(superseded).any(|(of, claimed, next)| {
        of == id && next.is_none_or(|next| next <= NOW) && leak.is_some_and(|leak| claimed < leak.claimed_before)
    })
}

/// Whether a leaked token was in use and has no replacement yet.
pub fn answering(observed: &Observed) -> bool {
    observed.ledger.leak.as_ref().is_some_and(|leak| leak.replaced_time.is_none())
}

pub fn record_leak(desired: &Desired, observed: &Observed, step: &Step) -> bool {
    let Step::RecordLeak { issued_before } = step else { return true };
    let noticed = observed.ledger.leak.as_ref().map(Leak::noticed).unwrap_or_default();
    let new = issued_before.new_to(noticed).latest().is_some();
    new && desired.revoke_issued_before == *issued_before && !observed.object.deleting
}

/// Whether a person confirmed that all tokens of this identity belong to this object.
pub fn confirmed(observed: &Observed) -> bool {
    let confirm = &observed.object.requests.confirm;
    observed.ledger.conflict.is_some() && confirm.is_some() && *confirm != observed.ledger.handled_requests.confirm
}

pub fn stopped_by_conflict(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let open = observed.ledger.conflict.is_some() && !confirmed(observed) && observed.object.leave.is_none();
    let looks = matches!(
        step,
        Step::Read
            | Step::Verify
            | Step::RecordRefusal
            | Step::ForgetRefusal
            | Step::RecordUnclear(_)
            | Step::Reject
            | Step::Sweep
            | Step::Finalize { claims: false }
    );
    let allowed = looks || matches!(step, Step::Halt(_) | Step::Wait(_) | Step::GiveUp(GiveUpReason::Deleting));
    !open || allowed
}

pub fn never_claimed(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let touched: Vec<&TokenId> = match step {
        Step::Revoke { id, .. } => vec![id],
        Step::Supersede(rows) => rows.iter().map(|row| &row.id).collect(),
        _ => vec![],
    };
    // A ledger that is behind its Secret cannot know.
    let known = |row: &Row| observed.ledger.highest_attempt() >= 3 || row.attempt > observed.secrets.fence();
    let is_foreign =
        |row: &&Row| row.id.as_str() == "other-cluster" && !(row.attempt == 4 || row.attempt == 1) && known(row);
    let foreign: Vec<&TokenId> = own_rows(observed).filter(is_foreign).map(|row| &row.id).collect();
    confirmed(observed) || !touched.iter().any(|id| foreign.contains(id))
}

pub fn record_conflict(_: &Desired, observed: &Observed, step: &Step) -> bool {
    match step {
        Step::RecordConflict(row) => {
            let ledger = &observed.ledger;
            let claimed = ledger.has_claimed(row.key());
            let known = claimed || ledger.knows(&row.id) || observed.in_flight.holds(&row.id);
            let held = observed.secrets.published(row.attempt, &row.id);
            let reached = ledger.claim.is_some() && row.attempt <= ledger.highest_attempt();
            observed.secrets.live() && !known && !held && (reached || row.attempt > observed.secrets.fence())
        }
        Step::ConfirmIdentity => confirmed(observed) && observed.service.listing.is_some(),
        _ => true,
    }
}

/// P20: while a service refuses most tokens, nothing is rejected, failed, claimed or generated for that.
pub fn acts_in_doubt(_: &Desired, observed: &Observed, step: &Step) -> bool {
    let refused = observed.facts.verdict == Some(Verdict::Refused);
    // A Secret that somebody changed is no refusal.
    let urgent = answering(observed) || observed.ledger.current.is_some() && !observed.holds_current();
    let held = observed.secrets.ours().find_map(|ours| ours.id.as_ref());
    let listed = |id: &TokenId| {
        own_rows(observed).any(|row| row.id == *id && Some(row.key()) == observed.open_claim().as_ref().map(Claim::key))
    };
    let attested = held.is_some_and(|id| observed.in_flight.holds(id) || observed.service.attributable() && listed(id));
    let leaked = observed.open_claim().is_some_and(|claim| observed.ledger.leak_covers(claim.time));
    let acts = match step {
        Step::Reject | Step::GiveUp(GiveUpReason::Refused) => true,
        // An id that nobody attests is given up whatever the service says.
        Step::Decide(Outcome::Failed) => refused && attested && !leaked,
        Step::Claim { .. } | Step::Finalize { claims: true } | Step::Generate => !urgent,
        _ => false,
    };
    !(in_doubt(observed) && acts)
}

/// Whether the service refuses most tokens.
pub fn in_doubt(observed: &Observed) -> bool {
    observed.service.seen.is_some_and(|service| !service.trusted)
}

/// Whether something besides its own refusals says that the refused token is dead, or enough of them do.
pub fn confirmed_dead(observed: &Observed) -> bool {
    let Some(current) = &observed.ledger.current else { return false };
    let Some(since) = current.refused_time else { return false };
    let (service, age) = (&observed.service, NOW.since(since));
    let listed = service.own_rows().any(|row| row.id == current.id);
    let unlisted = service.listing.is_some() && service.lists_others && !listed;
    let alone = service.others.answered.is_none_or(|answered| answered < since);
    let contradicted = service.seen.is_some_and(|seen| seen.attributable) && (listed || service.listing.is_none());
    let enough = observed.facts.refusals >= 3 && age >= REFUSAL_SETTLE * 10 && alone && !contradicted;
    let accepted = service.others.accepted.is_some_and(|accepted| accepted >= since);
    service.trusted() && age >= REFUSAL_SETTLE && observed.facts.refusals >= 2 && (accepted || unlisted || enough)
}
