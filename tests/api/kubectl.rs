//! What `kubectl` shows to people.

use std::io::Write as _;
use std::process::{Command, Stdio};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::bases::{small, status, with};
use crate::world::{Kind, World, world};

/// The width of a terminal.
const COLUMNS: usize = 80;

#[tokio::test]
async fn explain_is_the_manual_of_a_rotation() {
    let text = explain(&world().await, "artifacttoken.spec.rotation");
    for sentence in [
        "How old a token gets before it is replaced: at least 10s",
        "Required with `Periodic`, refused with `Disabled`. Example: `720h`",
        "Default: the service object's `defaults.overlap`, else 10m. Example: `6h`",
        "Default: a third of its lifetime, if it expires. Example: `336h`",
        "enum: Periodic, Disabled",
    ] {
        assert!(text.contains(sentence), "{sentence:?} is not in:\n{text}");
    }
}

#[tokio::test]
async fn explain_names_what_an_artifact_token_is_and_what_its_deletion_does() {
    let text = explain(&world().await, "artifacttoken");
    assert!(text.contains("keeps a valid token of an artifact or API service in a Secret"), "{text}");
    assert!(text.contains("Deleting the object revokes its tokens and deletes the Secret."), "{text}");
}

#[tokio::test]
async fn the_table_of_tokens_fits_a_terminal() {
    let world = world().await;
    create_with_status(&world, "payments-npm-prod-01", "payments-npm-token-1", "TokenValid").await;
    let table = kubectl(&world, &["get", "artifacttokens"]);
    let lines: Vec<_> = table.lines().map(str::trim_end).collect();
    let header: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(header, ["NAME", "READY", "STATUS", "SECRET", "AGE"]);
    let row: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!(row[..4], ["payments-npm-prod-01", "True", "TokenValid", "payments-npm-token-1"]);
    for line in lines {
        assert!(line.len() <= COLUMNS, "{} columns:\n{table}", line.len());
    }
}

#[tokio::test]
async fn the_table_of_shared_services_fits_a_terminal_and_says_who_may_use_them() {
    let world = world().await;
    let kind = Kind::ClusterTokenService;
    let allowed = json!({"from": "Selector", "selector": {"matchLabels": {"team": "ci"}}});
    world
        .create(kind, &with(&small(kind), &json!({"/metadata/name": "npm", "/spec/allowedNamespaces": allowed})))
        .await;
    let name = world.name(kind, "npm");
    let mut status = status(kind);
    status["conditions"][0]["reason"] = Value::from("CredentialsAccepted");
    let patch = Patch::Merge(json!({"status": status}));
    world.api(kind).patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
    let table = kubectl(&world, &["get", "ctsvc", &name]);
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "PRESET", "ALLOWED", "AGE"]);
    assert_eq!(rows[1][..5], [&name, "True", "CredentialsAccepted", "Verdaccio", "Selector"]);
    let longest = table.lines().map(|line| line.trim_end().len()).max().unwrap();
    assert!(longest <= COLUMNS, "{longest} columns:\n{table}");
    assert!(kubectl(&world, &["get", "ctsvc", &name, "-o", "wide"]).contains("https://npm.example"));
}

#[tokio::test]
async fn explain_says_that_nobody_may_use_a_shared_service_unless_it_is_allowed() {
    let text = explain(&world().await, "clustertokenservice.spec.allowedNamespaces");
    for sentence in [
        "Default: no namespace.",
        "Everybody who may label a namespace can let it in.",
        "enum: None, All, Selector, Names",
    ] {
        assert!(text.contains(sentence), "{sentence:?} is not in:\n{text}");
    }
}

#[tokio::test]
async fn the_wide_table_says_when_a_token_expires_and_when_the_next_comes() {
    let world = world().await;
    create_with_status(&world, "payments", "payments-token", "TokenValid").await;
    let table = kubectl(&world, &["get", "atok", "-o", "wide"]);
    for word in
        ["EXPIRES", "SERVICE", "ATTEMPT", "ISSUED", "NEXT-ROTATION", "LAST-USED", "HINT", "SUSPENDED", "MESSAGE"]
    {
        assert!(table.lines().next().unwrap().contains(word), "{word} is missing:\n{table}");
    }
    for value in ["internal-registry", "2026-10-01T09:02:11", "****x7Qd", "attempt 7 verified"] {
        assert!(table.contains(value), "{value} is missing:\n{table}");
    }
    assert!(!table.contains("<invalid>"), "a date column shows a future time:\n{table}");
}

