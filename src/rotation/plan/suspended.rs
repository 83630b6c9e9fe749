//! `spec.suspend`: the operator makes no new token.

use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::wait;

pub(super) fn suspended(view: &View) -> Option<Step> {
    view.is_suspended().then(|| wait(view))
}
