//! Who may list no Leases, and still is told that nobody leads.

use std::process::Command;

use testbed::cluster;

use crate::session::{Session, token_yaml};

/// Somebody who may work with ArtifactTokens, and nothing else.
const MEMBER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: member}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: member}
rules: [{apiGroups: [artifact-token.dev], resources: [artifacttokens], verbs: [get, list, watch, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: member}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: member}
subjects: [{kind: ServiceAccount, name: member}]
";

/// A Lease that nobody holds, where the documents install the chart.
const LEASE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: artifact-tokens}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: artifact-token-operator, namespace: artifact-tokens}
spec: {holderIdentity: '', leaseDurationSeconds: 15}
";

#[tokio::test]
async fn the_chart_lets_everybody_see_that_no_operator_leads() {
    let session = Session::with_service("plugin-lease").await;
    let world = &session.world;
    world.apply(&token_yaml("ci")).await;
    world.apply(MEMBER).await;
    let account = world.plane.kubeconfig_of_account(&world.namespace, "member").await.unwrap();
    let line = format!("rotate ci -n $NS --timeout 3s --kubeconfig {}", account.display());
    let rotate = || {
        let output = session.command(&line).env_remove("ARTIFACT_TOKEN_LEASE").output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        // Sentences go on in the next line.
        (output.status.code().unwrap(), told.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (code, told) = rotate();
    assert!(code != 4 && told.contains("Warning: you may not list Leases"), "{code}: {told}");
    world.apply(LEASE).await;
    let (code, told) = rotate();
    assert!(code != 4 && told.contains("Warning: you may not list Leases"), "{code}: {told}");
    cluster::apply(&world.client, &roles(world.plane.helm().unwrap()), "artifact-tokens").await.unwrap();
    let (code, told) = rotate();
    assert!(code == 4 && told.contains("nobody has held the Lease artifact-tokens/artifact-token-operator"), "{told}");
}

/// The roles of the chart with its default values.
fn roles(mut helm: Command) -> String {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/artifact-token-operator");
    helm.args(["template", "artifact-token-operator", chart, "--namespace=artifact-tokens"]);
    let output = helm.arg("--show-only=templates/rbac.yaml").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
