//! Runs the passes of every controller.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::future::{self, BoxFuture, FutureExt};
use kube::runtime::controller::Action;
use kube::{Api, Client, Resource};
use tokio::time::Instant;

use crate::controller::admin::metrics::{ERROR, OK};
use crate::controller::error::PassError;
use crate::controller::finalizer_time;
use crate::controller::shared::Shared;

/// How long an object is left alone after its pass panicked.
const AFTER_PANIC: Duration = Duration::from_secs(60);

/// When this resolves, the operator stops: running passes end, and no pass begins.
pub type Shutdown = future::Shared<BoxFuture<'static, ()>>;

pub(super) fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

/// Strips what the operator does not need: managed fields are two thirds of an object in memory.
pub(super) fn strip<K: Resource>(object: &mut K) {
    finalizer_time::strip_managed_fields(object.meta_mut());
}

/// Runs one pass and counts its result. A panic in one pass must not end the others.
pub(super) async fn guarded<K: Resource>(
    pass: impl Future<Output = Result<Action, PassError>>,
    controller: &'static str,
    object: &K,
    ctx: &Shared,
) -> Result<Action, PassError> {
    let begun = Instant::now();
    match AssertUnwindSafe(pass).catch_unwind().await {
        Ok(result) => {
            ctx.metrics.passed(controller, if result.is_ok() { OK } else { ERROR }, begun.elapsed());
            if result.is_ok() {
                ctx.pass_backoff.succeeded(uid(object));
            }
            result
        }
        Err(_) => {
            tracing::error!(controller, object = shown(object), "a pass panicked; the next one begins in a minute");
            ctx.metrics.panicked();
            Ok(Action::requeue(AFTER_PANIC))
        }
    }
}

/// Decides when the next pass begins after a failed one.
pub(super) fn after_error<K: Resource>(object: &K, error: &PassError, ctx: &Shared) -> Action {
    let wait = ctx.pass_backoff.failed(uid(object));
    let seconds = wait.as_secs();
    tracing::warn!(object = shown(object), %error, seconds, "a pass could not go on; the next one begins after these seconds");
    Action::requeue(wait)
}

/// As logs name it: with its namespace, if it has one.
fn shown<K: Resource>(object: &K) -> String {
    let name = object.meta().name.as_deref().unwrap_or_default();
    object.meta().namespace.as_deref().map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

fn uid<K: Resource>(object: &K) -> &str {
    object.meta().uid.as_deref().unwrap_or_default()
}
