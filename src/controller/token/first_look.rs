//! Which objects wait for their first look after a start, where Secrets are not watched: those that nothing happens to.

use std::time::Duration;

use kube::ResourceExt;
use tokio::time::Instant;

use crate::api::ledger::{HandledRequests, Ledger};
use crate::api::time::Time;
use crate::controller::token::memory::SeenSecret;
use crate::controller::token::pass::Pass;
use crate::controller::token::rereads::Rereads;

/// How long the first look at this object waits, since all objects are looked at after a start. One to which something happens waits for
/// nothing.
pub(super) fn wait(rereads: &Rereads, pass: &Pass<'_>) -> Option<Duration> {
    let led_since = pass.shared().leadership.since();
    let seen = |seen: &SeenSecret| led_since.is_none_or(|since| seen.at >= since);
    if pass.memory().secret.as_ref().is_some_and(seen) || !is_at_rest(pass) {
        return None;
    }
    let first = rereads.first(&pass.object().uid().unwrap_or_default(), pass.shared().objects.count(), led_since);
    let now = pass.now().time();
    let wait = times(pass).map(|time| time.since(now)).min();
    let wait = wait.into_iter().chain([first.saturating_duration_since(Instant::now())]).min();
    wait.filter(|wait| !wait.is_zero())
}

/// When something is due for the object by itself.
fn times(pass: &Pass<'_>) -> impl Iterator<Item = Time> {
    let next = pass.object().status.as_ref().and_then(|status| status.next_rotation_time);
    let end = pass.ledger().current.as_ref().and_then(|current| current.expiration_time);
    next.into_iter().chain(end)
}

/// Whether its token leaked, or somebody says so.
fn leaks(pass: &Pass<'_>) -> bool {
    let ledger = pass.ledger();
    let noticed = ledger.leak.as_ref().map(|leak| leak.noticed()).unwrap_or_default();
    let said = pass.desired().revoke_issued_before.new_to(noticed).latest().is_some();
    said || ledger.current.as_ref().is_some_and(|current| ledger.leak_covers(current.claimed_time))
}

/// Whether the object has the token that it asks for, and nobody waits for anything.
fn is_at_rest(pass: &Pass<'_>) -> bool {
    let (object, ledger) = (pass.object(), pass.ledger());
    let applied = object.status.as_ref().and_then(|status| status.observed_generation);
    let HandledRequests { rotate, reconcile, confirm } = pass.requests();
    let handled = &ledger.handled_requests;
    object.metadata.deletion_timestamp.is_none()
        && applied == object.metadata.generation
        && rests(ledger)
        && !leaks(pass)
        && times(pass).all(|time| time > pass.now().time())
        && [(rotate, &handled.rotate), (reconcile, &handled.reconcile), (confirm, &handled.confirm)]
            .iter()
            .all(|(request, handled)| request.is_none() || request == *handled)
}

fn rests(ledger: &Ledger) -> bool {
    let works = |ledger: &Ledger| {
        let current = ledger.current.as_ref();
        current.is_some_and(|current| current.refused_time.is_none() && current.rejected_time.is_none())
    };
    let decided = ledger.claim.as_ref().is_none_or(|claim| claim.outcome.is_some());
    works(ledger) && decided && ledger.superseded.is_empty() && ledger.lost.is_empty()
}
