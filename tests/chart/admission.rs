//! The two admission policies: whom they stop, and that nobody else notices them. `life` runs with them on.

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use support::objects::{artifact_token, cluster_token_service, token_service};
use support::{World, credential_yaml, service_yaml, token_yaml};
use testbed::cluster;

use crate::release::{
    FULL_NAME, NAMESPACE, account, chart, install, operator, plane_with, policies_act, quick_values, world,
};

/// May write the objects of this project, and neither read nor write Secrets.
const AUTHOR: &str = "author";
/// May do so, and create Secrets.
const WRITER: &str = "writer";
/// May do so, and read Secrets.
const READER: &str = "reader";

/// A release with the policies on, with people of different rights.
async fn released(prefix: &str) -> World {
    let plane = plane_with(&[AUTHOR, WRITER, READER]).await;
    install(&plane, &chart(), &quick_values());
    let world = world(plane, prefix).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    for (user, verb) in [(AUTHOR, ""), (WRITER, "create"), (READER, "get")] {
        let everything = json!({"apiGroups": ["artifact-token.dev"], "resources": ["*"], "verbs": ["*"]});
        let secrets = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": [verb]});
        let rules = if verb.is_empty() { vec![everything] } else { vec![everything, secrets] };
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": rules,
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": user},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        });
        for object in [role, binding] {
            cluster::apply(&world.client, &object.to_string(), "default").await.unwrap();
        }
    }
    policies_act(&world).await;
    world
}

/// Applies as `user`, and returns the refusal, or nothing.
async fn refusal(world: &World, user: &str, yaml: &str) -> String {
    let client = world.plane.client_for(user).await.unwrap();
    cluster::apply(&client, yaml, &world.namespace).await.err().map_or_else(String::new, |error| format!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_a_secret_has_none_written_and_who_may_not_read_one_has_none_read() {
    let world = released("authors").await;
    let url = world.service.base_url();
    let token = |overlap: &str| artifact_token("ci", |spec| spec["rotation"]["overlap"] = json!(overlap));
    let service = |prefix: &str| token_service("reference", &url, |spec| spec["naming"]["prefix"] = json!(prefix));
    let wide = cluster_token_service("wide", &url, |_| {});
    for user in [AUTHOR, READER] {
        let told = refusal(&world, user, &token("1h")).await;
        let words = format!("{user} may not create Secrets in the namespace {}", world.namespace);
        assert!(told.contains(&words), "{told}");
    }
    for user in [AUTHOR, WRITER] {
        let told = refusal(&world, user, &service("test")).await;
        let words = format!("{user} may not read Secrets in the namespace {}", world.namespace);
        assert!(told.contains(&words), "{told}");
        let told = refusal(&world, user, &wide).await;
        assert!(told.contains(&format!("{user} may not read Secrets in the namespace {NAMESPACE}")), "{told}");
    }
    assert_eq!(refusal(&world, WRITER, &token("1h")).await, "");
    assert_eq!(refusal(&world, READER, &service("test")).await, "");
    assert_eq!(refusal(&world, READER, &wide).await, "");
    // An update is judged where it changes the spec, and only there.
    let told = refusal(&world, AUTHOR, &token("2h")).await;
    assert!(told.contains("may not create Secrets"), "{told}");
    let tokens: Api<ArtifactToken> = Api::namespaced(world.plane.client_for(AUTHOR).await.unwrap(), &world.namespace);
    let asks = Patch::Merge(json!({"metadata": {"annotations": {ROTATE_REQUESTED_AT: "1"}, "labels": {"a": "b"}}}));
    tokens.patch("ci", &PatchParams::default(), &asks).await.unwrap();
    tokens.delete("ci", &DeleteParams::default()).await.unwrap();
}

/// What the operator's account tries here it may do by its roles; the policy stops it.
#[tokio::test(flavor = "multi_thread")]
async fn the_operators_account_writes_nothing_but_what_is_its_own() {
    let world = released("account").await;
    let running = operator(&world).await;
    world.apply(&service_yaml("reference", &world.service.base_url())).await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    drop(running);
    // Where the roles would stop it first, too: the policy holds whatever they allow.
    let all = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": FULL_NAME, "namespace": NAMESPACE}],
    });
    cluster::apply(&world.client, &all.to_string(), "default").await.unwrap();
    let client = world.plane.client_for(&account()).await.unwrap();
    secrets(&world, &client).await;
    others(&world, &client).await;
}

