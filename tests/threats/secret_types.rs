//! Kubernetes fills a Secret of type `kubernetes.io/service-account-token` that has the right annotation with a token of that
//! ServiceAccount. An attacker who can make an operator create one becomes any account of the namespace.

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use support::objects::artifact_token;
use support::token_yaml;

const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT: &str = "kubernetes.io/service-account.name";

/// CVE-2026-42876 (External Secrets): the template of a Secret took any type and any annotation.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_that_kubernetes_fills_can_be_asked_for() {
    let world = crate::bare("types").await;
    for type_ in [
        TYPE,
        "bootstrap.kubernetes.io/token",
        "kubernetes.io/tls",
        "kubernetes.io/ssh-auth",
        "kubernetes.io/dockercfg",
        "example.org/own",
        "helm.sh/release.v1",
        " kubernetes.io/service-account-token",
        "",
    ] {
        let refused = world.refused(&artifact_token("ci", |spec| spec["secret"]["type"] = json!(type_))).await;
        assert!(refused.contains("spec.secret.type") && refused.contains("Unsupported value"), "{type_}: {refused}");
    }
    for key in
        [ACCOUNT, "kubernetes.io/service-account.uid", "a.kubernetes.io/x", "x.k8s.io/y", "artifact-token.dev/owner"]
    {
        for place in ["annotations", "labels"] {
            let yaml = artifact_token("ci", |spec| spec["secret"][place] = json!({key: "default"}));
            let refused = world.refused(&yaml).await;
            assert!(refused.contains("are reserved"), "{place} {key}: {refused}");
        }
    }
    // The type is immutable, so nobody can change it later.
    world.apply(&token_yaml("ci")).await;
    for patch in [
        json!({"spec": {"secret": {"type": TYPE}}}),
        json!({"spec": {"secret": {"annotations": {ACCOUNT: "default"}}}}),
    ] {
        let changed = world.tokens().patch("ci", &PatchParams::default(), &Patch::Merge(patch.clone())).await;
        assert!(changed.is_err(), "{patch}");
    }
}

/// CVE-2026-42876, from the other side: the Secret exists before the object, with that type and the operator's own marks, so that
/// the operator might take it for its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_that_type_is_never_taken_over_whatever_its_marks_say() {
    let world = crate::quick("taken").await;
    for (name, uid) in [("own", None), ("former", Some("6a1f3c1e-0000-4000-8000-000000000000"))] {
        world.apply(&token_yaml(name)).await;
        let uid = uid.map_or(world.token(name).await.uid().unwrap(), str::to_owned);
        world.apply(&planted(&world.namespace, name, &uid).to_string()).await;
    }
    let before = [world.secret("own-secret").await.unwrap(), world.secret("former-secret").await.unwrap()];
    let _operator = world.operator().await;
    for name in ["own", "former"] {
        let stalled = world.until_reason(name, ConditionType::Stalled, Reason::SecretConflict).await;
        assert!(stalled.message.contains(TYPE), "{}", stalled.message);
    }
    let after = [world.secret("own-secret").await.unwrap(), world.secret("former-secret").await.unwrap()];
    assert_eq!(after, before, "the planted Secrets changed");
    assert!(world.made().await.is_empty(), "no token was made");
}

/// A Secret that an attacker who may create Secrets plants under the name that the object wants.
fn planted(namespace: &str, name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": TYPE,
        "metadata": {
            "name": format!("{name}-secret"),
            "labels": {"artifact-token.dev/managed": "true"},
            "annotations": {
                ACCOUNT: "default",
                "artifact-token.dev/owner": format!("ArtifactToken/{namespace}/{name}/{uid}"),
                "artifact-token.dev/attempt": "1",
                "artifact-token.dev/fence": "1",
                "artifact-token.dev/token-id": "planted",
            },
        },
        "stringData": {"token": "planted"},
    })
}
