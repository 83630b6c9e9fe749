//! A whole life of tokens with the operator under the chart's account: what it may do there, and whether it needs all of that.

use std::collections::BTreeSet;

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use support::acts::ledger;
use support::figures::figure;
use support::objects::{artifact_token, cluster_token_service, quick_generate, seal_service, token_service};
use support::{DEADLINE, World, attempt, credential_yaml, token_yaml};
use testbed::audit::Mark;
use testbed::control_plane::ADMIN;
use testbed::{cluster, poll};

use crate::release::{FULL_NAME, NAMESPACE, account, install, operator, own_plane, policies_act, quick_values, world};
use crate::rights::{Right, Scope, golden, granted, name};
use crate::tls;
use crate::uninstall::check;

const TOKENS: &str = "/seal/settings/tokens";

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_life_in_all_namespaces_needs_each_right_of_the_cluster_role_and_no_other() {
    let plane = own_plane().await;
    install(&plane, &crate::release::chart(), &quick_values());
    let world = world(plane, "life").await;
    policies_act(&world).await;
    let begin = world.plane.mark().await.unwrap();
    let operator = operator(&world).await;
    serve(&world).await;
    issue_rotate_and_leak(&world).await;
    sweep(&world).await;
    shared(&world).await;
    hand_over(&world).await;
    end(&world).await;
    drop(operator);
    let used = used(&world, begin, &[]).await;
    uses_what_is_granted(&world, Scope::Cluster, used, NAMESPACE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_life_in_listed_namespaces_needs_each_right_of_the_roles_and_no_other() {
    let plane = own_plane().await;
    let world = world(plane, "listed").await;
    let mut values = quick_values();
    values["rbac"] = json!({"scope": "Namespaces"});
    values["namespaces"] = json!([world.namespace]);
    install(&world.plane, &crate::release::chart(), &values);
    let operator = operator(&world).await;
    serve(&world).await;
    issue_rotate_and_leak(&world).await;
    hand_over(&world).await;
    // The account may list here alone, and that is where the check before an uninstall looks.
    let kubeconfig = world.plane.kubeconfig_of_account(NAMESPACE, FULL_NAME).await.unwrap();
    let arguments = [format!("--namespaces={}", world.namespace), "uninstall-check".to_owned()];
    assert_eq!(check(&kubeconfig, &arguments).status.code(), Some(3));
    end(&world).await;
    assert_eq!(check(&kubeconfig, &arguments).status.code(), Some(0));
    drop(operator);
    // Before a service object goes, the operator asks whether tokens of other namespaces need it. Here it may not know.
    let used = used(&world, Mark::START, &["artifacttokens"]).await;
    uses_what_is_granted(&world, Scope::Namespaces, used, &world.namespace).await;
}

/// What a life used is what the golden list has, and what the chart grants.
async fn uses_what_is_granted(world: &World, scope: Scope, used: BTreeSet<Right>, namespace: &str) {
    assert_eq!(used, golden(scope), "what a life uses is what the golden list has");
    let granted = granted(&world.client, scope, namespace).await;
    figure(&format!(
        "the chart's account with the scope {scope:?}: {} rights granted, {} used by a life",
        granted.len(),
        used.len()
    ));
    assert_eq!(granted, used, "and what the chart grants");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_election_and_without_watching_secrets_the_account_needs_a_lease_and_no_list_of_secrets() {
    let plane = own_plane().await;
    let mut values = quick_values();
    values["leaderElection"] = json!({"enabled": true});
    values["secretWatch"] = json!(false);
    values["secretReread"] = json!("2s");
    install(&plane, &crate::release::chart(), &values);
    let world = world(plane, "elected").await;
    policies_act(&world).await;
    let begin = world.plane.mark().await.unwrap();
    let mut operator = operator(&world).await;
    serve(&world).await;
    issue_rotate_and_leak(&world).await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    gone(&world.services(), "reference").await;
    // A life may be over before the Lease is renewed for the first time. It is given back at the end.
    operator.stop(DEADLINE).await.unwrap();
    let right = |resource: &str, verb: &str| (resource.to_owned(), verb.to_owned());
    let lease = |verb: &str| right("leases.coordination.k8s.io", verb);
    let used = used(&world, begin, &[]).await;
    for verb in ["create", "update", "list", "watch"] {
        assert!(used.contains(&lease(verb)), "{verb}: {used:?}");
    }
    let mut needed = golden(Scope::Cluster);
    for verb in ["list", "watch"] {
        assert!(needed.remove(&right("secrets", verb)));
    }
    // A review does not see rights on a single name.
    assert_eq!(granted(&world.client, Scope::Cluster, NAMESPACE).await, needed, "what the chart grants everywhere");
    let more: Vec<_> = used.difference(&needed).filter(|(resource, _)| !resource.starts_with("leases.")).collect();
    assert!(more.is_empty(), "used on top: {more:?}");
}

/// The service, behind TLS with an authority of its own, and a service of Seal beside it, which is checked, too.
async fn serve(world: &World) {
    let front = tls::front(world.service.base_url().replace("http://", "")).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    let bundle = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority"}, "data": {"ca.crt": front.authority},
    });
    world.apply(&bundle.to_string()).await;
    let service = token_service("reference", &front.url, |spec| {
        spec["operations"] = json!({"generate": quick_generate()});
        spec["connection"] = json!({"timeout": "5s", "caBundleRef": {"name": "authority", "key": "ca.crt"}});
        spec["sweep"] = json!({"interval": "10s", "policy": "Revoke"});
    });
    world.apply(&service).await;
    world.until_service("reference", ConditionType::Ready, Reason::CredentialsAccepted).await;
}

async fn issue_rotate_and_leak(world: &World) {
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    world.until_event("ci", "TokenIssued").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    // Somebody edits the Secret: it is repaired.
    world.patch_secret("ci-secret", json!({"metadata": {"labels": {"artifact-token.dev/managed": null}}})).await;
    let managed = |secret: &k8s_openapi::api::core::v1::Secret| {
        secret.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key("artifact-token.dev/managed"))
    };
    world.until_secret("ci-secret", "the label is back", managed).await;
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    world.patch("ci", json!({"spec": {"rotation": {"revokeIssuedBefore": now}}})).await;
    let replaced = |token: &ArtifactToken| ledger(token).leak.is_some_and(|leak| leak.replaced_time.is_some());
    world.until("ci", "the leaked token is replaced", |token| attempt(token) == 3 && replaced(token)).await;
    world.agrees("ci", "ci-secret").await;
}

