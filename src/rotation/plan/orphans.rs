//! Orphaned tokens: listed, but known to nobody (P5). They enter the ledger once no publish of them can land.

use crate::rotation::ledger::MAX_ORPHANS;
use crate::rotation::observed::{Observed, Row};
use crate::rotation::plan::fence::fence_off;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

/// A token at or below the fence can no longer be published. It gets a full overlap, because a consumer may hold it.
pub(super) fn orphans(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { ledger, secrets, service, .. } = observed;
    if service.listing.is_none() || !secrets.live() {
        return None;
    }
    let fence = secrets.fence();
    // All orphans enter the ledger in one write. The search ends once the token of a lost claim is found, and that claim may have been
    // the only reason to look for the others.
    let highest = view.orphaned_rows().map(|row| row.attempt).max().filter(|highest| *highest > fence);
    if let Some(highest) = highest.filter(|_| observed.unresolved_claim().is_none() && secrets.unwritable().is_none()) {
        return fence_off(view, highest);
    }
    // Orphans without room in the ledger wait for the next list. They must not delay the revokes of those in the ledger.
    let room = MAX_ORPHANS.saturating_sub(ledger.superseded.len());
    let orphans: Vec<Row> = view.orphaned_rows().filter(|row| row.attempt <= fence).take(room).cloned().collect();
    (!orphans.is_empty()).then_some(Step::Supersede(orphans))
}