async fn secrets(world: &World, account: &Client) {
    let secrets: Api<Secret> = Api::namespaced(account.clone(), &world.namespace);
    let owner = format!("ArtifactToken/{}/x/uid", world.namespace);
    let create = async |name: &str, label: Value, owner: &str| {
        let annotations = json!({"artifact-token.dev/owner": owner});
        let secret = json!({"metadata": {"name": name, "labels": label, "annotations": annotations}});
        let secret: Secret = serde_json::from_value(secret).unwrap();
        let created = secrets.create(&PostParams::default(), &secret).await;
        created.err().map_or_else(String::new, |error| error.to_string())
    };
    let managed = || json!({"artifact-token.dev/managed": "true"});
    let only = "the operator creates only Secrets of ArtifactTokens";
    for (label, owner) in [
        (json!({}), owner.as_str()),
        (managed(), ""),
        (managed(), "Deployment/a/b/c"),
        (managed(), "ArtifactToken/elsewhere/x/uid"),
        (json!({"artifact-token.dev/companion": "x"}), owner.as_str()),
    ] {
        let told = create("plain", label.clone(), owner).await;
        assert!(told.contains(only), "{label} {owner:?}: {told:?}");
    }
    assert_eq!(create("own", managed(), &owner).await, "");
    assert_eq!(create("x-artifact-token-previous", json!({"artifact-token.dev/companion": "x"}), &owner).await, "");
    // The credential is somebody else's. Its own Secret loses none of its marks.
    let patch = async |name: &str, patch: Value| {
        let patched = secrets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.err().map_or_else(String::new, |error| error.to_string())
    };
    let marks = json!({"labels": managed(), "annotations": {"artifact-token.dev/owner": owner}});
    for (name, change) in [
        ("reference-admin", json!({"stringData": {"key": "stolen"}})),
        ("reference-admin", json!({"metadata": marks})),
        ("ci-secret", json!({"metadata": {"annotations": {"artifact-token.dev/owner": null}}})),
        ("ci-secret", json!({"metadata": {"labels": {"artifact-token.dev/managed": null}}})),
        (
            "ci-secret",
            json!({"metadata": {"annotations": {"artifact-token.dev/owner": "ArtifactToken/elsewhere/x/y"}}}),
        ),
    ] {
        let told = patch(name, change.clone()).await;
        assert!(told.contains("the operator changes only Secrets with its own marks"), "{name} {change}: {told:?}");
    }
    assert_eq!(patch("ci-secret", json!({"metadata": {"labels": {"team": "ci"}}})).await, "");
    let offer = |label: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ci-hand-over", "labels": label}});
    let delete = async |name: &str| {
        let deleted = secrets.delete(name, &DeleteParams::default()).await;
        deleted.err().map_or_else(String::new, |error| error.to_string())
    };
    world.apply(&offer(json!({})).to_string()).await;
    for name in ["reference-admin", "ci-hand-over"] {
        let told = delete(name).await;
        assert!(told.contains("the operator deletes only Secrets with its own marks"), "{name}: {told:?}");
    }
    world.apply(&offer(json!({"artifact-token.dev/hand-over": "ci"})).to_string()).await;
    let told = patch("ci-hand-over", json!({"stringData": {"token": "x"}})).await;
    assert!(told.contains("the operator changes only Secrets"), "a hand-over Secret is deleted only: {told:?}");
    for name in ["ci-hand-over", "own", "x-artifact-token-previous", "ci-secret"] {
        assert_eq!(delete(name).await, "", "{name}");
    }
}

async fn others(world: &World, account: &Client) {
    let nothing_else = "the operator changes nothing but its finalizer and the status of its objects";
    let tokens: Api<ArtifactToken> = Api::namespaced(account.clone(), &world.namespace);
    for change in [
        json!({"spec": {"suspend": true}}),
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"metadata": {"annotations": {ROTATE_REQUESTED_AT: "1"}}}),
        json!({"metadata": {"finalizers": ["artifact-token.dev/revoke", "somebody.example/else"]}}),
    ] {
        let told = tokens.patch("ci", &PatchParams::default(), &Patch::Merge(&change)).await.unwrap_err().to_string();
        assert!(told.contains(nothing_else), "{change}: {told}");
    }
    let told = tokens.delete("ci", &DeleteParams::default()).await.unwrap_err().to_string();
    assert!(told.contains(nothing_else), "{told}");
    let finalizers = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    tokens.patch("ci", &PatchParams::default(), &finalizers).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(account.clone(), &world.namespace);
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap();
    let told = maps.create(&PostParams::default(), &map).await.unwrap_err().to_string();
    assert!(told.contains("the operator never writes configmaps"), "{told}");
    let role =
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "a"}, "rules": []});
    let told = format!("{:#}", cluster::apply(account, &role.to_string(), &world.namespace).await.unwrap_err());
    assert!(told.contains("the operator never writes roles.rbac.authorization.k8s.io"), "{told}");
    for (namespace, name, may) in
        [(NAMESPACE, FULL_NAME, true), (NAMESPACE, "other", false), ("default", FULL_NAME, false)]
    {
        let leases: Api<Lease> = Api::namespaced(account.clone(), namespace);
        let lease: Lease = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        let told = leases
            .create(&PostParams::default(), &lease)
            .await
            .err()
            .map_or_else(String::new, |error| error.to_string());
        assert_eq!(
            told.contains("the operator writes one Lease, in its own namespace"),
            !may,
            "{namespace}/{name}: {told:?}"
        );
    }
}
