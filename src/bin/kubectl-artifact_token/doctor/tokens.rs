//! The objects: services that cannot be used, and tokens that do not work.

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::token_service::TokenService;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

use super::Finding;

/// So many objects with a trouble are named.
const NAMED: usize = 20;

/// Looks at the objects of a namespace, or of all.
pub(super) async fn look(client: &Client, namespace: Option<&str>) -> Vec<Finding> {
    let all = ListParams::default();
    let mut findings = Vec::new();
    match Api::<ClusterTokenService>::all(client.clone()).list(&all).await {
        Ok(list) => findings.extend(judge(
            "clustertokenservice",
            list.into_iter().map(|object| {
                let conditions = object.status.clone().unwrap_or_default().conditions;
                (object.name_any(), conditions)
            }),
        )),
        Err(error) => findings.push(Finding::unseen("ClusterTokenServices", &error)),
    }
    let services: Api<TokenService> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    match services.list(&all).await {
        Ok(list) => findings.extend(judge(
            "tokenservice",
            list.into_iter().map(|object| {
                let conditions = object.status.clone().unwrap_or_default().conditions;
                (format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any()), conditions)
            }),
        )),
        Err(error) => findings.push(Finding::unseen("TokenServices", &error)),
    }
    let tokens: Api<ArtifactToken> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    match tokens.list(&all).await {
        Ok(list) => findings.extend(judge(
            "artifacttoken",
            list.into_iter().map(|object| {
                let conditions = object.status.clone().unwrap_or_default().conditions;
                (format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any()), conditions)
            }),
        )),
        Err(error) => findings.push(Finding::unseen("ArtifactTokens", &error)),
    }
    findings
}

/// One line for all that are well, and one for each of the others.
fn judge(kind: &str, objects: impl Iterator<Item = (String, Vec<Condition>)>) -> Vec<Finding> {
    let (mut all, mut troubles) = (0, Vec::new());
    for (name, conditions) in objects {
        all += 1;
        troubles.extend(trouble(kind, &name, &conditions));
    }
    let well = all - troubles.len();
    let mut findings = vec![Finding::good(format!("{kind}s: {well} of {all} are well"))];
    let more = troubles.len().saturating_sub(NAMED);
    findings.extend(troubles.into_iter().take(NAMED));
    if more > 0 {
        findings.push(Finding::bad(format!("{more} more {kind}s are not well"), "see kubectl get artifact-tokens -A"));
    }
    findings
}

fn trouble(kind: &str, name: &str, conditions: &[Condition]) -> Option<Finding> {
    let is = |condition: &&Condition, type_, status| condition.type_ == type_ && condition.status == status;
    let stalled = conditions.iter().find(|condition| is(condition, ConditionType::Stalled, ConditionStatus::True));
    let ready = conditions.iter().find(|condition| condition.type_ == ConditionType::Ready);
    if ready.is_some_and(|ready| ready.status == ConditionStatus::True) && stalled.is_none() {
        return None;
    }
    let Some(told) = stalled.or(ready) else {
        return Some(Finding::bad(
            format!("{kind}/{name}: no operator has looked at it"),
            "does one watch this namespace?",
        ));
    };
    Some(Finding::bad(format!("{kind}/{name}: {} ({})", told.type_.name(), told.reason), told.message.clone()))
}
