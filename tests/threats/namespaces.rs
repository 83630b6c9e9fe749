//! An operator for some namespaces asks the API server about nothing else.

use artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::Api;
use serde_json::json;
use testbed::{Operator, cluster};

use crate::WATCHED;
use support::token_yaml;

/// GHSA-fcxq-v2r3-cc8h (External Secrets): a list without a namespace read the Secrets of all namespaces, by a label that an
/// attacker could choose. Here a token is issued, rotated and deleted, while a Secret in another namespace has the operator's label
/// and the object's owner mark. After that, the audit log has no request outside of the operator's namespace.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_for_one_namespace_never_asks_outside_of_it() {
    let world = crate::quick("inside").await;
    let outside = cluster::namespace(&world.client, "outside").await.unwrap();
    let kubeconfig = world.plane.kubeconfig_for(WATCHED).unwrap();
    let mark = world.plane.mark().await.unwrap();
    world.apply(&token_yaml("ci")).await;
    let uid = world.token("ci").await.uid().unwrap();
    cluster::apply(&world.client, &lookalike(&uid), &outside).await.unwrap();
    let there: Api<Secret> = Api::namespaced(world.client.clone(), &outside);
    let before = there.get("ci-secret").await.unwrap();
    let _operator = Operator::start(world.operator_options_as(kubeconfig)).await.unwrap();
    world.until_ready("ci").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert_eq!(there.get("ci-secret").await.unwrap(), before, "the Secret outside was not touched");

    let entries = world.plane.audit_since(mark).await.unwrap();
    let own: Vec<_> = entries.iter().filter(|entry| entry.user == WATCHED).collect();
    let lists = own.iter().filter(|entry| ["list", "watch"].contains(&entry.verb.as_str())).count();
    assert!(lists >= 3, "the operator watches objects, services and Secrets: {own:#?}");
    let stray: Vec<_> =
        own.iter().filter(|entry| !entry.resource.is_empty() && entry.namespace != world.namespace).collect();
    assert!(stray.is_empty(), "outside of {}: {stray:#?}", world.namespace);
    let accounts: Vec<_> = own.iter().filter(|entry| entry.resource == "serviceaccounts").collect();
    assert!(accounts.is_empty(), "the operator asked for a token of an account: {accounts:#?}");
    println!("{} requests of one life, {lists} lists and watches, 0 outside of the namespace", own.len());
}

fn lookalike(uid: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "ci-secret",
            "labels": {"artifact-token.dev/managed": "true"},
            "annotations": {"artifact-token.dev/owner": format!("ArtifactToken/ci/{uid}"), "artifact-token.dev/attempt": "9"},
        },
        "stringData": {"token": "outside"},
    })
    .to_string()
}

/// The same case for the spec: no field of it names another namespace, so it cannot point outside.
#[test]
fn no_field_of_any_kind_names_a_namespace_or_of_a_token_a_url() {
    for crd in artifact_token_operator::api::crds() {
        let kind = crd.spec.names.kind.clone();
        let text = serde_json::to_value(&crd).unwrap();
        let spec = text.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap().clone();
        let mut names = Vec::new();
        fields(&spec, &mut names);
        assert!(names.len() > 15, "{names:?}");
        // This field says which namespaces may use the service; it points to no object.
        let leads = |name: &&String| *name != "allowedNamespaces" && name.to_lowercase().contains("namespace");
        let namespaced = names.iter().find(leads);
        assert_eq!(namespaced, None, "{kind}");
        let url = names.iter().find(|name| {
            ["url", "uri", "endpoint", "server", "address"].iter().any(|word| name.to_lowercase().contains(word))
        });
        assert_eq!(url.is_some(), kind.ends_with("TokenService"), "{kind}: {url:?}");
    }
}

fn fields(schema: &serde_json::Value, names: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, field) in properties {
            names.push(name.clone());
            fields(field, names);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            fields(&schema[inner], names);
        }
    }
}
