//! The chart on a real node: its own pods, from the image of a release, with real Helm, and nothing that plays a part.
//!
//! | module | what |
//! |---|---|
//! | `images` | not tests: the image of a release, and one with tools |
//! | `cluster` | not tests: the chart on the node, and what is looked at there |
//! | `quick_start` | the quick start of the documents, as a new user types it |
//! | `traces` | not tests: what a node could leave on the machine |
//!
//! It needs root, so it runs only by name: `tests/run node`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cluster;
mod images;
mod quick_start;
mod traces;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use serde_json::Value;
use support::acts::ledger;
use support::figures::figure;
use testbed::Node;
use testbed::reference_service::State;

use cluster::{Cluster, NAMESPACE, RELEASE, SERVICE, TOKEN};
use images::Images;
use traces::Traces;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, and minutes: tests/run node"]
async fn the_pods_of_the_chart_rotate_a_mounted_token_survive_their_leader_and_leave_nothing() {
    let settings = traces::settings();
    let images = Images::build(&default_image());
    let began = Instant::now();
    let node = Node::start(&images.archives()).await.unwrap_or_else(|error| panic!("{error:#}"));
    figure(&format!("a real node is Ready after {:.1} s", began.elapsed().as_secs_f64()));
    let traces = Traces::of(&node);
    assert!(traces.left().len() > 2, "the traces of a running node are found: {:?}", traces.left());

    let mut cluster = Cluster::new(node);
    install(&cluster).await;
    mount(&cluster).await;
    rotate(&cluster, 2).await;
    let ended = end_the_leader(&cluster).await;
    rotate(&cluster, 3).await;
    cluster.kubectl(&["wait", "--for=delete", &format!("pod/{ended}"), "--timeout=2m"]).await.unwrap();
    cluster.until_two_are_ready().await;
    nothing_was_generated_twice(&mut cluster, 3).await;
    nothing_was_refused(&cluster).await;
    uninstall(&mut cluster).await;
    quick_start::follow(&cluster).await;

    drop(cluster);
    assert_eq!(traces.left(), Vec::<String>::new(), "left on the machine");
    assert_eq!(traces::settings(), settings);
}

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/artifact-token-operator")
}

/// The image that the chart names by default.
fn default_image() -> String {
    let read = |name| std::fs::read_to_string(chart().join(name)).unwrap();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&read("Chart.yaml")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    format!("{}:{}", text(&values["image"]["repository"]), text(&chart["appVersion"]))
}

/// Installs the chart with its default values and the reference service, in a namespace that holds pods to the strictest standard, and
/// does what its notes say.
async fn install(cluster: &Cluster) {
    let began = Instant::now();
    let namespace = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n  labels: {{pod-security.kubernetes.io/enforce: restricted}}\n"
    );
    cluster.node.apply(&namespace, NAMESPACE).await.unwrap();
    let chart = chart();
    let arguments = ["install", RELEASE, chart.to_str().unwrap(), "--set", "referenceService.enabled=true"];
    let notes = cluster.helm(&[&arguments[..], &["--wait", "--timeout", "3m"]].concat()).await.unwrap();
    cluster.until_two_are_ready().await;
    figure(&format!(
        "both replicas of the chart are Ready {:.1} s after `helm install`",
        began.elapsed().as_secs_f64()
    ));
    let (_, example) = notes.split_once("<<EOF\n").expect("the notes have an example");
    let (example, _) = example.split_once("EOF").expect("the example ends");
    let example: Vec<&str> = example.lines().map(|line| line.strip_prefix("     ").unwrap_or(line)).collect();
    cluster.node.apply(&example.join("\n"), NAMESPACE).await.unwrap();
    cluster.until_attempt(1).await;
}

/// Starts a pod that mounts the Secret and uses the token in it all the time.
async fn mount(cluster: &Cluster) {
    let reader = include_str!("reader.yaml").replace("WHO-AM-I", &who_am_i());
    cluster.node.apply(&reader, NAMESPACE).await.unwrap();
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/reader", "--timeout=2m"]).await.unwrap();
    until_the_pod_has(cluster, &cluster.token().await.unwrap()).await;
}

fn who_am_i() -> String {
    format!("http://{SERVICE}.{NAMESPACE}.svc:8090/v1/whoami")
}

