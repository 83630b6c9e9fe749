//! Errors in the spec of an `ArtifactToken`.

use artifact_token_operator::api::reason::Reason;
use serde_json::{Value, json};

use crate::{says, stalls};
use support::World;
use support::objects::{artifact_token, token_service};

/// A wrong spec: the name of its object, the change, the reason, and words of the message.
type Case = (&'static str, fn(&mut Value), Reason, &'static [&'static str]);

/// Each case has its own object. A correct object beside them shows that the service would have made tokens.
async fn check(prefix: &str, change_service: fn(&mut Value), cases: &[Case]) {
    let world = World::bare(prefix).await;
    world.apply(&support::credential_yaml(world.service.admin_key())).await;
    world.apply(&token_service("reference", &world.service.base_url(), change_service)).await;
    let _operator = world.operator().await;
    for (name, change, _, _) in cases {
        world.create(name, change).await;
    }
    for (name, _, reason, words) in cases {
        stalls(&world, name, *reason, words).await;
    }
    assert!(world.made().await.is_empty(), "a token was made");
    world.create("right", |spec| spec["parameters"] = json!({"scopes": ["read"]})).await;
    world.until_ready("right").await;
    assert_eq!(world.count().await, 1);
}

fn template(spec: &mut Value, text: &str) {
    let entry = json!({"key": "file", "format": "Template", "template": text});
    spec["secret"]["data"].as_array_mut().unwrap().push(entry);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_cannot_be_rendered_is_reported_before_a_token_is_made() {
    let cases: [Case; 4] = [
        ("unclosed", |spec| template(spec, "key={{ token"), Reason::InvalidSpec, &["file", "template", "}}"]),
        (
            "unknown",
            |spec| template(spec, "key={{ pasword }}"),
            Reason::InvalidSpec,
            &["file", "template", "use token, id and expirationTime"],
        ),
        ("filter", |spec| template(spec, "{{ token | upper }}"), Reason::InvalidSpec, &["file", "template", "upper"]),
        (
            "loop",
            |spec| template(spec, "{% for x in y %}{% endfor %}"),
            Reason::InvalidSpec,
            &["file", "\"for\"", "if"],
        ),
    ];
    check("template", |_| {}, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_cannot_give_is_reported_before_a_token_is_made() {
    let cases: [Case; 5] = [
        (
            "too-short",
            |spec| spec["lifetime"] = json!("30s"),
            Reason::UnsupportedLifetime,
            &["lifetime 30s", "before it is replaced", "at least"],
        ),
        ("milliseconds", |spec| spec["lifetime"] = json!("500ms"), Reason::UnsupportedLifetime, &["500ms", "least"]),
        (
            "unknown",
            |spec| spec["parameters"] = json!({"role": "admin"}),
            Reason::ParameterNotAllowed,
            &["role", "it knows scopes"],
        ),
        (
            "forbidden",
            |spec| spec["parameters"] = json!({"scopes": ["admin"]}),
            Reason::ParameterNotAllowed,
            &["scopes", "use read, write"],
        ),
        (
            "number",
            |spec| spec["parameters"] = json!({"scopes": 7}),
            Reason::ParameterNotAllowed,
            &["scopes", "string"],
        ),
    ];
    let service = |spec: &mut Value| spec["constraints"]["parameters"] = json!({"scopes": ["read", "write"]});
    check("cannot", service, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_too_fast_is_reported_before_a_token_is_made() {
    let cases: [Case; 2] = [
        (
            "fast",
            |spec| spec["rotation"] = json!({"policy": "Periodic", "interval": "10s", "overlap": "1s"}),
            Reason::InvalidSpec,
            &["spec.rotation.interval", "30s", "constraints.minimumInterval"],
        ),
        (
            "overlap",
            |spec| spec["rotation"] = json!({"policy": "Periodic", "interval": "30m"}),
            Reason::InvalidSpec,
            &["overlap", "shorter", "interval"],
        ),
    ];
    let service = |spec: &mut Value| {
        spec["constraints"]["minimumInterval"] = json!("30s");
        spec["defaults"] = json!({"overlap": "1h"});
    };
    check("fast", service, &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_at_a_service_whose_tokens_never_expire_is_reported_before_a_token_is_made() {
    let service = |spec: &mut Value| {
        let mut operations = support::objects::reference_operations();
        operations.as_object_mut().unwrap().remove("lifetime");
        spec["preset"] = json!("Custom");
        spec["operations"] = operations;
    };
    let case: Case = (
        "limited",
        |spec| spec["lifetime"] = json!("24h"),
        Reason::UnsupportedLifetime,
        &["never expire", "lifetime: Never"],
    );
    check("expire", service, &[case]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_refuses_what_the_schema_can_tell() {
    let world = World::bare("schema").await;
    let check = async |change: fn(&mut Value), words: &[&str]| {
        says(&world.refused(&artifact_token("wrong", change)).await, words);
    };
    check(
        |spec| spec["rotation"] = json!({"policy": "Periodic", "interval": "10s", "overlap": "10s"}),
        &["spec.rotation.overlap must be shorter"],
    )
    .await;
    check(|spec| spec["rotation"] = json!({"policy": "Periodic", "interval": "9s"}), &["at least 10s"]).await;
    check(|spec| spec["rotation"] = json!({"policy": "Periodic"}), &["spec.rotation.interval is needed"]).await;
    check(|spec| spec["lifetime"] = json!("30d"), &["spec.lifetime"]).await;
    check(|spec| spec["secret"]["data"] = json!([{"key": "x", "format": "Npmrc"}]), &["set registry"]).await;
    let url = world.service.base_url();
    let unknown = world.refused(&token_service("wrong", &url, |spec| spec["preset"] = json!("Appetite"))).await;
    says(&unknown, &["Appetite", "Reference", "Verdaccio", "Custom"]);
    let plain = world.refused(&token_service("wrong", &url, |spec| spec["connection"] = json!({}))).await;
    says(&plain, &["credentials would be sent in clear text", "insecureHTTP"]);
}
