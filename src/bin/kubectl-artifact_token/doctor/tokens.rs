//! The objects: services that cannot be used, and tokens that do not work.

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::token_service::TokenService;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, ListParams};
use kube::{Client, Resource};

use super::Finding;

/// So many objects with a trouble are named.
const NAMED: usize = 20;

/// Looks at the objects of a namespace, or of all.
pub(super) async fn look(client: &Client, namespace: Option<&str>) -> Vec<Finding> {
    let shared = Api::<ClusterTokenService>::all(client.clone()).list(&ListParams::default()).await;
    let shared = shared.map(|list| {
        let conditions = |object: &ClusterTokenService| object.status.clone().unwrap_or_default().conditions;
        list.iter().map(|object| Object::new(object, conditions(object))).collect()
    });
    let services = scoped::<TokenService>(client, namespace).list(&ListParams::default()).await.map(|list| {
        let conditions = |object: &TokenService| object.status.clone().unwrap_or_default().conditions;
        list.iter().map(|object| Object::new(object, conditions(object))).collect()
    });
    let tokens = scoped::<ArtifactToken>(client, namespace).list(&ListParams::default()).await.map(|list| {
        let conditions = |object: &ArtifactToken| object.status.clone().unwrap_or_default().conditions;
        list.iter().map(|object| Object::new(object, conditions(object))).collect()
    });
    let kinds = [("clustertokenservice", shared), ("tokenservice", services), ("artifacttoken", tokens)];
    kinds.into_iter().flat_map(|(kind, objects)| judge(kind, objects)).collect()
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

/// What is looked at of an object.
struct Object {
    name: String,
    deleting: bool,
    conditions: Vec<Condition>,
}

impl Object {
    fn new(object: &impl Resource, conditions: Vec<Condition>) -> Self {
        let meta = object.meta();
        let namespace = meta.namespace.as_deref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let name = format!("{namespace}{}", meta.name.as_deref().unwrap_or_default());
        Self { name, deleting: meta.deletion_timestamp.is_some(), conditions }
    }
}

/// One line for all that are well, and one for each of the others.
fn judge(kind: &str, objects: kube::Result<Vec<Object>>) -> Vec<Finding> {
    let objects = match objects {
        Ok(objects) => objects,
        Err(error) => return vec![Finding::unseen(&format!("{kind}s"), &error)],
    };
    let mut troubles: Vec<Finding> = objects.iter().filter_map(|object| trouble(kind, object)).collect();
    troubles.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    let mut findings =
        vec![Finding::good(format!("{kind}s: {} of {} are well", objects.len() - troubles.len(), objects.len()))];
    let more = troubles.len().saturating_sub(NAMED);
    findings.extend(troubles.into_iter().take(NAMED));
    if more > 0 {
        findings.push(Finding::bad(format!("{more} more {kind}s are not well"), "see kubectl get artifact-tokens -A"));
    }
    findings
}

/// What is wrong with it: what it says itself, the worst first.
fn trouble(kind: &str, Object { name, deleting, conditions }: &Object) -> Option<Finding> {
    let holds =
        |type_| conditions.iter().find(move |found| found.type_ == type_ && found.status == ConditionStatus::True);
    let ready = conditions.iter().find(|condition| condition.type_ == ConditionType::Ready);
    let not_ready = ready.filter(|ready| ready.status == ConditionStatus::False);
    let pending = holds(ConditionType::RevocationPending);
    let failed = pending.filter(|pending| pending.reason == Reason::RevocationFailed);
    let bad = holds(ConditionType::Stalled).or(not_ready).or(failed).or(holds(ConditionType::RotationFailed));
    let by_hand = pending.filter(|pending| pending.reason == Reason::RevokeByHand);
    let doubtful = ready.filter(|ready| ready.status == ConditionStatus::Unknown);
    let doubtful =
        doubtful.or(by_hand).or(holds(ConditionType::HandOverDue)).or(holds(ConditionType::VerificationUnclear));
    let tell = |found: &Condition| {
        (format!("{kind}/{name}: {} ({})", found.type_.name(), found.reason), found.message.clone())
    };
    match (bad, doubtful) {
        (Some(found), _) if *deleting => {
            let (what, advice) = tell(found);
            Some(Finding::doubtful(format!("{what}; it is being deleted"), advice))
        }
        (Some(found), _) => {
            let (what, advice) = tell(found);
            Some(Finding::bad(what, advice))
        }
        (None, Some(found)) => {
            let (what, advice) = tell(found);
            Some(Finding::doubtful(what, advice))
        }
        (None, None) if ready.is_none() => {
            Some(Finding::bad(format!("{kind}/{name}: no operator has looked at it"), "does one watch this namespace?"))
        }
        (None, None) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_ready_token_whose_old_one_does_not_die_is_not_well() {
        let of = |type_: &str, status: &str, reason: &str| {
            let condition = json!({"type": type_, "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-12-01T00:00:00Z"});
            serde_json::from_value::<Condition>(condition).unwrap()
        };
        let verdict = |conditions: Vec<Condition>, deleting: bool| {
            trouble("artifacttoken", &Object { name: "a".to_owned(), deleting, conditions }).map(|found| found.verdict)
        };
        let ready = || of("Ready", "True", "TokenValid");
        assert_eq!(verdict(vec![ready()], false), None);
        assert_eq!(verdict(vec![ready(), of("RevocationPending", "True", "OverlapActive")], false), None);
        assert_eq!(
            verdict(vec![ready(), of("RevocationPending", "True", "RevocationFailed")], false),
            Some(Verdict::Bad)
        );
        assert_eq!(
            verdict(vec![ready(), of("RotationFailed", "True", "TokenGenerationFailed")], false),
            Some(Verdict::Bad)
        );
        assert_eq!(
            verdict(vec![ready(), of("RevocationPending", "True", "RevokeByHand")], false),
            Some(Verdict::Doubtful)
        );
        assert_eq!(verdict(vec![of("Ready", "Unknown", "RefusalUnconfirmed")], false), Some(Verdict::Doubtful));
        assert_eq!(verdict(vec![of("Ready", "False", "Deleting")], true), Some(Verdict::Doubtful));
        assert_eq!(verdict(Vec::new(), false), Some(Verdict::Bad));
    }
}
