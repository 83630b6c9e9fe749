//! Deletion (P13): known tokens at once, then what could still land, then the Secret, then the finalizer.

use crate::api::reason::Reason;
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Hand, Leave, Observed};
use crate::rotation::plan::ownership::doubt;
use crate::rotation::plan::step::{Lapse, Step};
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};

pub(super) fn deletion(view: &View) -> Option<Step> {
    let Observed { object, hand, .. } = view.observed;
    if !object.deleting {
        return None;
    }
    if !object.finalizer {
        return Some(Step::Wait(None));
    }
    match (object.leave, hand) {
        (Some(Leave::Orphan), _) => Some(Step::Release),
        (Some(Leave::Skip), _) => Some(let_go(view)),
        (None, Hand::Claim { .. } | Hand::Value { .. }) => Some(Step::GiveUp(Lapse::Deleting)),
        (None, Hand::Empty) => Some(doubt(view).unwrap_or_else(|| end_tokens(view))),
    }
}

/// Revokes what is known, waits for what could still land, lists, and lets go.
fn end_tokens(view: &View) -> Step {
    let observed = view.observed;
    let Observed { ledger, secrets, service, facts, .. } = observed;
    if !secrets.live() {
        return after_pause(view, facts.pauses.secret, Step::Read);
    }
    if ledger.alive() > 0 && !service.same_place() {
        return Step::Halt(cannot_revoke());
    }
    if let Some((attempt, id)) = next_known(view) {
        return Step::Revoke { attempt, id };
    }
    let open = observed.open_claim();
    let unsettled = open.as_ref().map(|claim| view.desired.timings.settle_time(claim));
    if unsettled.is_some_and(|settled| settled > view.now) {
        return wait(view);
    }
    // What a person confirmed to be this object's may stand in no ledger, either.
    let confirmed = ledger.conflict.is_some();
    let unresolved = open.is_some() || confirmed || !ledger.lost.is_empty();
    if unresolved && let Some(step) = sweep(view) {
        return step;
    }
    if ledger.alive() > 0 {
        return wait(view);
    }
    let_go(view)
}

/// A claim was unresolved: everything that the service lists under this uid is revoked. A nameless token cannot be told
/// from a stranger's; it is reported when the finalizer goes (P18).
fn sweep(view: &View) -> Option<Step> {
    let Observed { ledger, service, facts, .. } = view.observed;
    let Some(seen) = service.seen else { return Some(Step::Halt(cannot_revoke())) };
    if !seen.attributable {
        return None;
    }
    // Another place's list says nothing of what was lost here.
    if !seen.same_origin {
        return Some(Step::Halt(cannot_revoke()));
    }
    if service.listing.is_none() {
        return Some(after_pause(view, facts.pauses.sweep, Step::Sweep));
    }
    let row = service.own_rows().find(|row| !ledger.knows(&row.id))?;
    Some(Step::Revoke { attempt: row.attempt, id: row.id.clone() })
}

fn next_known(view: &View) -> Option<(u32, String)> {
    let ledger = &view.observed.ledger;
    let superseded = ledger
        .superseded
        .iter()
        .filter(|old| old.next_try_time.is_none_or(|next| next <= view.now))
        .map(|old| (old.attempt, old.id.clone()));
    let current = ledger.current.iter().map(|current| (current.attempt, current.id.clone()));
    superseded.chain(current).next()
}

fn cannot_revoke() -> Halt {
    Halt::stalled(
        Reason::RevocationFailed,
        "tokens of this object may live at the service, which cannot be asked to revoke them: create the service object \
         and its credential again, or set the annotation artifact-token.dev/skip-revocation: \"true\" and revoke them by hand",
    )
}

fn let_go(view: &View) -> Step {
    let Observed { secrets, facts, .. } = view.observed;
    if secrets.ours().next().is_some() {
        let step = view.after_read(Step::DeleteSecret);
        return after_pause(view, facts.pauses.secret, step);
    }
    Step::Release
}
