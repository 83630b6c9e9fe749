//! `spec.suspend`: no new token is made.

use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::wait;

pub(super) fn suspended(view: &View) -> Option<Step> {
    view.held_back().then(|| wait(view))
}
