//! Writes of a Secret, and how one differs from what it should be.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};

use super::applied::Applied;
use super::content::DesiredSecret;
use super::metadata::{self, Marks, Owner};

/// Annotations that say nothing by their absence, and so go when they are not wanted.
const OPTIONAL: [&str; 3] = [metadata::TOKEN_ID, metadata::SUPERSEDED, metadata::APPLIED];

/// Stands for the version of a Secret that never came from an API server: no Secret has it, so the API server answers
/// with a conflict. (An empty or absent version would be accepted, as a write without a check.)
const NO_VERSION: &str = "1";

/// The Secret to create.
pub fn create_body(desired: &DesiredSecret, name: &str, namespace: &str) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(desired.labels.clone()),
            annotations: Some(desired.annotations.clone()),
            ..ObjectMeta::default()
        },
        type_: Some(desired.type_.as_str().to_owned()),
        data: Some(desired.data.clone()),
        ..Secret::default()
    }
}

/// The JSON merge patch that gives `current` the content `desired`, refused by the API server if `current` is not the
/// newest version. It holds the values.
///
/// Data is ours alone: every other key goes. Labels and annotations of others stay; those that an earlier template
/// asked for go.
pub fn merge_patch(desired: &DesiredSecret, current: &Secret) -> Value {
    let applied = Applied::on(current);
    let mut annotations = nulls(applied.annotations.iter().map(String::as_str).chain(OPTIONAL));
    extend(&mut annotations, &desired.annotations);
    let mut labels = nulls(applied.labels.iter().map(String::as_str));
    extend(&mut labels, &desired.labels);
    let mut data = nulls(current.data.iter().flat_map(BTreeMap::keys).map(String::as_str));
    extend(&mut data, &desired.data);
    json!({
        "metadata": {
            "resourceVersion": current.metadata.resource_version.as_deref().unwrap_or(NO_VERSION),
            "labels": labels,
            "annotations": annotations,
        },
        "data": data,
    })
}

/// The JSON merge patch that changes the marks alone, refused by the API server if `resource_version` is not the
/// newest version: to raise the fence, and as a dry run before a token is generated.
pub fn marks_patch(marks: &Marks, owner: &Owner, resource_version: &str) -> Value {
    let version = if resource_version.is_empty() { NO_VERSION } else { resource_version };
    let mut annotations = nulls([metadata::TOKEN_ID, metadata::SUPERSEDED]);
    extend(&mut annotations, &metadata::annotations(marks, owner));
    json!({"metadata": {"resourceVersion": version, "annotations": annotations}})
}

/// In a merge patch `null` takes a key off, and does nothing where there is none.
fn nulls<'a>(keys: impl IntoIterator<Item = &'a str>) -> Map<String, Value> {
    keys.into_iter().map(|key| (key.to_owned(), Value::Null)).collect()
}

fn extend<V: serde::Serialize>(patch: &mut Map<String, Value>, wanted: &BTreeMap<String, V>) {
    patch.extend(wanted.iter().map(|(key, value)| (key.clone(), json!(value))));
}

/// What differs in `secret` from `desired`, one text each without any value; empty if nothing does. Labels and
/// annotations of others are no difference.
pub fn drift(desired: &DesiredSecret, secret: &Secret) -> Vec<String> {
    let found = secret.type_.as_deref().unwrap_or("Opaque");
    let mut texts = Vec::new();
    if found != desired.type_.as_str() {
        texts.push("type".to_owned());
    }
    let applied = Applied::on(secret);
    let optional = OPTIONAL.map(str::to_owned);
    let metadata = &secret.metadata;
    compare(&mut texts, "label", &desired.labels, metadata.labels.as_ref(), &applied.labels);
    let stale: Vec<String> = applied.annotations.iter().chain(&optional).cloned().collect();
    compare(&mut texts, "annotation", &desired.annotations, metadata.annotations.as_ref(), &stale);
    let stale: Vec<String> = secret.data.iter().flat_map(BTreeMap::keys).cloned().collect();
    compare(&mut texts, "data", &desired.data, secret.data.as_ref(), &stale);
    texts
}

/// Adds the keys of `wanted` that `found` has not or has with another value, and the `stale` ones that it still has.
fn compare<V: PartialEq>(
    texts: &mut Vec<String>,
    what: &str,
    wanted: &BTreeMap<String, V>,
    found: Option<&BTreeMap<String, V>>,
    stale: &[String],
) {
    let value = |key| found.and_then(|found| found.get(key));
    for (key, wanted) in wanted {
        match value(key) {
            None => texts.push(format!("{what} {key} is missing")),
            Some(found) if found != wanted => texts.push(format!("{what} {key} differs")),
            Some(_) => {}
        }
    }
    for key in stale.iter().filter(|key| !wanted.contains_key(*key) && value(key).is_some()) {
        texts.push(format!("{what} {key} is not wanted"));
    }
}
