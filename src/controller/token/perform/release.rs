//! The end of an object: its finalizer is removed once none of its tokens may live.

use kube::ResourceExt;

use crate::api::FINALIZER;
use crate::api::ledger::Ledger;
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Flow, Pass};
use crate::controller::token::perform::record::{Written, write_finalizers};
use crate::rotation::observed::{Leave, Observed};

/// Removes the finalizer: none of the object's tokens may live.
pub(super) async fn release(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    observed: &Observed,
) -> Result<Flow, PassError> {
    let names: Vec<String> = pass.object().finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
    // Only this ledger shows the revokes during the deletion; the answer to the patch does not.
    let ledger = pass.ledger().clone();
    if write_finalizers(pass, objects, names).await? == Written::No {
        return Ok(Flow::Continue);
    }
    announce(pass, observed, &ledger).await;
    pass.ctx().memories.forget(pass.uid());
    Ok(Flow::Gone)
}

async fn announce(pass: &Pass<'_>, observed: &Observed, ledger: &Ledger) {
    let current = ledger.current.iter().map(|current| current.id.as_str());
    let left: Vec<&str> = current.chain(ledger.superseded.iter().map(|old| old.id.as_str())).collect();
    match observed.object.leave {
        Some(leave) if !left.is_empty() => {
            let asked = match leave {
                Leave::Orphan => "spec.deletion.policy is Orphan",
                Leave::Skip => "the annotation skip-revocation is set",
            };
            let note =
                format!("{asked}: these tokens stay alive at the service, revoke them by hand: {}", left.join(", "));
            pass.warn(Reason::TokenRevocationSkipped, "Revoke", note).await;
        }
        Some(_) => {}
        None => {
            if let Some(dead) = ledger.history.first() {
                let note = format!("attempt {} was revoked and proved dead", dead.attempt);
                pass.normal(Reason::TokenRevoked, "Revoke", note).await;
            }
        }
    }
    for lost in &ledger.possibly_lost {
        let note = format!(
            "a token generated at about {} (attempt {}) may live at the service: its tokens have no names, so look for \
             it there and revoke it by hand",
            lost.claimed_time, lost.attempt
        );
        pass.warn(Reason::OrphanedTokenFound, "Release", note).await;
    }
}