/// A token of an object that is gone is found and revoked, which takes two sweeps.
async fn sweep(world: &World) {
    let (id, _) = world.generate_as("test.aaaaaaaaaaaaaaaa.3.bbbbbbbb gone").await;
    world.until_live("the orphan is revoked", |live| live.iter().all(|row| row.id != id)).await;
}

/// A service that namespaces with a label share.
async fn shared(world: &World) {
    cluster::apply(&world.client, &credential_yaml(world.service.admin_key()), NAMESPACE).await.unwrap();
    let service = cluster_token_service("shared", &world.service.base_url(), |spec| {
        spec["operations"] = json!({"generate": quick_generate()});
        spec["allowedNamespaces"] = json!({"from": "Selector", "selector": {"matchLabels": {"tokens": "yes"}}});
    });
    world.apply(&service).await;
    let token = artifact_token("shared", |spec| {
        spec["serviceRef"] = json!({"kind": "ClusterTokenService", "name": "shared"});
    });
    world.apply(&token).await;
    world.until_reason("shared", ConditionType::Stalled, Reason::NamespaceNotAllowed).await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let label = Patch::Merge(json!({"metadata": {"labels": {"tokens": "yes"}}}));
    namespaces.patch(&world.namespace, &PatchParams::default(), &label).await.unwrap();
    world.until_ready("shared").await;
    world.delete("shared").await;
    world.until_gone("shared").await;
    gone(&Api::<ClusterTokenService>::all(world.client.clone()), "shared").await;
}

/// At a service without an API for tokens a person makes two, hands them over, and revokes them.
async fn hand_over(world: &World) {
    world.apply(&seal_service(&world.service.base_url())).await;
    let token = artifact_token("hand", |spec| {
        spec["serviceRef"] = json!({"name": "seal"});
        spec["parameters"] = json!({"type": "Production"});
    });
    world.apply(&token).await;
    world.until_reason("hand", ConditionType::HandOverDue, Reason::HandOverDue).await;
    let first = hands_over(world).await;
    world.until_attempt("hand", 1).await;
    world.annotate("hand", ROTATE_REQUESTED_AT, "1").await;
    world.until_reason("hand", ConditionType::HandOverDue, Reason::HandOverDue).await;
    let second = hands_over(world).await;
    world.until_attempt("hand", 2).await;
    world.until_reason("hand", ConditionType::RevocationPending, Reason::RevokeByHand).await;
    world.revoke_by_person(&first).await;
    world.until_absent("hand-artifact-token-previous").await;
    world.delete("hand").await;
    world.until_reason("hand", ConditionType::RevocationPending, Reason::RevokeByHand).await;
    world.revoke_by_person(&second).await;
    world.until_gone("hand").await;
}

/// Makes a token in the pages, hands it over and returns its id.
async fn hands_over(world: &World) -> String {
    let value = world.service.make_by_hand(TOKENS, "name=hand&type=Production&expiry=Never").await.unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "hand-hand-over", "labels": {"artifact-token.dev/hand-over": "hand"}},
        "stringData": {"token": value},
    });
    world.apply(&secret.to_string()).await;
    world.made().await.last().expect("just made").id.clone()
}

/// Everything is deleted; nothing is left at the service.
async fn end(world: &World) {
    world.delete("ci").await;
    world.until_gone("ci").await;
    for name in ["reference", "seal"] {
        gone(&world.services(), name).await;
    }
    assert!(world.service.live().await.unwrap().is_empty());
    assert!(world.secret("ci-secret").await.is_none() && world.secret("hand-secret").await.is_none());
}

/// Deletes an object and waits until it is gone.
async fn gone<K>(api: &Api<K>, name: &str)
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    api.delete(name, &DeleteParams::default()).await.unwrap();
    let look = || async {
        match api.get_opt(name).await.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(object) => Err(format!("still there: {object:#?}")),
        }
    };
    poll(&format!("{name} is gone"), DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

/// The rights that the operator's account used since then. Nothing was refused to it, but for cluster-wide reads of `may_ask`.
async fn used(world: &World, since: Mark, may_ask: &[&str]) -> BTreeSet<Right> {
    let account = account();
    let entries = world.plane.audit_since(since).await.unwrap();
    assert!(entries.iter().any(|entry| entry.user == ADMIN), "the log has what people did, too");
    let mut used = BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry.user == account) {
        let asks = entry.namespace.is_empty() && may_ask.contains(&entry.resource.as_str());
        if entry.code == 403 && asks {
            continue;
        }
        assert_ne!(entry.code, 403, "refused: {entry:#?}");
        if !entry.resource.is_empty() {
            used.insert((name(&entry.group, &entry.resource, &entry.subresource), entry.verb.clone()));
        }
    }
    used
}
