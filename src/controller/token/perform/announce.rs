//! What people are told of a verified token. It is told once: by the process whose record stands in the ledger, even if the answer to
//! that record was lost.

use crate::api::ledger::{Current, Ledger};
use crate::api::reason::Reason;
use crate::controller::admin::metrics::VERIFIED;
use crate::controller::token::memory::in_flight::{Announcement, Attempt};
use crate::controller::token::pass::Pass;
use crate::controller::token::perform::claim::attributable;
use crate::controller::token::perform::leak::announce_replacement;
use crate::rotation::observed::Observed;
use crate::rotation::words::life_of;

/// What is to be told of `current`, which replaces what `observed` shows. `strangers` are ids that the Secret held and the ledger does
/// not know.
pub(super) fn announcement(current: &Current, first: bool, strangers: &[String], observed: &Observed) -> Announcement {
    let unseen = !strangers.is_empty() && !attributable(observed);
    let strangers = unseen.then(|| {
        format!(
            "the Secret held tokens that the ledger does not know, and tokens have no names at this service: look \
             for them there and revoke them by hand: {}",
            strangers.join(", ")
        )
    });
    Announcement {
        id: current.id.clone(),
        verified: current.verified_time,
        first: (first && current.hand_over.is_none()).then(|| life_of(current)),
        taken_up: current.hand_over.is_some().then(|| taken_up(current, observed)),
        strangers,
        answers_leak: observed.ledger.leak_is_open(),
    }
}

/// What follows from a token that was handed over.
fn taken_up(current: &Current, observed: &Observed) -> String {
    let before = observed.ledger.current.as_ref().filter(|before| before.hand_over.is_some());
    let before =
        before.map(|before| format!("; attempt {} is to be revoked by hand after its overlap", before.attempt));
    format!("{}{}", life_of(current), before.unwrap_or_default())
}

/// Whether the record that this was to be told of stands in the ledger.
fn stands(announcement: &Announcement, ledger: &Ledger) -> bool {
    let same = |current: &Current| current.id == announcement.id && current.verified_time == announcement.verified;
    ledger.current.as_ref().is_some_and(same)
}

/// Tells that a token is verified. Nothing of its attempt is in flight any more.
pub(super) async fn announce(pass: &mut Pass<'_>, announcement: Announcement) {
    let memory = pass.memory_mut();
    let attempt = memory.in_flight.take();
    // The value of one that only a person could replace is kept, to put it back.
    if announcement.taken_up.is_none() {
        memory.values.remove(&announcement.id);
    }
    memory.accepted = Some(announcement.verified);
    memory.restored = false;
    memory.transient_failure = None;
    let metrics = &pass.shared().metrics;
    metrics.attempted(attempt.and_then(|attempt| attempt.trigger), VERIFIED);
    if let Some(current) = pass.ledger().current.as_ref().filter(|current| current.id == announcement.id) {
        metrics.took(current);
    }
    if let Some(note) = announcement.strangers {
        pass.warn(Reason::OrphanedTokenFound, "Rotate", note).await;
    }
    if announcement.answers_leak {
        announce_replacement(pass).await;
    }
    if let Some(note) = announcement.taken_up {
        pass.normal(Reason::HandOverAccepted, "HandOver", note).await;
    }
    if let Some(note) = announcement.first {
        pass.normal(Reason::TokenIssued, "Rotate", note).await;
    }
}

/// Ends an attempt whose outcome the ledger already has. If that is this process's own record, it is told now; else the process that
/// recorded it tells it.
pub(super) async fn settled(pass: &mut Pass<'_>) {
    let Some(Attempt { value, announcement, .. }) = pass.memory_mut().in_flight.take() else { return };
    if let Some(own) = announcement.filter(|own| stands(own, pass.ledger())) {
        return announce(pass, own).await;
    }
    if let Some(value) = value {
        pass.memory_mut().values.insert(value.id, value.token);
    }
}
