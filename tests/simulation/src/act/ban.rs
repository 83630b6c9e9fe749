//! What a service object may forbid for a while.

use serde_json::{Value, json};

use crate::layout::{Layout, Site};
use crate::objects;

/// What it forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ban {
    /// Any new token: `spec.suspend`.
    Tokens,
    /// Tokens with scopes, and rotations each hour: `spec.constraints`.
    Constraints,
    /// The second namespace, where the service is one of the cluster; else like `Tokens`.
    Namespace,
}

/// All of them.
pub const BANS: [Ban; 3] = [Ban::Tokens, Ban::Constraints, Ban::Namespace];

impl Ban {
    /// What a service object says with these bans, as a patch of its spec.
    pub fn spec(site: Site, bans: &[Ban]) -> Value {
        let shared = site.kind == "ClusterTokenService";
        let has = |ban: Ban| bans.contains(&ban);
        let constraints = json!({"parameters": {"scopes": []}, "minimumInterval": "2h"});
        let none = json!({"parameters": null, "minimumInterval": "1h"});
        let mut spec = json!({
            "suspend": has(Ban::Tokens) || (has(Ban::Namespace) && !shared),
            "constraints": if has(Ban::Constraints) { constraints } else { none },
        });
        if shared {
            let only = [objects::NAMESPACE];
            let names = if has(Ban::Namespace) { &only } else { Layout::Shared.namespaces() };
            spec["allowedNamespaces"] = json!({"names": names});
        }
        spec
    }

    /// Why a token may not be asked for, as its object and its service object stand there.
    pub fn found(object: &Value, service: &Value) -> Option<&'static str> {
        let spec = &service["spec"];
        let names = spec["allowedNamespaces"]["names"].as_array();
        let allowed = names.is_none_or(|names| names.contains(&object["metadata"]["namespace"]));
        let scopes = spec["constraints"]["parameters"]["scopes"].is_array();
        let with_scopes = object["spec"]["parameters"]["scopes"][0].is_string();
        let hourly = spec["constraints"]["minimumInterval"] == "2h" && object["spec"]["rotation"]["interval"] == "1h";
        match () {
            () if object["spec"]["suspend"] == true => Some("the object is suspended"),
            () if spec["suspend"] == true => Some("the service object is suspended"),
            () if !allowed => Some("the namespace is not allowed"),
            () if scopes && with_scopes => Some("no scopes are allowed"),
            () if hourly => Some("a rotation each hour is not allowed"),
            () => None,
        }
    }
}
