//! Which service an object may use.

use std::sync::Arc;

use kube::{Resource, ResourceExt};

use crate::api::FINALIZER;
use crate::api::artifact_token::ArtifactToken;
use crate::api::ledger::Ledger;
use crate::controller::finalizer_time;
use crate::controller::registry::{Key, ServiceEntry};
use crate::controller::token::context::Context;
use crate::rotation::desired::Halt;

/// The service as its last check found it, and why the object's namespace may not have new tokens of it. Nothing is revealed about a
/// service to a namespace that may not use it, and the service's credential is not used for an object that never had a claim: that has
/// no token there.
pub(super) fn service_of(ctx: &Context, object: &ArtifactToken) -> (Option<Arc<ServiceEntry>>, Option<Halt>) {
    let service = ctx.shared.services.get(&Key::of(object));
    let forbidden = service.as_deref().and_then(|service| ctx.shared.forbidden(service, object));
    let visible = forbidden.is_none() || has_begun(object);
    (service.filter(|_| visible), forbidden)
}

/// Whether the object may ever have had a claim: it has our finalizer, and a ledger, or the operator put the finalizer there.
pub(super) fn has_begun(object: &ArtifactToken) -> bool {
    let finalizer = object.finalizers().iter().any(|name| name == FINALIZER);
    let recorded = object.status.as_ref().is_some_and(|status| status.ledger != Ledger::default());
    finalizer && (recorded || !finalizer_time::is_by_others(object.meta()))
}
