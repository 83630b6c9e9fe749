//! Events (`events.k8s.io/v1`) report results only: a healthy cycle has one. A pass does not fail when its event cannot be
//! written.

use std::fmt::Write as _;

use chrono::SecondsFormat;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Resource};
use serde_json::json;

use crate::api::FIELD_MANAGER;
use crate::api::artifact_token::ArtifactToken;
use crate::api::reason::Reason;
use crate::controller::shared::Shared;

/// The longest note that the API server accepts, in bytes.
const MAX_NOTE: usize = 1024;

/// Reports that something went as it should.
pub(crate) async fn normal(ctx: &Shared, object: &ArtifactToken, reason: Reason, action: &str, note: String) {
    publish(ctx, object.object_ref(&()), "Normal", reason, action, note).await;
}

/// Reports that something went wrong.
pub(crate) async fn warning(ctx: &Shared, object: &ArtifactToken, reason: Reason, action: &str, note: String) {
    publish(ctx, object.object_ref(&()), "Warning", reason, action, note).await;
}

/// Reports that something went wrong with a service object.
pub(crate) async fn service_warning(ctx: &Shared, object: ObjectReference, reason: Reason, action: &str, note: String) {
    publish(ctx, object, "Warning", reason, action, note).await;
}

async fn publish(ctx: &Shared, object: ObjectReference, type_: &str, reason: Reason, action: &str, note: String) {
    let name = object.name.clone().unwrap_or_default();
    // The events of an object without a namespace stand in this one.
    let namespace = object.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let kind = object.kind.as_deref().filter(|kind| *kind != "ArtifactToken").map(|kind| format!("{kind} "));
    let place = object.namespace.as_ref().map(|namespace| format!("{namespace}/"));
    let shown = [kind, place].into_iter().flatten().chain([name.clone()]).collect::<String>();
    match type_ {
        "Warning" => tracing::warn!(object = shown, %reason, "{note}"),
        _ => tracing::info!(object = shown, %reason, "{note}"),
    }
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("events.k8s.io", "v1", "Event"));
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.client.clone(), &namespace, &resource);
    let mut random = [0_u8; 8];
    if getrandom::fill(&mut random).is_err() {
        return;
    }
    let suffix = random.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let event = json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": format!("{name}.{suffix}"), "namespace": namespace},
        "type": type_,
        "reason": reason.to_string(),
        "action": action,
        "note": shortened(note),
        "eventTime": ctx.clock.now().time().to_utc().to_rfc3339_opts(SecondsFormat::Micros, true),
        "reportingController": format!("{}/operator", crate::api::GROUP),
        "reportingInstance": FIELD_MANAGER,
        "regarding": object,
    });
    let written = match serde_json::from_value(event) {
        Ok(event) => api.create(&PostParams::default(), &event).await.map(|_| ()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = written {
        tracing::debug!(%error, "event not written");
    }
}

fn shortened(mut note: String) -> String {
    while note.len() > MAX_NOTE {
        note.pop();
    }
    note
}
