//! The chart, the real Helm, and a release on a control plane.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use kube::{Api, Client};
use serde_json::{Value, json};
use support::{DEADLINE, World, binary};
use testbed::{ControlPlane, Operator, Options, ReferenceService, cluster, operator, poll};

/// The name of every release of the tests, and the namespace it is in.
pub const RELEASE: &str = "ato";
pub const NAMESPACE: &str = "artifact-tokens";
/// The name of its objects.
pub const FULL_NAME: &str = "ato-artifact-token-operator";

/// Times that suit tests, as arguments of the operator. Nobody elects: one process runs here.
pub fn quick_values() -> Value {
    json!({
        "leaderElection": {"enabled": false},
        "log": {"level": "info,artifact_token_operator=debug", "format": "text"},
        "extraArgs": [
            "--token-settle=1s", "--refusal-settle=1s", "--orphan-grace=5s", "--settle-margin=1s", "--first-retry=500ms",
            "--default-overlap=1500ms",
        ],
    })
}

/// The folder of the chart.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/artifact-token-operator")
}

/// Runs Helm with these values on its standard input, and returns how it ended.
pub fn helm(plane: &ControlPlane, arguments: &[&str], values: &Value) -> Output {
    let mut command = plane.helm().expect("find or build Helm");
    command.args(arguments).args(["--values", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("start Helm");
    // Every JSON text is YAML.
    child.stdin.take().expect("piped").write_all(values.to_string().as_bytes()).expect("write the values");
    child.wait_with_output().expect("wait for Helm")
}

/// The same where it must succeed: what it printed.
pub fn helm_well(plane: &ControlPlane, arguments: &[&str], values: &Value) -> String {
    let output = helm(plane, arguments, values);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "helm {arguments:?} with {values}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Installs `chart` as the release of the tests.
pub fn install(plane: &ControlPlane, chart: &Path, values: &Value) -> String {
    let chart = chart.to_str().expect("a path in UTF-8");
    helm_well(plane, &["install", RELEASE, chart, "--namespace", NAMESPACE, "--create-namespace"], values)
}

/// What the chart renders with these values: each object as JSON.
pub fn rendered(plane: &ControlPlane, values: &Value) -> Vec<Value> {
    let chart = chart();
    let chart = chart.to_str().expect("a path in UTF-8");
    objects(&helm_well(plane, &["template", RELEASE, chart, "--namespace", NAMESPACE], values))
}

/// The objects of a YAML text.
pub fn objects(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// The operator's container, as the API server has it, and its account.
pub async fn container(client: &Client) -> (Container, String) {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let deployment = deployments.get(FULL_NAME).await.expect("the Deployment is there");
    let pod = deployment.spec.and_then(|spec| spec.template.spec).expect("a pod");
    (pod.containers[0].clone(), pod.service_account_name.expect("an account"))
}

/// The operator as its pod would run: with the account, the arguments and the environment of the Deployment.
pub async fn options(plane: &ControlPlane, client: &Client) -> operator::Options {
    let (container, account) = container(client).await;
    let kubeconfig = plane.kubeconfig_of_account(NAMESPACE, &account).await.expect("a token of the account");
    let mut options = operator::Options::new(binary("artifact-token-operator"), kubeconfig);
    options.arguments = container.args.unwrap_or_default();
    for variable in container.env.unwrap_or_default() {
        options = options.variable(&variable.name, &variable.value.unwrap_or_default());
    }
    options
}

/// Starts that operator.
pub async fn operator(world: &World) -> Operator {
    Operator::start(options(&world.plane, &world.client).await).await.expect("start the operator")
}

/// The user that the operator's account is.
pub fn account() -> String {
    format!("system:serviceaccount:{NAMESPACE}:{FULL_NAME}")
}

/// A control plane of its own, without anything of this project: what is on it comes from the chart. The operator's account is a user of
/// it, too, for what a test tries as that account.
pub async fn own_plane() -> ControlPlane {
    plane_with(&[]).await
}

/// The same with more users.
pub async fn plane_with(users: &[&str]) -> ControlPlane {
    let groups = ["system:serviceaccounts", "system:authenticated"];
    let options = users.iter().fold(Options::default(), |options, name| options.user(name, &[]));
    ControlPlane::start(options.user(&account(), &groups)).await.expect("start the control plane")
}

/// Waits until the admission policies of the release act: the API server learns of them within seconds.
pub async fn policies_act(world: &World) {
    let account = world.plane.client_for(&account()).await.expect("a client");
    let stray = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "stray"}}).to_string();
    let look = || async {
        let told = cluster::dry_run(&account, &stray, &world.namespace).await.err();
        let told = told.map_or_else(|| "accepted".to_owned(), |error| format!("{error:#}"));
        if told.contains("the operator creates only Secrets of ArtifactTokens") { Ok(()) } else { Err(told) }
    };
    poll("the policies act", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

/// A namespace and a service beside the release.
pub async fn world(plane: ControlPlane, prefix: &str) -> World {
    let client = plane.client().await.expect("make a client");
    let service = ReferenceService::start(binary("reference-service")).await.expect("start the service");
    let namespace = cluster::namespace(&client, prefix).await.expect("make a namespace");
    World { plane: Arc::new(plane), client, service, namespace }
}
