//! What stands against an uninstall that leaves tokens alive, and what an uninstall leaves. No kubelet runs here, so the test plays the one
//! that runs the Job of the check.

use std::process::Output;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use support::{World, binary, credential_yaml, service_yaml, token_yaml};
use testbed::{cluster, poll};

use crate::release::{FULL_NAME, NAMESPACE, RELEASE, chart, install, operator, own_plane, quick_values, world};

/// Limit for Helm to create the Job of the check.
const HOOK_DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_uninstall_fails_while_tokens_are_left_and_leaves_the_crds_when_none_is() {
    let plane = own_plane().await;
    let told = install(&plane, &chart(), &quick_values());
    assert!(told.contains("delete the ArtifactTokens"), "{told}");
    let world = world(plane, "uninstall").await;
    let running = operator(&world).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.apply(&service_yaml("reference", &world.service.base_url())).await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;

    let (refused, check) = uninstall(&world).await;
    assert_eq!(check.status.code(), Some(3), "{check:?}");
    let told = String::from_utf8_lossy(&check.stderr).into_owned();
    let left = format!("{}/ci", world.namespace);
    for words in ["1 ArtifactToken is left", &left, "kubectl delete artifacttokens --all --namespace"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!refused.status.success(), "{refused:?}");
    let deployments: Api<Deployment> = Api::namespaced(world.client.clone(), NAMESPACE);
    assert!(deployments.get_opt(FULL_NAME).await.unwrap().is_some(), "the operator is still installed");
    assert_eq!(world.agrees("ci", "ci-secret").await.name_any(), "ci");

    world.delete("ci").await;
    world.until_gone("ci").await;
    let (done, check) = uninstall(&world).await;
    drop(running);
    assert_eq!((check.status.code(), check.stderr.len()), (Some(0), 0), "{check:?}");
    assert!(done.status.success(), "{done:?}");
    assert!(deployments.get_opt(FULL_NAME).await.unwrap().is_none());
    let roles: Api<ClusterRole> = Api::all(world.client.clone());
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/instance={RELEASE}"));
    assert!(roles.list(&ours).await.unwrap().items.is_empty());
    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let kept = definitions.list(&ours).await.unwrap().items;
    assert_eq!(kept.len(), 3, "crds.keep");
    assert!(world.services().get_opt("reference").await.unwrap().is_some(), "and what is in them");

    // The same release takes them over.
    install(&world.plane, &chart(), &quick_values());
    world.apply(&token_yaml("ci")).await;
    let _operator = operator(&world).await;
    world.until_ready("ci").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_the_crds_has_no_tokens_left_and_one_that_does_not_answer_is_no_answer() {
    let plane = own_plane().await;
    let check = |kubeconfig: &std::path::Path| check(kubeconfig, &[]);
    let none = check(&plane.kubeconfig_path().unwrap());
    assert!(none.status.success(), "{none:?}");
    let client = plane.client().await.unwrap();
    let namespace = cluster::namespace(&client, "powerless").await.unwrap();
    cluster::apply_crds(&client, &support::crds()).await.unwrap();
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "powerless"}});
    cluster::apply(&client, &account.to_string(), &namespace).await.unwrap();
    let refused = check(&plane.kubeconfig_of_account(&namespace, "powerless").await.unwrap());
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && told.contains("may this account list them?"), "{told}");
}

/// Uninstalls the release, and runs its check as a kubelet would: how Helm ended, and the check.
async fn uninstall(world: &World) -> (Output, Output) {
    let plane = world.plane.clone();
    let helm = tokio::task::spawn_blocking(move || {
        let mut command = plane.helm().unwrap();
        command.args(["uninstall", RELEASE, "--namespace", NAMESPACE, "--timeout", "60s"]).output().unwrap()
    });
    let (job, kubeconfig) = hook(world).await;
    let container = &job.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0];
    let check = check(&kubeconfig, container.args.as_ref().unwrap());
    end(&world.client, &job, check.status.success()).await;
    (helm.await.unwrap(), check)
}

/// Runs the operator's program with the arguments of the check, or as the chart gives them in all namespaces.
pub fn check(kubeconfig: &std::path::Path, arguments: &[String]) -> Output {
    let mut command = std::process::Command::new(binary("artifact-token-operator"));
    command.arg("--kubeconfig").arg(kubeconfig);
    let default = ["uninstall-check".to_owned()];
    command.args(if arguments.is_empty() { &default } else { arguments });
    command.output().expect("run the check")
}

/// The Job of the check, once Helm has created it, and a kubeconfig of its account.
async fn hook(world: &World) -> (Job, std::path::PathBuf) {
    let jobs: Api<Job> = Api::namespaced(world.client.clone(), NAMESPACE);
    let look = || async {
        let list = jobs.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let waiting = |job: &&Job| job.status.as_ref().is_none_or(|status| status.conditions.is_none());
        list.items.iter().find(waiting).cloned().ok_or_else(|| format!("{:#?}", list.items))
    };
    let job = poll("the Job of the check", HOOK_DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    let pod = job.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    let account = pod.service_account_name.as_ref().unwrap();
    let kubeconfig = world.plane.kubeconfig_of_account(NAMESPACE, account).await.unwrap();
    (job, kubeconfig)
}

/// Ends the Job as its controller does.
async fn end(client: &Client, job: &Job, succeeded: bool) {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let condition =
        |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": now, "reason": "Ended"});
    let status: Value = if succeeded {
        let conditions = [condition("SuccessCriteriaMet"), condition("Complete")];
        json!({"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions})
    } else {
        json!({"startTime": now, "failed": 1, "conditions": [condition("FailureTarget"), condition("Failed")]})
    };
    let jobs: Api<Job> = Api::namespaced(client.clone(), NAMESPACE);
    let patch = Patch::Merge(json!({"status": status}));
    jobs.patch_status(&job.name_any(), &PatchParams::default(), &patch).await.expect("end the Job");
}
