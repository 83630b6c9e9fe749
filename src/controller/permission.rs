//! Whether a namespace may have new tokens of a shared service.

use std::collections::BTreeMap;

use kube::core::{Selector, SelectorExt};

use crate::api::cluster_token_service::{AllowedFrom, AllowedNamespaces};
use crate::api::reason::Reason;
use crate::controller::registry::ServiceEntry;
use crate::rotation::desired::Halt;

/// Why `namespace` may not have new tokens of `service`; `None` if it may. Unknown labels count as a no.
pub(crate) fn forbidden(
    service: &ServiceEntry,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> Option<Halt> {
    // A TokenService can only be reached from its own namespace.
    let allowed = service.allowed.as_ref()?;
    let what = &service.key;
    let stalled = |why: String| Some(Halt::stalled(Reason::NamespaceNotAllowed, why));
    match allowed.from {
        AllowedFrom::All => None,
        AllowedFrom::None => stalled(format!(
            "the {what} allows no namespace: its spec.allowedNamespaces must name {namespace}, or use another service"
        )),
        AllowedFrom::Names if allowed.names.iter().flatten().any(|name| name == namespace) => None,
        AllowedFrom::Names => stalled(format!(
            "the {what} does not allow the namespace {namespace}: add it to its spec.allowedNamespaces.names, or use \
             another service"
        )),
        AllowedFrom::Selector => match labels {
            None => Some(Halt::passing(
                Reason::NamespaceNotAllowed,
                format!(
                    "whether the {what} allows the namespace {namespace} is not known yet: its labels are being read"
                ),
            )),
            Some(labels) if selects(allowed, labels) => None,
            Some(_) => stalled(format!(
                "the {what} does not allow the namespace {namespace}: give the namespace the labels that its \
                 spec.allowedNamespaces.selector asks for, or use another service"
            )),
        },
    }
}

/// A selector that is missing, empty or unreadable selects nothing: the API server rejects all of these.
fn selects(allowed: &AllowedNamespaces, labels: &BTreeMap<String, String>) -> bool {
    let selector = allowed.selector.clone().and_then(|selector| Selector::try_from(selector).ok());
    selector.is_some_and(|selector| !selector.selects_all() && selector.matches(labels))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The selector's JSON, and the labels of a namespace.
    fn selected(selector: Value, labels: &[(&str, &str)]) -> bool {
        let allowed = serde_json::from_value(json!({"from": "Selector", "selector": selector})).unwrap();
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        selects(&allowed, &labels)
    }

    #[test]
    fn a_selector_selects_as_kubernetes_does() {
        let (ci, qa) = ([("team", "ci")], [("team", "qa"), ("stage", "prod")]);
        let expression = |operator: &str, values: Value| {
            let mut expression = json!({"key": "team", "operator": operator});
            if !values.is_null() {
                expression["values"] = values;
            }
            json!({"matchExpressions": [expression]})
        };
        for (selector, of_ci, of_qa, of_none) in [
            (json!({"matchLabels": {"team": "ci"}}), true, false, false),
            (json!({"matchLabels": {"team": "qa", "stage": "prod"}}), false, true, false),
            (expression("In", json!(["ci", "x"])), true, false, false),
            (expression("NotIn", json!(["ci", "x"])), false, true, true),
            (expression("Exists", Value::Null), true, true, false),
            (expression("DoesNotExist", Value::Null), false, false, true),
        ] {
            let found =
                (selected(selector.clone(), &ci), selected(selector.clone(), &qa), selected(selector.clone(), &[]));
            assert_eq!(found, (of_ci, of_qa, of_none), "{selector}");
        }
    }

    #[test]
    fn what_the_api_server_would_not_take_selects_nothing() {
        let unreadable = json!({"matchExpressions": [{"key": "team", "operator": "Near"}]});
        for selector in [Value::Null, json!({}), json!({"matchLabels": {}}), unreadable] {
            assert!(!selected(selector.clone(), &[("team", "ci")]), "{selector}");
        }
    }
}