#[tokio::test]
async fn short_names_the_category_and_the_selectable_fields_find_objects() {
    let world = world().await;
    create_with_status(&world, "payments", "payments-token", "TokenValid").await;
    create_with_status(&world, "search", "search-token", "TokenValid").await;
    world.create(Kind::TokenService, &with(&small(Kind::TokenService), &json!({"/metadata/name": "internal"}))).await;
    let names = |arguments: &[&str]| -> Vec<String> {
        let text = kubectl(&world, &[&["get", "-o", "name"], arguments].concat());
        text.lines().map(|line| line.replace(".artifact-token.dev", "")).collect()
    };
    let tokens = ["artifacttoken/payments", "artifacttoken/search"];
    assert_eq!(names(&["atok"]), tokens);
    assert_eq!(names(&["tsvc"]), ["tokenservice/internal"]);
    let mut all = names(&["artifact-tokens"]);
    // The list also has the objects of other tests.
    all.retain(|name| !name.starts_with("clustertokenservice/"));
    all.sort();
    assert_eq!(all, [tokens[0], tokens[1], "tokenservice/internal"]);
    let by = |selector: &str| names(&["atok", "--field-selector", selector]);
    assert_eq!(by("spec.secret.name=search-token"), tokens[1..]);
    assert_eq!(by("spec.serviceRef.name=internal-registry,spec.serviceRef.kind=TokenService"), tokens);
    assert!(by("spec.serviceRef.name=another").is_empty());
}

#[tokio::test]
async fn everything_but_a_field_of_ours_is_left_to_all() {
    // `kubectl get all` and `kubectl delete all` must not touch tokens.
    let world = world().await;
    create_with_status(&world, "payments", "payments-token", "TokenValid").await;
    assert_eq!(kubectl(&world, &["get", "all", "-o", "name"]), "");
}

