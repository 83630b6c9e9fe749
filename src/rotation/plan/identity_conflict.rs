//! Another cluster works with copies of the same objects, or seems to (P21).
//!
//! A token with this object's identity in its name belongs to this object or to a copy of it. A clone of the cluster, or the cluster
//! that this one was restored from, has the same uids and continues to count attempts. A person must say which of the two continues.
//! Until then nothing is generated or revoked, because a consumer of the other cluster may hold the token.

use crate::rotation::observed::Observed;
use crate::rotation::plan::ownership::unresolved_conflict;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::verify::verify;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};

pub(super) fn identity_conflict(view: &View) -> Option<Step> {
    match unresolved_conflict(view) {
        // The token in the Secret is verified even so: Ready must not stay true for a dead token (S13).
        Some(Step::Halt(halt)) => return Some(verify(view).unwrap_or(Step::Halt(halt))),
        Some(step) => return Some(step),
        None => {}
    }
    let Observed { ledger, secrets, service, facts, .. } = view.observed;
    ledger.conflict.as_ref()?;
    if !service.attributable() {
        return Some(wait(view));
    }
    if service.listing.is_none() {
        return Some(after_pause(view, facts.pauses.sweep, Step::Sweep));
    }
    let orphans = view.orphaned_rows().next().is_some();
    (!orphans && secrets.live()).then_some(Step::ConfirmIdentity)
}