/// Waits until the service says that the token in the pod is the current one.
async fn until_the_pod_has(cluster: &Cluster, token: &ArtifactToken) {
    let current = ledger(token).current.expect("a current token").id.to_string();
    let script = format!(
        "busybox wget -q -O - --header \"Authorization: Bearer $(busybox cat /token/token)\" {} 2>&1",
        who_am_i()
    );
    let look = async || {
        let said = cluster.in_reader(&script).await?;
        let who: Value = serde_json::from_str(&said).map_err(|error| format!("{error}: {said}"))?;
        if who["id"] == current.as_str() { Ok(()) } else { Err(format!("{who}, not {current}")) }
    };
    cluster.until("the service accepts the current token from the pod", look).await;
}

/// Asks for a rotation, and waits until the pod uses its token.
async fn rotate(cluster: &Cluster, attempt: u32) {
    let began = Instant::now();
    let request = format!("{ROTATE_REQUESTED_AT}=for attempt {attempt}");
    cluster.kubectl(&["annotate", "--overwrite", "artifacttoken", TOKEN, &request]).await.unwrap();
    let token = cluster.until_attempt(attempt).await;
    let rotated = began.elapsed();
    until_the_pod_has(cluster, &token).await;
    let mounted = began.elapsed() - rotated;
    figure(&format!(
        "on a real node, a rotation takes {:.1} s, and a mounted file has it {:.1} s later",
        rotated.as_secs_f64(),
        mounted.as_secs_f64()
    ));
}

/// Deletes the pod of the leader, waits until the other one leads, and returns the name of the pod.
async fn end_the_leader(cluster: &Cluster) -> String {
    let leader = cluster.leader().await.unwrap();
    let began = Instant::now();
    cluster.kubectl(&["delete", "pod", &leader, "--wait=false"]).await.unwrap();
    let look = async || {
        let now = cluster.leader().await?;
        if now == leader { Err(format!("{now} still leads")) } else { Ok(()) }
    };
    cluster.until("another replica leads", look).await;
    figure(&format!("another replica leads {:.1} s after the leader's pod is deleted", began.elapsed().as_secs_f64()));
    leader
}

/// The service was asked for one token each time.
async fn nothing_was_generated_twice(cluster: &mut Cluster, attempts: usize) {
    let books = cluster.books().await;
    let names: BTreeSet<&str> = books.tokens.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        (books.calls.generate, books.tokens.len(), names.len()),
        (attempts as u64, attempts, attempts),
        "{books:#?}"
    );
}

/// The pod used its token all the time, through rotations and the end of the leader.
async fn nothing_was_refused(cluster: &Cluster) {
    let said = cluster.kubectl(&["logs", "reader"]).await.unwrap();
    let accepted = said.lines().filter(|line| *line == "accepted").count();
    figure(&format!("a pod used a mounted token {accepted} times through rotations and the end of the leader"));
    assert!(accepted > 5 && !said.contains("401"), "{said}");
}

/// An uninstall is refused while a token is left. Without tokens it leaves no pod, and no token lives.
async fn uninstall(cluster: &mut Cluster) {
    let refused = cluster.helm(&["uninstall", RELEASE, "--timeout", "2m"]).await.unwrap_err();
    let check = format!("job/{RELEASE}-uninstall-check");
    let told = cluster.kubectl(&["logs", &check]).await.unwrap();
    assert!(told.contains(&format!("{NAMESPACE}/{TOKEN}")), "{refused}: {told}");

    cluster.kubectl(&["delete", "pod", "reader"]).await.unwrap();
    cluster.kubectl(&["delete", "artifacttoken", TOKEN, "--timeout=3m"]).await.unwrap();
    let books = cluster.books().await;
    assert!(books.tokens.iter().all(|row| row.state == State::Revoked), "{books:#?}");
    let secret = cluster.kubectl(&["get", "secret", "try-token", "--ignore-not-found"]).await.unwrap();
    assert_eq!(secret, "");

    cluster.helm(&["uninstall", RELEASE, "--timeout", "2m"]).await.unwrap();
    let look = async || {
        let pods = cluster.kubectl(&["get", "pods", "--output", "name"]).await?;
        if pods.is_empty() { Ok(()) } else { Err(pods) }
    };
    cluster.until("no pod is left", look).await;
}
