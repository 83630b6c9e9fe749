//! The end of an object: what may still live is reported, and its finalizer is removed.

use kube::ResourceExt;

use crate::api::FINALIZER;
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Flow, Pass};
use crate::controller::token::perform::record::{Written, write_finalizers};
use crate::rotation::observed::{Leave, Observed};
use crate::rotation::survivors::{listed, survivors};

/// Removes the finalizer: none of the object's tokens may live, or a person asked to leave them.
pub(super) async fn release(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &Observed,
) -> Result<Flow, PassError> {
    let names: Vec<String> = pass.object().finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
    // Only this ledger shows the revokes during the deletion; the answer to the patch does not.
    let dead = pass.ledger().history.first().map(|dead| dead.attempt);
    report(pass, observed).await;
    let written = write_finalizers(pass, objects, names).await?;
    // Where others' finalizers keep the object, a lost answer leaves it readable, without ours.
    let released = !pass.object().finalizers().iter().any(|name| name == FINALIZER);
    if written == Written::No && !released {
        return Ok(Flow::Continue);
    }
    if let (Some(attempt), None) = (dead, observed.object.leave) {
        let note = format!("attempt {attempt} was revoked and proved dead");
        pass.normal(Reason::TokenRevoked, "Revoke", note).await;
    }
    pass.ctx().memories.forget(pass.uid());
    Ok(Flow::Gone)
}

/// Reports what may still live, once, and before the finalizer goes: afterwards nobody would know of it.
async fn report(pass: &mut Pass<'_>, observed: &Observed) {
    let survivors = survivors(observed);
    if survivors.is_empty() || std::mem::replace(&mut pass.memory_mut().reported_survivors, true) {
        return;
    }
    let (reason, why) = match observed.object.leave {
        Some(Leave::Orphan) => (Reason::TokenRevocationSkipped, "spec.deletion.policy is Orphan"),
        Some(Leave::Skip) => (Reason::TokenRevocationSkipped, "the annotation skip-revocation is set"),
        None => (Reason::OrphanedTokenFound, "tokens of this service have no names, so the operator cannot find these"),
    };
    let list = listed(&survivors);
    let note = format!("{why}: the following may live at the service, look for it there and revoke it by hand: {list}");
    pass.warn(reason, "Release", note).await;
}