/// An object with a status as the operator writes it.
async fn create_with_status(world: &World, name: &str, secret: &str, reason: &str) {
    let kind = Kind::ArtifactToken;
    let edits = json!({"/metadata/name": name, "/spec/secret/name": secret});
    world.create(kind, &with(&small(kind), &edits)).await;
    let mut status = status(kind);
    status["conditions"][0]["reason"] = Value::from(reason);
    let patch = Patch::Merge(json!({"status": status}));
    world.api(kind).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

/// `kubectl explain` without its line breaks.
fn explain(world: &World, field: &str) -> String {
    let text = kubectl(world, &["explain", field]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The output of `kubectl` in the world's namespace.
#[tokio::test]
async fn the_plugin_lists_tokens_as_the_pages_of_services_do() {
    let world = world().await;
    let prefixed = json!({"/metadata/name": "internal-registry", "/spec/naming": {"prefix": "prod-eu1"}});
    world.create(Kind::TokenService, &with(&small(Kind::TokenService), &prefixed)).await;
    create_with_status(&world, "payments", "payments-token", "TokenValid").await;
    // kubectl finds it in a folder of PATH by its name, and hands the rest of the line over.
    let list = kubectl_plugin(&world, &["list", "-o", "wide", "--namespace", &world.namespace]);
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    for column in ["NAME", "TYPE", "EXPIRY", "CREATED-BY", "CREATED", "LAST-USED", "TOKEN", "STATUS"] {
        assert!(lines[0].contains(&column), "{list}");
    }
    let shown = |word: &str| lines[1].contains(&word);
    assert!(lines[1][0] == "payments" && shown("prod-eu1") && shown("****x7Qd"), "{list}");
    let everywhere = kubectl_plugin(&world, &["list", "-A", "--no-headers"]);
    assert!(everywhere.lines().any(|line| line.starts_with(&format!("{} ", world.namespace))), "{everywhere}");
    let version = kubectl_plugin(&world, &["version"]);
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
    assert!(kubectl_plugin(&world, &["completion", "bash"]).contains("kubectl-artifact_token"));
}

#[tokio::test]
async fn the_plugin_hands_over_a_token_in_a_secret_and_shows_its_value_nowhere() {
    let world = world().await;
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &world.namespace);
    let secret = || async { secrets.get_opt("ci-hand-over").await.unwrap() };
    let refused = |arguments: &[&str], value: &str, why: &str| {
        let (good, told) = hand_over(&world, arguments, value);
        assert!(!good && told.contains(why), "{why:?} is not in: {told}");
    };
    refused(&["ci"], "tok-first", "there is no ArtifactToken ci");
    create_with_status(&world, "ci", "ci-token", "TokenValid").await;
    let generated = json!({"status": {"current": {"handOver": null}, "claim": {"handOver": null}}});
    let tokens = world.api(Kind::ArtifactToken);
    tokens.patch_status("ci", &PatchParams::default(), &Patch::Merge(generated)).await.unwrap();
    refused(&["ci"], "tok-first", "ci does not ask for a token");
    let mut due = status(Kind::ArtifactToken)["conditions"].clone();
    let mut asks = due[0].clone();
    asks["type"] = json!("HandOverDue");
    asks["reason"] = json!("HandOverDue");
    due.as_array_mut().unwrap().push(asks);
    let patch = Patch::Merge(json!({"status": {"conditions": due}}));
    world.api(Kind::ArtifactToken).patch_status("ci", &PatchParams::default(), &patch).await.unwrap();
    refused(&["ci"], " \n", "there is no token");
    refused(&["ci"], "tok-first tok-second", "a blank");
    refused(&["ci", "tok-first"], "tok-first", "a token is no argument");
    refused(&["ci", "--expires", "2020-01-01"], "tok-first", "--expires 2020-01-01 is over");
    refused(&["ci", "--expires", "next year"], "tok-first", "is no time");
    assert!(secret().await.is_none(), "what is refused writes nothing");

    let expiring = hand_over(&world, &["ci", "--expires", "2099-01-01"], "tok-first\n");
    assert!(expiring.0 && expiring.1.contains("kubectl describe artifacttoken ci"), "{}", expiring.1);
    let first = secret().await.unwrap();
    assert_eq!(first.labels()["artifact-token.dev/hand-over"], "ci");
    assert_eq!(texts(&first), [("expirationTime", "2099-01-01T00:00:00Z"), ("token", "tok-first")]);
    let again = hand_over(&world, &["ci"], "tok-second");
    assert!(again.0, "{}", again.1);
    let second = secret().await.unwrap();
    assert_eq!(texts(&second), [("token", "tok-second")], "the earlier data is gone");
    assert_eq!(first.uid(), second.uid());

    let unlabelled = Patch::Merge(json!({"metadata": {"labels": {"artifact-token.dev/hand-over": null}}}));
    secrets.patch("ci-hand-over", &PatchParams::default(), &unlabelled).await.unwrap();
    refused(&["ci"], "tok-third", "kubectl label");
    assert_eq!(texts(&secret().await.unwrap()), [("token", "tok-second")]);
}

/// Hands over a token without a wait. Returns whether that went well, and all that the person is shown.
fn hand_over(world: &World, arguments: &[&str], value: &str) -> (bool, String) {
    let mut command = plugin(world);
    command.args(["hand-over", "--namespace", &world.namespace, "--timeout", "0"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended without reading it. Its end is the end of the input.
    let _ = child.stdin.take().unwrap().write_all(value.as_bytes());
    let output = child.wait_with_output().unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(!told.contains("tok-"), "a value is shown: {told}");
    (output.status.success(), told)
}

/// The data of a Secret as texts.
fn texts(secret: &Secret) -> Vec<(&str, &str)> {
    let data = secret.data.as_ref().unwrap();
    data.iter().map(|(key, value)| (key.as_str(), std::str::from_utf8(&value.0).unwrap())).collect()
}

/// kubectl, which finds the plugin in a folder of `PATH`.
fn plugin(world: &World) -> Command {
    let mut command = world.control_plane.kubectl().unwrap();
    let binary = support::binary("kubectl-artifact_token");
    let folder = binary.parent().unwrap().display().to_string();
    command.env("PATH", folder + ":" + &std::env::var("PATH").unwrap_or_default()).arg("artifact-token");
    command
}

fn kubectl_plugin(world: &World, arguments: &[&str]) -> String {
    let output = plugin(world).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl artifact-token {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn kubectl(world: &World, arguments: &[&str]) -> String {
    let mut command = world.control_plane.kubectl().unwrap();
    let output = command.args(["--namespace", &world.namespace]).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
