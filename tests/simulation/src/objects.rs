//! The objects of a life, and where they are.

use artifact_token_operator::api::token_service::Preset;
use serde_json::{Value, json};

use crate::api_server::ApiServer;
use crate::layout::{Layout, Site};

/// The namespace of everything, or of all that is first.
pub const NAMESPACE: &str = "team";
/// The namespace of each second object, where there is one.
pub const NEIGHBOURS: &str = "labs";
/// The operator's own namespace.
pub const OPERATORS: &str = "operators";
/// What paths of our kinds begin with.
pub const GROUP: &str = "/apis/artifact-token.dev/v1alpha1";
/// The service object.
pub const SERVICE: &str = "one";
/// The Lease of the election.
pub const LEASE: &str = "the-lease";
/// The host of the service.
pub const HOST: &str = "one.sim";
/// The Secret with the operator's credential.
pub const CREDENTIAL: &str = "admin";
/// The credential's value.
pub const KEY: &str = "admin-key";
/// The credential of another account at the same service.
pub const OTHER_KEY: &str = "other-key";
/// The uid of an object that is gone.
pub const FORMER: &str = "00000000-0000-4000-9000-000000000000";
/// A namespace of others.
pub const ABROAD: &str = "abroad";
/// What each token begins with, and nothing else does.
pub const VALUE: &str = "value-";
/// What names of tokens begin with.
pub const PREFIX: &str = "sim";

/// The path of the Lease, or of all Leases.
pub fn lease_path(name: &str) -> String {
    let all = format!("/apis/coordination.k8s.io/v1/namespaces/{OPERATORS}/leases");
    if name.is_empty() { all } else { format!("{all}/{name}") }
}

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
    let own = name.strip_prefix('t')?;
    ["-token", "-hand-over", "-artifact-token-previous"]
        .iter()
        .fold(own, |own, end| own.trim_end_matches(end))
        .parse()
        .ok()
}

/// The name of the Secret with which a person hands over a token.
pub fn offer_of(index: usize) -> String {
    format!("t{index}-hand-over")
}

/// The name of the Secret that keeps the values of superseded tokens.
pub fn companion_of(index: usize) -> String {
    format!("t{index}-artifact-token-previous")
}

/// The path of a kind of ours in a namespace, or of one object of it.
pub fn path(namespace: &str, plural: &str, name: &str) -> String {
    format!("{GROUP}/namespaces/{namespace}/{plural}/{name}").trim_end_matches('/').to_owned()
}

/// The path of a Secret, or of all.
pub fn secrets_path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets/{name}").trim_end_matches('/').to_owned()
}

/// The Secret with the operator's credential.
pub fn credential(site: Site) -> Value {
    json!({"metadata": {"name": CREDENTIAL}, "stringData": {"key": site.key}})
}

/// What a service can do beside the necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// It has a list.
    pub lists: bool,
    /// Its tokens have names.
    pub names: bool,
    /// Its tokens are made by a person: it has no operation but *verify*.
    pub by_hand: bool,
}

impl Abilities {
    /// The preset has both.
    pub const ALL: Self = Self { lists: true, names: true, by_hand: false };
    /// A person does all but *verify*.
    pub const BY_HAND: Self = Self { lists: false, names: false, by_hand: true };

    /// Whether a token can be found of which nobody knows: in a list, by its name.
    pub fn finds(self) -> bool {
        self.lists && self.names
    }
}

/// The service object: of the preset, or declared by itself with all of that but what it lacks.
pub fn service(site: Site, per_minute: u32, has: Abilities) -> Value {
    let mut service = json!({
        "metadata": {"name": SERVICE},
        "spec": {
            "preset": "Reference", "baseURL": format!("http://{}", site.host), "connection": {"insecureHTTP": true},
            "credentials": {"adminKey": {"name": CREDENTIAL, "key": "key"}},
            "naming": {"prefix": PREFIX},
            "limits": {"requestsPerMinute": per_minute},
        },
    });
    if site.kind == "ClusterTokenService" {
        let names = Layout::Shared.namespaces();
        service["spec"]["allowedNamespaces"] = json!({"from": "Names", "names": names});
    }
    if has == Abilities::ALL {
        return service;
    }
    let text = Preset::Reference.file().expect("it has a file");
    let mut preset: Value = serde_saphyr::from_str(text).expect("it is YAML");
    let operations = &mut preset["operations"];
    if !has.names {
        operations["naming"] = json!({"unsupported": true});
        let body = "{\"note\": {{ displayName }}, \"lifetimeSeconds\": {{ lifetimeSeconds }}, \"scopes\": {{ parameters.scopes or [] }}}";
        operations["generate"]["request"]["json"] = json!(body);
        operations["list"]["item"].as_object_mut().map(|item| item.remove("name"));
    }
    if !has.lists {
        operations.as_object_mut().map(|operations| operations.remove("list"));
    }
    if has.by_hand {
        let all = operations.as_object_mut().expect("the operations");
        all.retain(|name, _| ["verify", "lifetime", "parameters"].contains(&name.as_str()));
    }
    service["spec"]["preset"] = json!("Custom");
    service["spec"]["operations"] = operations.take();
    service
}

/// When a rotation is due, as a spec or a patch of one.
pub fn rotation(hours: u32) -> Value {
    match hours {
        0 => json!({"policy": "Disabled", "interval": null}),
        hours => json!({"policy": "Periodic", "interval": format!("{hours}h")}),
    }
}

/// A lifetime, as a spec has it.
pub fn lifetime(hours: u32) -> String {
    if hours == 0 { "Never".to_owned() } else { format!("{hours}h") }
}

/// Makes the service object again if it is gone, or would go if nothing held it.
pub fn make_service_again(server: &ApiServer, site: Site, object: &Value) {
    let (plural, namespace) = site.place();
    let found = server.get(plural, namespace, SERVICE);
    if found.as_ref().is_some_and(|there| there["metadata"]["deletionTimestamp"].is_null()) {
        return;
    }
    if found.is_some() {
        let _ = server.act("PATCH", &site.path(), &json!({"metadata": {"finalizers": null}}));
    }
    let _ = server.act("POST", &site.all(), object);
}

/// An object whose token is rotated each `hours`, or only on request with 0. It lives for `life_hours`, or for ever with 0.
pub fn token(index: usize, site: Site, hours: u32, life_hours: u32, overlap_seconds: u32) -> Value {
    let mut rotation = rotation(hours);
    rotation["overlap"] = json!(format!("{overlap_seconds}s"));
    json!({
        "metadata": {"name": name_of(index)},
        "spec": {
            "serviceRef": {"kind": site.kind, "name": SERVICE},
            "rotation": rotation,
            "lifetime": lifetime(life_hours),
            "secret": {"name": secret_of(index), "data": [{"key": "token", "format": "Raw"}]},
        },
    })
}
