//! What every controller runs its passes with.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::future::{self, BoxFuture, FutureExt};
use kube::runtime::controller::Action;
use kube::{Api, Client, Resource};

use crate::controller::error::PassError;
use crate::controller::finalizer_time;
use crate::controller::shared::Shared;

/// Passes at a time. The client speaks HTTP/1.1, so this bounds its connections, too.
pub(super) const WORKERS: u16 = 32;
/// A pass that could not go on is begun again after this time.
const AGAIN: Duration = Duration::from_secs(2);
/// After a panic, an object is left alone for so long.
const AFTER_PANIC: Duration = Duration::from_secs(60);

/// When it resolves, the operator stops: passes end, none begins.
pub type Shutdown = future::Shared<BoxFuture<'static, ()>>;

pub(super) fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

/// Managed fields are two thirds of an object in memory.
pub(super) fn strip<K: Resource>(object: &mut K) {
    finalizer_time::keep_only(object.meta_mut());
}

/// A panic in one pass must not end the others.
pub(super) async fn guarded(
    pass: impl Future<Output = Result<Action, PassError>>,
    controller: &'static str,
    name: &str,
    ctx: &Shared,
) -> Result<Action, PassError> {
    match AssertUnwindSafe(pass).catch_unwind().await {
        Ok(result) => {
            ctx.metrics.passed(controller, if result.is_ok() { "ok" } else { "error" });
            result
        }
        Err(_) => {
            tracing::error!(controller, name, "a pass panicked; it is begun again in a minute");
            ctx.metrics.panicked();
            Ok(Action::requeue(AFTER_PANIC))
        }
    }
}

pub(super) fn after_error(error: &impl fmt::Display) -> Action {
    tracing::warn!(%error, "a pass could not go on; it is begun again in 2 s");
    Action::requeue(AGAIN)
}
