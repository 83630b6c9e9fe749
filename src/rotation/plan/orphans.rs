//! Listed tokens that nobody knows (P5): once no publish of them can land, they go into the ledger.

use crate::rotation::ledger::MAX_FOUND;
use crate::rotation::observed::{Observed, Row};
use crate::rotation::plan::fence::fence_off;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

/// A token at or below the fence cannot be published any more. It gets a full overlap, for a consumer may hold it.
pub(super) fn orphans(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { ledger, secrets, service, .. } = observed;
    if service.listing.is_none() || !secrets.live() {
        return None;
    }
    let fence = secrets.fence();
    // All that was found goes into the ledger in one write: a lost claim that is found is not looked for any more, and it may
    // have been the only reason to look for the others.
    let highest = view.unknown_rows().map(|row| row.attempt).max().filter(|highest| *highest > fence);
    if let Some(highest) = highest.filter(|_| observed.stray_claim().is_none() && !secrets.any_foreign()) {
        return fence_off(view, highest);
    }
    // More than the ledger holds wait for the next list, and do not keep those that it holds from being revoked.
    let room = MAX_FOUND.saturating_sub(ledger.superseded.len());
    let found: Vec<Row> = view.unknown_rows().filter(|row| row.attempt <= fence).take(room).cloned().collect();
    (!found.is_empty()).then_some(Step::Supersede(found))
}
