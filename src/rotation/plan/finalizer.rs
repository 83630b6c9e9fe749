//! The finalizer of an object from which somebody took it (P1).
//!
//! `kubectl replace -f`, or a client that writes whole objects, takes it off. Without it the object could be gone before its tokens are
//! dead. So it comes back before anything else, and whatever forbids a new token.

use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

pub(super) fn finalizer(view: &View) -> Option<Step> {
    let observed = view.observed;
    (!observed.object.finalizer && observed.ever_claimed()).then_some(Step::Finalize { claims: false })
}
