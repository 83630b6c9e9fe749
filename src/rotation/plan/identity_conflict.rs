//! Another cluster works with copies of the same objects, or seems to (P21).
//!
//! A token whose name carries this object's identity is this object's own, or that of a copy: a clone of the cluster, or the
//! cluster that this one was restored from, has the same uids and goes on counting attempts. A person must say which of the two
//! goes on. Until then nothing is generated or revoked, for a consumer of the other cluster may hold the token.

use crate::rotation::observed::Observed;
use crate::rotation::plan::ownership::doubt;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::verify::verify;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};

pub(super) fn identity_conflict(view: &View) -> Option<Step> {
    match doubt(view) {
        // What the Secret holds is verified all the same: Ready must not speak of a dead token (S13).
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
    let strangers = view.unknown_rows().next().is_some();
    (!strangers && secrets.live()).then_some(Step::Confirm)
}
