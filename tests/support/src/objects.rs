//! The objects of the tests, as JSON. Each test changes what it needs.

use artifact_token_operator::api;
use serde_json::{Value, json};

/// How long a quick *generate* may take. Its deadline and its settling follow from this.
const QUICK_GENERATE: &str = "2s";

/// A token in the Secret `NAME-secret`, without rotation by age; `change` gets its spec.
pub fn artifact_token(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut spec = json!({
        "serviceRef": {"name": "reference"},
        "rotation": {"policy": "Disabled"},
        "secret": {"name": format!("{name}-secret"), "data": [{"key": "token", "format": "Raw"}]},
    });
    change(&mut spec);
    object("ArtifactToken", name, &spec)
}

/// The reference service at `url`; `change` gets its spec.
pub fn token_service(name: &str, url: &str, change: impl FnOnce(&mut Value)) -> String {
    service("TokenService", name, url, change)
}

/// The same for the whole cluster. It allows no namespace yet.
pub fn cluster_token_service(name: &str, url: &str, change: impl FnOnce(&mut Value)) -> String {
    service("ClusterTokenService", name, url, change)
}

fn service(kind: &str, name: &str, url: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut spec = json!({
        "preset": "Reference",
        "baseURL": url,
        "connection": {"insecureHTTP": true, "timeout": "2s"},
        "credentials": {"adminKey": {"name": "reference-admin", "key": "key"}},
        "naming": {"prefix": "test"},
        "limits": {"requestsPerMinute": 6000},
        "constraints": {"minimumInterval": "10s"},
    });
    change(&mut spec);
    object(kind, name, &spec)
}

fn object(kind: &str, name: &str, spec: &Value) -> String {
    let version = format!("{}/v1alpha1", api::GROUP);
    // Every JSON text is YAML, too.
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}).to_string()
}

/// The operations of the preset `Reference`, for services that declare one of them differently.
pub fn reference_operations() -> Value {
    let preset: Value =
        serde_saphyr::from_str(include_str!("../../../src/service/presets/Reference.yaml")).expect("YAML");
    preset["operations"].clone()
}

/// *Generate* of the preset with a short time-out, so that a lost answer is settled within seconds.
pub fn quick_generate() -> Value {
    let mut generate = reference_operations()["generate"].clone();
    generate["timeout"] = json!(QUICK_GENERATE);
    generate
}

/// A service object of Seal, as the reference service at this address plays it.
pub fn seal_service(base_url: &str) -> String {
    let service = json!({
        "apiVersion": "artifact-token.dev/v1alpha1", "kind": "TokenService", "metadata": {"name": "seal"},
        "spec": {
            "preset": "Seal", "baseURL": format!("{base_url}/seal/authorization"),
            "connection": {"insecureHTTP": true, "timeout": "2s"}, "variables": {"project": "payments"},
            "limits": {"requestsPerMinute": 6000}, "constraints": {"minimumInterval": "10s"},
        },
    });
    service.to_string()
}
