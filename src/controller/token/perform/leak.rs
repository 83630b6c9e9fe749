//! Leaks and identity conflicts, which alarm people. Each is one durable record.

use std::time::Duration;

use crate::api::ledger::{LeakTimes, Ledger};
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Fact, Flow, Pass};
use crate::controller::token::perform::record::{Written, record};
use crate::rotation::observed::{Observed, Row};
use crate::rotation::report::Phase;

/// P14: records which tokens leaked before the first of them is revoked.
pub(super) async fn record_leak(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    issued_before: LeakTimes,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    // It covers claims, so it has their clock.
    let now = pass.now().stamp();
    let change = |ledger: &mut Ledger| ledger.leaked(issued_before, now);
    Ok(record(pass, objects, observed, Phase::Working, Fact::Other, change).await?.into())
}

/// P21: records that a person must say whose token this is.
pub(super) async fn record_conflict(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    row: &Row,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let confirm = observed.object.requests.confirm.clone();
    let change = |ledger: &mut Ledger| ledger.conflict_found(row, confirm);
    let written = record(pass, objects, observed, Phase::Working, Fact::Other, change).await?;
    if written == Written::Yes {
        let note = format!("attempt {} (id {}) is not known to have been claimed by this cluster", row.attempt, row.id);
        pass.warn(Reason::IdentityConflict, "Sweep", note).await;
    }
    Ok(written.into())
}

/// P21: records that a person confirmed the identity. Every listed token stands in the ledger.
pub(super) async fn confirm_identity(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let confirm = observed.object.requests.confirm.clone();
    let change = |ledger: &mut Ledger| ledger.identity_confirmed(confirm);
    Ok(record(pass, objects, observed, Phase::Working, Fact::Other, change).await?.into())
}

/// Reports and measures how long consumers held a dead token, once the replacement of a leaked one is verified.
pub(super) async fn announce_replacement(pass: &Pass<'_>) {
    let Some(leak) = &pass.ledger().leak else { return };
    let Some(replaced) = leak.replaced_time else { return };
    let dead = leak.revoked_time.map_or(Duration::ZERO, |revoked| replaced.since(revoked));
    pass.shared().metrics.leak_answered(dead);
    let note = format!(
        "tokens claimed before {} leaked; the one in use was revoked at {} and replaced at {replaced}: the Secret held a dead token \
         for {:.1} s",
        leak.claimed_before,
        leak.revoked_time.map_or_else(|| "no time yet".to_owned(), |time| time.to_string()),
        dead.as_secs_f64()
    );
    pass.warn(Reason::EmergencyRotationCompleted, "Rotate", note).await;
}
