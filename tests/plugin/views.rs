//! What people look at.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::acts::ledger;
use support::binary;

use crate::session::{Session, token_yaml};

/// Workloads that get the Secret in each way. There is no node, so no pod ever runs.
const WORKLOADS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: build-cache}
spec:
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}}
    spec:
      containers: [{name: cache, image: example.org/cache:1, volumeMounts: [{name: token, mountPath: /token}]}]
      volumes: [{name: token, secret: {secretName: ci-token}}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: job, image: example.org/job:1, envFrom: [{secretRef: {name: ci-token}}]}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: other}
spec:
  selector: {matchLabels: {app: other}}
  serviceName: other
  template:
    metadata: {labels: {app: other}}
    spec:
      containers: [{name: other, image: example.org/other:1}]
---
apiVersion: v1
kind: Pod
metadata: {name: debug}
spec:
  containers: [{name: debug, image: example.org/debug:1, volumeMounts: [{name: token, mountPath: /token, subPath: token}]}]
  volumes: [{name: token, secret: {secretName: ci-token}}]
  imagePullSecrets: [{name: ci-token}]
"#;

#[tokio::test]
async fn the_status_of_a_token_shows_its_consumers_and_its_timeline() {
    let mut session = Session::with_service("plugin-views").await;
    let operator = session.operator().await;
    session.world.apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\n").await;
    for workload in WORKLOADS.split("---") {
        session.world.apply(workload).await;
    }
    session.world.apply(&token_yaml("ci")).await;
    session.world.until_ready("ci").await;
    session.world.annotate("ci", "artifact-token.dev/rotate-requested-at", "1").await;
    session.world.until_attempt("ci", 2).await;
    session.world.until_ready("ci").await;
    // What it shows is at rest.
    drop(operator);
    let hint = ledger(&session.world.token("ci").await).current.unwrap().hint.unwrap();
    session.call(&hint, "****HINT");
    for line in [
        "status ci -n $NS",
        "status --all -n $NS -o name",
        "list -n $NS",
        "list -n $NS -o wide --no-headers",
        "list -n $NS -o name",
    ] {
        session.run(line);
    }
    session.run("status no -n $NS");
    session.is_as_in("views.txt");
    let (_, text) = session.run("status ci -n $NS -o json");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["consumers"]["found"][1], json!({"name": "deployment/build-cache", "uses": ["volume"]}));
    let (_, yaml) = session.run("list -n $NS -o yaml");
    assert!(yaml.contains("kind: ArtifactToken") && yaml.contains("attempt: 2"), "{yaml}");
}

#[tokio::test]
async fn usual_names_fit_on_a_terminal_of_80_columns() {
    let mut session = Session::start("plugin").await;
    let (service, name) = ("artifact-registry-eu", "build-cache-uploader");
    session.world.apply(&support::service_yaml(service, &session.world.service.base_url())).await;
    session.world.apply(&token_yaml(name).replace("{name: reference}", &format!("{{name: {service}}}"))).await;
    let lost = json!({"status": {"possiblyLost": [{"attempt": 4, "claimedTime": "2026-12-01T06:00:00Z"}],
        "conditions": [{"type": "RevocationPending", "status": "True", "reason": "OverlapActive",
            "message": "word ".repeat(40), "lastTransitionTime": "2026-12-01T06:00:00Z"}]}});
    session.world.patch_status(name, lost).await;
    for line in ["list -n $NS", "orphans -n $NS", &format!("status {name} -n $NS")] {
        let (code, told) = session.run(line);
        assert!(code == 0 && told.contains(name), "{told}");
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    }
}

#[tokio::test]
async fn orphans_are_listed_with_what_becomes_of_them() {
    let mut session = Session::with_service("plugin-orphans").await;
    session.run("orphans -n $NS");
    let sweep = json!({"status": {"capabilities": ["Generate", "List", "Revoke"], "lastSweep": {
        "time": "2026-12-01T08:00:00Z", "managed": 1, "pendingRevocation": 0, "suspected": 0, "orphaned": 2,
        "orphans": [{"id": "tok_9", "name": "test-abc-3-x shop/gone", "sinceTime": "2026-12-01T07:00:00Z"}],
    }}});
    let params = kube::api::PatchParams::default();
    session.world.services().patch_status("reference", &params, &kube::api::Patch::Merge(sweep)).await.unwrap();
    session.world.apply(&token_yaml("ci").replace("{name: ci}", "{name: ci, labels: {team: ci}}")).await;
    let lost = json!({"status": {"possiblyLost": [{"attempt": 4, "claimedTime": "2026-12-01T06:00:00Z"}]}});
    session.world.patch_status("ci", lost).await;
    for line in [
        "orphans -n $NS",
        "orphans -n $NS -o wide",
        "orphans -n $NS -o json",
        "orphans -n $NS -l team=ci",
        "orphans -n $NS -l team!=ci",
        "orphans -n $NS -l team=none",
    ] {
        session.run(line);
    }
    session.is_as_in("orphans.txt");
}

#[tokio::test]
async fn kubectl_completes_commands_flags_and_names_of_tokens() {
    let session = Session::with_service("plugin-completion").await;
    session.world.apply(&token_yaml("ci-one")).await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&session.world.namespace);
    fs::create_dir_all(&folder).unwrap();
    let link = folder.join("kubectl_complete-artifact_token");
    symlink(binary("kubectl-artifact_token"), &link).unwrap();
    let offers = |words: &[&str]| {
        let kubectl = session.world.plane.kubectl().unwrap();
        let mut command = Command::new(&link);
        command.envs(kubectl.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(offers(&["rot"]), "rotate\n:4\n");
    assert_eq!(offers(&["rotate", "--dry"]), "--dry-run\n:4\n");
    assert_eq!(offers(&["rotate", "-n", &session.world.namespace, "ci"]), "ci-one\n:4\n");
}

#[tokio::test]
async fn the_reference_names_every_command_and_every_flag() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/kubectl.md");
    let page = fs::read_to_string(page).unwrap();
    let help = |arguments: &[&str]| {
        let output = Command::new(binary("kubectl-artifact_token")).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let all = help(&["--help"]);
    let commands = all.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> =
        commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(commands.len() > 8, "{all}");
    for command in commands {
        assert!(page.contains(&format!("`{command}")), "the page does not name the command {command}");
        let help = help(&[command, "--help"]);
        let flags = help
            .split(|letter: char| !(letter == '-' || letter.is_alphanumeric()))
            .filter(|word| word.starts_with("--"));
        for flag in flags.filter(|flag| !["--", "--help", "--version"].contains(flag)) {
            assert!(page.contains(flag), "the page does not name {flag} of {command}");
        }
    }
}
