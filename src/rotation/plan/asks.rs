//! What a person is asked to hand over.

use crate::rotation::hand_over::{expires, refused, why_due};
use crate::rotation::observed::{InFlight, Observed};
use crate::rotation::plan::put_back::is_lost;
use crate::rotation::plan::room::forbidden;
use crate::rotation::plan::view::View;
use crate::rotation::schedule::{replaces, trigger};

/// What the condition `HandOverDue` says. `None` if nothing is due, a token is being taken up, or none may be made. A lost token that is put
/// back is not due.
pub(super) fn asks(view: &View) -> Option<String> {
    let Observed { object, by_hand, in_flight, service, ledger, .. } = view.observed;
    let (desired, now) = (view.desired, view.now.time());
    let asks = service.is_by_hand() && !object.deleting && desired.halt.is_none();
    let refused = refused(view.observed);
    let taking_up = by_hand.offers() && refused.is_none();
    if !asks || view.is_suspended() || taking_up || *in_flight != InFlight::Nothing {
        return None;
    }
    if forbidden(view).is_some() {
        return None;
    }
    let reminded = || ledger.current.as_ref().filter(|current| current.reminded_days.is_some()).map(expires);
    // A lost token that is put back is no reason for another one.
    let lost = ledger.current.as_ref().filter(|_| is_lost(view));
    let trigger = lost
        .map_or_else(|| trigger(desired, view.observed, now), |current| replaces(desired, view.observed, current, now));
    let why = trigger.map(|trigger| why_due(trigger, view.observed, now).1);
    let why = why.or_else(reminded)?;
    let make = &desired.by_hand.make;
    Some(match refused {
        Some(refused) => {
            format!(
                "the token that was handed over is not taken up: {refused}. A new one is needed, because {why}: {make}"
            )
        }
        None => format!("{why}: {make}"),
    })
}
