//! Deletions that involve the rest of the cluster: a namespace with everything in it, or an object in the foreground. The real
//! controller manager runs, and deletes in its own order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use artifact_token_operator::api::artifact_token::SKIP_REVOCATION;
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, PropagationPolicy};
use support::{World, condition, credential_yaml, token_yaml};
use testbed::control_plane::Options;
use testbed::{Operator, poll};

/// The controller manager retries a namespace after growing pauses, and learns of new kinds every 30 s.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(240);
/// The operator has its own user, so that the audit log tells its deletions from those of others.
const OPERATOR: &str = "operator";

/// A world with a controller manager and the verified tokens `ci` and `qa`, and the value of `ci`.
async fn ready(prefix: &str) -> (World, Operator, String) {
    let options = Options::default().with_controller_manager().user(OPERATOR, &["system:masters"]);
    let world = World::with(prefix, options).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.serve(|_| {}).await;
    let kubeconfig = world.plane.kubeconfig_for(OPERATOR).unwrap();
    let operator = Operator::start(world.operator_options_as(kubeconfig)).await.unwrap();
    for name in ["ci", "qa"] {
        world.apply(&token_yaml(name)).await;
        world.until_ready(name).await;
    }
    let value = world.value("ci-secret", "token").await;
    (world, operator, value)
}

async fn delete_namespace(world: &World) {
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
}

async fn until_namespace_gone(world: &World) {
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let look = || async {
        match namespaces.get_opt(&world.namespace).await.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(namespace) => {
                let status = namespace.status.and_then(|status| status.conditions);
                Err(format!("still there: {:#?}", status.into_iter().flatten().map(|c| c.message).collect::<Vec<_>>()))
            }
        }
    };
    poll("the namespace is gone", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

async fn until_secret_gone(world: &World, name: &str) {
    let look = || async {
        match world.secrets().get_opt(name).await.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(_) => Err("still there".to_owned()),
        }
    };
    poll(&format!("the Secret {name} is gone"), DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_with_its_service_and_credential_leaves_no_token() {
    let (world, _operator, value) = ready("ending").await;
    assert_eq!(world.service.live().await.unwrap().len(), 2);
    delete_namespace(&world).await;
    until_namespace_gone(&world).await;
    assert!(world.service.live().await.unwrap().is_empty());
    assert!(!world.accepts(&value).await);
    assert_eq!(world.count().await, 2, "no token was generated during the deletion");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_without_the_credential_an_ending_namespace_says_how_to_go_on() {
    let (world, mut operator, value) = ready("stuck").await;
    operator.kill();
    delete_namespace(&world).await;
    until_secret_gone(&world, "reference-admin").await;
    until_secret_gone(&world, "ci-secret").await;
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    for name in ["ci", "qa"] {
        let stalled = world.until_reason(name, ConditionType::Stalled, Reason::RevocationFailed).await;
        assert!(stalled.message.contains(SKIP_REVOCATION), "{}", stalled.message);
    }
    let waits = world.until_service("reference", ConditionType::Stalled, Reason::Deleting).await;
    for words in ["2 ArtifactTokens", "credential adminKey", SKIP_REVOCATION] {
        assert!(waits.message.contains(words), "{words:?} is not in: {}", waits.message);
    }
    assert!(world.accepts(&value).await);
    for name in ["ci", "qa"] {
        world.annotate(name, SKIP_REVOCATION, "true").await;
    }
    until_namespace_gone(&world).await;
    assert!(world.accepts(&value).await, "a person has to revoke it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_in_the_foreground_takes_the_secret_only_when_the_token_is_dead() {
    let (mut world, _operator, value) = ready("foreground").await;
    world.service.process().kill();
    let foreground =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Foreground), ..DeleteParams::default() };
    world.tokens().delete("ci", &foreground).await.unwrap();
    let pending = world.until_reason("ci", ConditionType::RevocationPending, Reason::RevocationFailed).await;
    assert_eq!(pending.status, ConditionStatus::True);
    // The garbage collector is done: it waits for no dependent any more, and deleted nothing.
    until_collected(&world, "ci").await;
    assert_eq!(world.value("ci-secret", "token").await, value, "the Secret stays while its token lives");
    let token = world.token("ci").await;
    assert_eq!(condition(&token, ConditionType::Ready).unwrap().reason, Reason::Deleting);

    world.service.restart().await.unwrap();
    world.until_gone("ci").await;
    assert!(!world.accepts(&value).await);
    assert!(world.secret("ci-secret").await.is_none());
    let live = world.service.live().await.unwrap();
    assert_eq!(live.len(), 1, "the other object's token is untouched: {live:#?}");
    let entries = world.plane.audit().await.unwrap();
    let deleted = |entry: &&testbed::audit::Entry| {
        (entry.verb.as_str(), entry.resource.as_str(), entry.name.as_str()) == ("delete", "secrets", "ci-secret")
            && entry.namespace == world.namespace
    };
    let by: Vec<_> = entries.iter().filter(deleted).map(|entry| entry.user.as_str()).collect();
    assert_eq!(by, [OPERATOR]);
}

/// The garbage collector's own finalizer of a deletion in the foreground.
const FOREGROUND: &str = "foregroundDeletion";

async fn until_collected(world: &World, name: &str) {
    let look = || async {
        let finalizers = world.tokens().get(name).await.map_err(|error| error.to_string())?.metadata.finalizers;
        if finalizers.iter().flatten().any(|name| name == FOREGROUND) {
            return Err(format!("{finalizers:?}"));
        }
        Ok(())
    };
    poll("the garbage collector let go", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}
