//! The objects of a life, and where they are.

use serde_json::{Value, json};

/// The namespace of everything.
pub const NAMESPACE: &str = "team";
/// The service object.
pub const SERVICE: &str = "one";
/// The host of the service.
pub const HOST: &str = "one.sim";
/// The Secret with the operator's credential.
pub const CREDENTIAL: &str = "admin";
/// The credential's value.
pub const KEY: &str = "admin-key";
/// What names of tokens begin with.
pub const PREFIX: &str = "sim";

/// The name of an object.
pub fn name_of(index: usize) -> String {
    format!("t{index}")
}

/// The name of its Secret.
pub fn secret_of(index: usize) -> String {
    format!("t{index}-token")
}

/// The object that an object's or its Secret's name belongs to.
pub fn index_of(name: &str) -> Option<usize> {
    name.strip_prefix('t')?.trim_end_matches("-token").parse().ok()
}

/// The path of a kind of ours, or of one object of it.
pub fn path(plural: &str, name: &str) -> String {
    format!("/apis/artifact-token.dev/v1alpha1/namespaces/{NAMESPACE}/{plural}/{name}").trim_end_matches('/').to_owned()
}

/// The path of an `ArtifactToken`.
pub fn token_path(index: usize) -> String {
    path("artifacttokens", &name_of(index))
}

/// The path of a Secret, or of all.
pub fn secret_path(name: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/secrets/{name}").trim_end_matches('/').to_owned()
}

/// The Secret with the operator's credential.
pub fn credential() -> Value {
    json!({"metadata": {"name": CREDENTIAL}, "stringData": {"key": KEY}})
}

/// The service object.
pub fn service(per_minute: u32) -> Value {
    json!({
        "metadata": {"name": SERVICE},
        "spec": {
            "preset": "Reference", "baseURL": format!("http://{HOST}"), "connection": {"insecureHTTP": true},
            "credentials": {"adminKey": {"name": CREDENTIAL, "key": "key"}},
            "naming": {"prefix": PREFIX},
            "limits": {"requestsPerMinute": per_minute},
        },
    })
}

/// An object whose token is rotated each `hours`, or only on request with 0. It lives for `life_hours`, or for ever with 0.
pub fn token(index: usize, hours: u32, life_hours: u32, overlap_seconds: u32) -> Value {
    let lifetime = if life_hours == 0 { "Never".to_owned() } else { format!("{life_hours}h") };
    let overlap = format!("{overlap_seconds}s");
    let rotation = match hours {
        0 => json!({"policy": "Disabled", "overlap": overlap}),
        hours => json!({"policy": "Periodic", "interval": format!("{hours}h"), "overlap": overlap}),
    };
    json!({
        "metadata": {"name": name_of(index)},
        "spec": {
            "serviceRef": {"name": SERVICE},
            "rotation": rotation,
            "lifetime": lifetime,
            "secret": {"name": secret_of(index), "data": [{"key": "token", "format": "Raw"}]},
        },
    })
}
