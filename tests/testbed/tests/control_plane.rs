//! The control plane is real, and its audit log counts exactly.

use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use testbed::audit::Entry;
use testbed::{ControlPlane, Options, cluster, poll};

const STRANGER: &str = "stranger";

async fn shared() -> std::sync::Arc<ControlPlane> {
    ControlPlane::shared(Options::default().user(STRANGER, &["nobody"])).await.unwrap()
}

fn secret(name: &str) -> Secret {
    Secret { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, ..Secret::default() }
}

async fn create_secrets(client: &Client, namespace: &str, count: usize) {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    for index in 0..count {
        secrets.create(&PostParams::default(), &secret(&format!("secret-{index}"))).await.unwrap();
    }
}

#[tokio::test]
async fn every_request_is_one_entry() {
    let control_plane = shared().await;
    let client = control_plane.client().await.unwrap();
    let namespace = cluster::namespace(&client, "audit").await.unwrap();
    create_secrets(&client, &namespace, 2).await;
    let mark = control_plane.mark().await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    secrets.create(&dry_run, &secret("dry")).await.unwrap();
    for index in 2..5 {
        secrets.create(&PostParams::default(), &secret(&format!("secret-{index}"))).await.unwrap();
    }
    secrets.get("secret-4").await.unwrap();
    let mut entries = control_plane.audit_since(mark).await.unwrap();
    entries.retain(|entry| entry.namespace == namespace);
    let short = |entry: &Entry| format!("{} {} {} {}", entry.verb, entry.name, entry.code, entry.dry_run);
    let seen: Vec<String> = entries.iter().map(short).collect();
    let creates = ["create dry 201 true", "create secret-2 201 false", "create secret-3 201 false"];
    let expected = [creates.as_slice(), &["create secret-4 201 false", "get secret-4 200 false"]].concat();
    assert_eq!(seen, expected);
    assert!(entries.iter().all(|entry| entry.user == "admin" && entry.resource == "secrets"));
    let all = control_plane.audit().await.unwrap();
    let created = |entry: &&Entry| entry.namespace == namespace && entry.verb == "create";
    assert_eq!(all.iter().filter(created).count(), 6, "including those before the mark");
}

#[tokio::test]
async fn many_large_answers_are_all_in_the_log_at_once() {
    let control_plane = shared().await;
    let client = control_plane.client().await.unwrap();
    let namespace = cluster::namespace(&client, "lists").await.unwrap();
    create_secrets(&client, &namespace, 60).await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    for _ in 0..20 {
        let mark = control_plane.mark().await.unwrap();
        secrets.list(&ListParams::default()).await.unwrap();
        let mut entries = control_plane.audit_since(mark).await.unwrap();
        entries.retain(|entry| entry.namespace == namespace);
        assert_eq!(entries.len(), 1, "{entries:?}");
    }
}

#[tokio::test]
async fn a_user_has_only_the_rights_of_rbac() {
    let control_plane = shared().await;
    let client = control_plane.client().await.unwrap();
    let namespace = cluster::namespace(&client, "rbac").await.unwrap();
    let stranger = control_plane.client_for(STRANGER).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(stranger, &namespace);
    let refused = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused:?}");
    let rights = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [secrets], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: stranger}]
";
    cluster::apply(&client, rights, &namespace).await.unwrap();
    let look = || async { secrets.list(&ListParams::default()).await.map_err(|error| error.to_string()) };
    poll("the right to list", Duration::from_secs(10), look).await.unwrap();
    assert!(control_plane.kubeconfig_for("somebody").is_err());
    let entries = control_plane.audit().await.unwrap();
    assert!(entries.iter().any(|entry| entry.user == STRANGER && entry.code == 403));
}

#[tokio::test]
async fn crds_are_served_when_they_are_applied() {
    let control_plane = shared().await;
    let client = control_plane.client().await.unwrap();
    let namespace = cluster::namespace(&client, "crds").await.unwrap();
    let folder = testbed::folder::RunFolder::create("crds").unwrap();
    let definition = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: moons.testbed.example}
spec:
  group: testbed.example
  scope: Namespaced
  names: {kind: Moon, plural: moons, singular: moon}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
";
    std::fs::write(folder.file("moons.yaml"), definition).unwrap();
    cluster::apply_crds(&client, folder.path()).await.unwrap();
    let moons = "
# A comment before the first document.
---
{apiVersion: testbed.example/v1, kind: Moon, metadata: {name: luna}}
---
{apiVersion: testbed.example/v1, kind: Moon, metadata: {name: io}}
";
    let applied = cluster::apply(&client, moons, &namespace).await.unwrap();
    assert_eq!(applied.len(), 2);
    let failure = cluster::apply(&client, "{apiVersion: v1, kind: Secret}", &namespace).await.unwrap_err();
    assert!(format!("{failure:#}").contains("no metadata.name"), "{failure:#}");
}

#[tokio::test]
async fn the_controller_manager_deletes_namespaces_and_kubectl_works() {
    let began = Instant::now();
    let control_plane = ControlPlane::start(Options::default().with_controller_manager()).await.unwrap();
    eprintln!("ready with a controller manager after {:?}", began.elapsed());
    let client = control_plane.client().await.unwrap();
    let name = cluster::namespace(&client, "mortal").await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    let look = || async { accounts.get("default").await.map_err(|error| error.to_string()) };
    poll("the service account", Duration::from_secs(30), look).await.unwrap();
    let token = accounts.create_token_request("default", &PostParams::default(), &Default::default()).await.unwrap();
    let token = token.status.unwrap().token;
    let output = control_plane.kubectl().unwrap().args(["auth", "whoami", "--token", &token]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("system:authenticated"), "{text}");
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.delete(&name, &DeleteParams::default()).await.unwrap();
    let gone = || async {
        match namespaces.get_opt(&name).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    poll("the end of the namespace", Duration::from_secs(60), gone).await.unwrap();
}

#[tokio::test]
async fn everything_ends_with_the_handle() {
    let began = Instant::now();
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    eprintln!("ready after {:?}", began.elapsed());
    let pids = [control_plane.api_server().pid(), control_plane.etcd().pid()];
    let data = control_plane.kubeconfig_path().unwrap();
    drop(control_plane);
    for pid in pids {
        let found = Command::new("sh").args(["-c", "kill -0 \"$1\"", "sh", &pid.to_string()]).output().unwrap();
        assert!(!found.status.success(), "process {pid} lives");
    }
    assert!(!data.exists());
}
