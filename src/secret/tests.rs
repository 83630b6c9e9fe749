#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contents;
mod patches;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::content::{DesiredSecret, Obstacle, check, desired, obstacle, placeholder, token_in};
use super::formats::{Facts, Unrenderable};
use super::metadata::{Marks, Owner, Ownership, ownership, read_marks};
use super::patch::{create_body, drift, marks_patch, merge_patch};
use crate::api::ids::MAX_ATTEMPT;
use crate::api::ids::samples::{self, id};
use crate::api::secret_template::SecretTemplate;

fn template(spec: Value) -> SecretTemplate {
    serde_json::from_value(spec).unwrap()
}

/// A template with every readable format, as a user would write it.
fn rich() -> SecretTemplate {
    template(json!({
        "name": "seal-token",
        "labels": {"app.kubernetes.io/part-of": "ci", "team": "payments"},
        "annotations": {"tekton.dev/git-0": "https://git.example"},
        "data": [
            {"key": "token", "format": "Raw"},
            {"key": ".npmrc", "format": "Npmrc", "registry": "https://npm.example/"},
            {"key": "config.json", "format": "DockerConfigJson", "registry": "r.example", "username": "u"},
            {"key": "password", "format": "BasicAuth", "username": "u"},
            {"key": "a.ini", "format": "Template", "template": "key={{ token }}\n"},
        ],
    }))
}

fn raw() -> SecretTemplate {
    template(json!({"name": "seal-token", "data": [{"key": "token", "format": "Raw"}]}))
}

fn owner() -> Owner {
    Owner {
        kind: "ArtifactToken".to_owned(),
        namespace: "ns".to_owned(),
        name: "seal".to_owned(),
        uid: "uid-1".to_owned(),
    }
}

fn marks(attempt: u32) -> Marks {
    Marks {
        attempt,
        token_id: Some(id(format!("tok_{attempt}"))),
        superseded: vec![id(format!("tok_{}", attempt - 1)), id("tok_x/\"y")],
        fence: attempt - 1,
    }
}

fn with_token(template: &SecretTemplate, marks: &Marks, token: &str) -> DesiredSecret {
    let token = SecretString::from(token);
    desired(template, &owner(), marks, &Facts { token: &token, id: Some("tok"), expiration_time: None }).unwrap()
}

/// As the API server stores it.
fn stored(desired: &DesiredSecret) -> Secret {
    let mut secret = create_body(desired, "seal-token", "ci");
    secret.metadata.resource_version = Some("41".to_owned());
    secret
}

/// RFC 7396.
fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            apply(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn patched(secret: &Secret, patch: &Value) -> Secret {
    let mut value = serde_json::to_value(secret).unwrap();
    apply(&mut value, patch);
    serde_json::from_value(value).unwrap()
}

fn token(template: &SecretTemplate, secret: &Secret) -> Option<String> {
    token_in(template, secret).map(|token| token.expose_secret().to_owned())
}

fn set(secret: &mut Secret, key: &str, text: &str) {
    secret.metadata.annotations.get_or_insert_default().insert(format!("artifact-token.dev/{key}"), text.to_owned());
}
