//! A cluster is cloned with its store: the same objects with the same uids, two control planes and two operators, and one account at
//! one service (P21).

use artifact_token_operator::api::artifact_token::{ArtifactToken, CONFIRM_IDENTITY, ROTATE_REQUESTED_AT};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{ControlPlane, Operator, cluster, poll};

use crate::own_plane::{DEADLINE, OPERATOR, OwnPlane, is_suspected, start_plane, turn};
use support::acts::ledger;
use support::attempt;
use support::figures::figure;
use support::objects::{quick_generate, token_service};

/// One of the two clusters.
struct Cluster {
    tokens: Api<ArtifactToken>,
    secrets: Api<Secret>,
}

impl Cluster {
    async fn of(plane: &ControlPlane, namespace: &str) -> Self {
        let client = plane.client().await.unwrap();
        Self { tokens: Api::namespaced(client.clone(), namespace), secrets: Api::namespaced(client, namespace) }
    }

    async fn until(&self, what: &str, check: impl Fn(&ArtifactToken) -> bool) -> ArtifactToken {
        let look = || async {
            let token = self.tokens.get("ci").await.map_err(|error| error.to_string())?;
            if check(&token) { Ok(token) } else { Err(format!("{:#?}", token.status)) }
        };
        poll(what, DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    async fn annotate(&self, key: &str, value: &str) {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        self.tokens.patch("ci", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    async fn value(&self) -> String {
        let secret = self.secrets.get("ci-secret").await.unwrap();
        String::from_utf8(secret.data.unwrap()["token"].0.clone()).unwrap()
    }
}

fn sweep(spec: &mut Value) {
    spec["sweep"] = json!({"interval": "10s", "policy": "Revoke"});
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_with_the_same_objects_stop_before_either_kills_a_token_of_the_other() {
    let mut own_plane = OwnPlane::start("cloned").await;
    let operator = own_plane.operator("1s").await;
    own_plane.world.create("ci", |spec| spec["verification"] = json!({"interval": "4s"})).await;
    own_plane.ready(&["ci"]).await;
    let snapshot = own_plane.plane().snapshot().await.unwrap();

    let _turn = turn().await;
    let mut other_plane = start_plane().await;
    other_plane.restore(&snapshot).await.unwrap();
    let options = own_plane.world.operator_options_as(other_plane.kubeconfig_for(OPERATOR).unwrap());
    let namespace = own_plane.world.namespace.clone();
    let (one, other) =
        (Cluster::of(&own_plane.world.plane, &namespace).await, Cluster::of(&other_plane, &namespace).await);
    let uid = |token: &ArtifactToken| token.metadata.uid.clone();
    assert_eq!(uid(&one.tokens.get("ci").await.unwrap()), uid(&other.tokens.get("ci").await.unwrap()), "a clone");

    // Both clusters rotate, and the one that is first ends the token that they shared. A cluster that only saw this token refused would
    // list the service before it believed that.
    one.annotate(ROTATE_REQUESTED_AT, "1").await;
    one.until("attempt 2 is current", |token| attempt(token) == 2 && ledger(token).superseded.is_empty()).await;
    other.annotate(ROTATE_REQUESTED_AT, "1").await;
    let mut other_operator = Operator::start(options).await.unwrap();
    other.until("it has a token of its own", |token| attempt(token) == 2).await;
    let (value, other_value) = (one.value().await, other.value().await);
    assert_ne!(value, other_value);

    // Until now, neither operator had a reason to list the tokens of the service.
    own_plane.world.serve(sweep).await;
    let service = token_service("reference", &own_plane.world.service.base_url(), |spec| {
        spec["operations"] = json!({"generate": quick_generate()});
        sweep(spec);
    });
    cluster::apply(&other_plane.client().await.unwrap(), &service, &namespace).await.unwrap();
    one.until("it sees the other", is_suspected).await;
    other.until("it sees the one", is_suspected).await;
    let made = own_plane.world.count().await;
    one.annotate(ROTATE_REQUESTED_AT, "2").await;
    other.annotate(ROTATE_REQUESTED_AT, "2").await;
    other_operator.restart().unwrap();
    other_operator.ready().await.unwrap();
    // Longer than two sweeps and every overlap.
    let sweeps = own_plane.world.service.books().await.unwrap().calls.list + 4;
    own_plane.until_calls("both services were swept twice more", |calls| calls.list >= sweeps).await;
    assert!(is_suspected(&one.tokens.get("ci").await.unwrap()) && is_suspected(&other.tokens.get("ci").await.unwrap()));
    assert_eq!(own_plane.world.count().await, made, "nothing was generated");
    assert!(
        own_plane.world.accepts(&value).await && own_plane.world.accepts(&other_value).await,
        "nothing was revoked"
    );

    drop(other_operator);
    one.annotate(CONFIRM_IDENTITY, "the other one is gone").await;
    one.until("it goes on", |token| attempt(token) == 3 && !is_suspected(token)).await;
    own_plane.world.agrees("ci", "ci-secret").await;
    assert!(
        !own_plane.world.accepts(&other_value).await,
        "the other cluster's token was adopted, and revoked after an overlap"
    );
    figure("cloned cluster, two control planes on one account: 0 tokens of either revoked before a person confirmed");
    drop(operator);
}
