//! Every value does what it says, and the API server accepts what is rendered then.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use testbed::{ControlPlane, Options, cluster};

use crate::cases::all;
use crate::expected::Expected;
use crate::release::{FULL_NAME, NAMESPACE, RELEASE, chart, helm, helm_well, rendered};
use crate::values::leaves;

/// Cases at the same time: Helm computes, and the API server is busy with the rest.
const AT_A_TIME: usize = 4;
/// Objects of the Prometheus operator, as the API server knows them.
const MONITORING: &str = include_str!("monitoring.yaml");

/// A control plane with the CRDs of the Prometheus operator and the namespaces of the cases.
async fn plane() -> (Arc<ControlPlane>, Client) {
    let plane = ControlPlane::shared(Options::default()).await.expect("start the control plane");
    let client = plane.client().await.expect("make a client");
    static PREPARED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let prepare = || async {
        cluster::apply(&client, MONITORING, "default").await.expect("install the CRDs of the Prometheus operator");
        for name in [NAMESPACE, "team-a", "team-b"] {
            let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
            let namespace = json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": restricted},
            });
            cluster::apply(&client, &namespace.to_string(), name).await.expect("make a namespace");
        }
        testbed::poll("the kinds of the Prometheus operator are served", support::DEADLINE, || async {
            let monitors = |kind: &str| {
                json!({"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": {"name": "a"},
                "spec": {"selector": {}, "endpoints": []}})
            };
            cluster::dry_run(&client, &monitors("ServiceMonitor").to_string(), NAMESPACE)
                .await
                .map(drop)
                .map_err(|error| format!("{error:#}"))
        })
        .await
        .expect("the kinds are served");
    };
    PREPARED.get_or_init(prepare).await;
    (plane, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_does_what_it_says_and_the_api_server_accepts_it() {
    let (plane, client) = plane().await;
    let cases = all();
    let checks = cases.iter().map(|case| {
        let (plane, client) = (plane.clone(), client.clone());
        async move {
            let values = case.values.clone();
            let objects = tokio::task::spawn_blocking(move || rendered(&plane, &values)).await.unwrap();
            let told = |problem: String| format!("{}: {problem}", case.values);
            for expected in &case.expected {
                expected.check(&objects).map_err(told)?;
            }
            for object in objects {
                let done = cluster::dry_run(&client, &object.to_string(), NAMESPACE).await;
                done.map_err(|error| told(format!("{error:#}")))?;
            }
            Ok::<_, String>(())
        }
    });
    stream::iter(checks)
        .buffer_unordered(AT_A_TIME)
        .try_collect::<Vec<_>>()
        .await
        .unwrap_or_else(|problem| panic!("{problem}"));
    let covered: BTreeSet<String> = cases.iter().flat_map(|case| leaves_of(&case.values, "")).collect();
    let missing: Vec<_> = leaves().into_iter().map(|leaf| leaf.path).filter(|path| !covers(&covered, path)).collect();
    assert!(missing.is_empty(), "no case in cases.rs sets {missing:?}");
}

/// The paths that the values of a case set.
fn leaves_of(values: &Value, at: &str) -> Vec<String> {
    match values {
        Value::Object(fields) if !fields.is_empty() => fields
            .iter()
            .flat_map(|(name, value)| leaves_of(value, &format!("{at}{}{name}", if at.is_empty() { "" } else { "." })))
            .collect(),
        _ => vec![at.to_owned()],
    }
}

/// Whether a case sets the value, or something in it.
fn covers(covered: &BTreeSet<String>, path: &str) -> bool {
    covered.iter().any(|set| set == path || set.starts_with(&format!("{path}.")))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pod_is_let_in_where_pods_are_restricted() {
    let (plane, client) = plane().await;
    let objects = rendered(&plane, &json!({"referenceService": {"enabled": true}}));
    // Beside the other tests, for which the release's account is not there.
    let place = "team-b";
    for account in ["default", FULL_NAME] {
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), place);
        let metadata = ObjectMeta { name: Some(account.to_owned()), ..ObjectMeta::default() };
        let account = ServiceAccount { metadata, ..ServiceAccount::default() };
        accounts.create(&PostParams::default(), &account).await.unwrap();
    }
    let pods: Api<Pod> = Api::namespaced(client, place);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let mut seen = Vec::new();
    for object in objects.iter().filter(|object| object.pointer("/spec/template").is_some()) {
        let mut pod = object["spec"]["template"].clone();
        pod["metadata"]["name"] = json!("pod");
        let typed: Pod = serde_json::from_value(pod.clone()).unwrap();
        pods.create(&dry_run, &typed).await.unwrap_or_else(|error| panic!("{error}: {object:#}"));
        seen.push(object["kind"].as_str().unwrap());
        // The check can fail: the same pod as root is refused.
        pod["spec"]["securityContext"] = json!({"runAsUser": 0});
        let refused = pods.create(&dry_run, &serde_json::from_value(pod).unwrap()).await.unwrap_err().to_string();
        assert!(refused.contains("restricted"), "{refused}");
    }
    seen.sort_unstable();
    assert_eq!(seen, ["Deployment", "Deployment", "Job"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_namespaces_render_nothing_cluster_wide_but_the_crds() {
    let (plane, client) = plane().await;
    // Every switch is on.
    let values = json!({
        "rbac": {"scope": "Namespaces"}, "namespaces": ["team-a", "team-b"],
        "networkPolicy": {"enabled": true}, "referenceService": {"enabled": true},
        "serviceMonitor": {"enabled": true, "renderMode": "alwaysRender"},
        "podMonitor": {"enabled": true, "renderMode": "alwaysRender"},
    });
    for object in rendered(&plane, &values) {
        let kind = object["kind"].as_str().unwrap();
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
        assert!(namespace.is_some() || kind == "CustomResourceDefinition", "{kind} is cluster-wide");
        // The API server refuses a namespace on a cluster-wide object, so this also shows that none only pretends to have one.
        cluster::dry_run(&client, &object.to_string(), NAMESPACE).await.unwrap_or_else(|error| panic!("{error:#}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contradictions_are_refused_with_what_to_do() {
    let (plane, _) = plane().await;
    let check = |values: Value, words: &str| {
        let chart = chart();
        let output = helm(&plane, &["template", RELEASE, chart.to_str().unwrap(), "--namespace", NAMESPACE], &values);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(words), "{values}: {words}: {told}");
    };
    check(json!({"rbac": {"scope": "Namespaces"}}), "set namespaces={team-a,team-b}");
    check(json!({"namespaces": ["team-a"]}), "set rbac.scope=Namespaces");
    let monitor = |mode: &str| json!({"enabled": true, "renderMode": mode});
    check(json!({"serviceMonitor": monitor("failIfMissing")}), "install the Prometheus operator");
    check(json!({"podMonitor": monitor("failIfMissing")}), "install the Prometheus operator");
    check(
        json!({"serviceMonitor": monitor("alwaysRender"), "metrics": {"enabled": false}}),
        "needs the Service of metrics.enabled",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_notes_say_to_apply_is_accepted() {
    let (plane, client) = plane().await;
    cluster::apply_crds(&client, &support::crds()).await.expect("install the CRDs");
    let listed = json!({"scope": "Namespaces"});
    for (values, place) in [
        (json!({"referenceService": {"enabled": true}}), NAMESPACE),
        (json!({"referenceService": {"enabled": true}, "rbac": listed, "namespaces": ["team-a"]}), "team-a"),
    ] {
        let chart = chart();
        let arguments = ["install", RELEASE, chart.to_str().unwrap(), "--namespace", NAMESPACE, "--dry-run=client"];
        let told = helm_well(&plane, &arguments, &values);
        let (_, notes) = told.split_once("NOTES:").unwrap();
        let (before, rest) = notes.split_once(" apply -f - <<EOF\n").unwrap();
        assert!(before.ends_with(&format!("kubectl -n {place}")), "{before}");
        let (yaml, _) = rest.split_once("     EOF\n").unwrap();
        let yaml: String = yaml.lines().map(|line| line.strip_prefix("     ").unwrap().to_owned() + "\n").collect();
        let applied = cluster::dry_run(&client, &yaml, place).await.unwrap_or_else(|error| panic!("{error:#}\n{yaml}"));
        assert_eq!(applied.len(), 3, "a Secret, a TokenService and an ArtifactToken");
    }
}

/// Helm asks a real API server here which kinds it knows.
#[tokio::test(flavor = "multi_thread")]
async fn monitors_are_rendered_where_the_cluster_knows_them() {
    let (plane, _) = plane().await;
    for mode in ["skipIfMissing", "failIfMissing"] {
        // The CRDs of this project may be there already, from another test.
        let values = json!({
            "crds": {"enabled": false},
            "serviceMonitor": {"enabled": true, "renderMode": mode}, "podMonitor": {"enabled": true, "renderMode": mode},
        });
        let chart = chart();
        let arguments = ["template", RELEASE, chart.to_str().unwrap(), "--namespace", NAMESPACE, "--dry-run=server"];
        let objects = crate::release::objects(&helm_well(&plane, &arguments, &values));
        for kind in ["ServiceMonitor", "PodMonitor"] {
            Expected::is(kind, "/metadata/name", json!(FULL_NAME)).check(&objects).unwrap();
        }
        let offline = json!({"serviceMonitor": {"enabled": true}, "podMonitor": {"enabled": true}});
        let objects = rendered(&plane, &offline);
        for kind in ["ServiceMonitor", "PodMonitor"] {
            Expected::none(kind).check(&objects).unwrap();
        }
    }
}
