//! Every CEL rule, kept and broken: an object that it refuses, and the smallest change that makes it accept.

use serde_json::{Value, json};

use crate::bases::{full, with};
use crate::schema::fields;
use crate::world::{KINDS, Kind, SERVICES, check_all, world};

/// One rule: edits of a full base object that break it, and edits that only just keep it.
struct Case {
    kind: Kind,
    /// Words of the rule's message that no other rule has.
    words: &'static str,
    refused: Value,
    accepted: Value,
}

#[tokio::test]
async fn every_rule_refuses_what_breaks_it_and_accepts_what_just_keeps_it() {
    let world = world().await;
    let cases = all_cases();
    check_all(&cases, |case| {
        let world = &world;
        async move {
            let base = &full(case.kind)[0];
            let refused = world.try_create(case.kind, &with(base, &case.refused)).await;
            refused.refused_with(&[case.words]).map_err(|problem| format!("{}: {problem}", case.refused))?;
            let accepted = world.try_create(case.kind, &with(base, &case.accepted)).await;
            accepted
                .result()
                .map_err(|problem| format!("{} (no break of {:?}): {problem}", case.accepted, case.words))?;
            Ok(())
        }
    })
    .await;
}

#[test]
fn every_rule_of_the_schemas_has_a_case() {
    let cases = all_cases();
    let mut rows: Vec<_> = cases.iter().map(|case| (case.kind, case.words)).collect();
    rows.extend(crate::updates::cases().iter().map(|case| (case.kind, case.words)));
    for kind in KINDS {
        let messages: Vec<_> = messages(kind);
        for message in &messages {
            let found = rows.iter().any(|(of, words)| *of == kind && message.contains(words));
            assert!(found, "no case in rules.rs or updates.rs breaks this rule of {}: {message}", kind.name());
        }
        for (_, words) in rows.iter().filter(|(of, _)| *of == kind) {
            let count = messages.iter().filter(|message| message.contains(words)).count();
            assert_eq!(count, 1, "{words:?} stands for one rule of {}", kind.name());
        }
    }
}

/// The messages of all rules of a kind, each once.
fn messages(kind: Kind) -> Vec<String> {
    let schema = kind.schema();
    let mut messages = Vec::new();
    for (path, field) in fields(&schema, "") {
        for rule in field["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap_or_else(|| panic!("{path}: a rule without a message"));
            messages.push(message.to_owned());
        }
    }
    messages.sort();
    messages.dedup();
    messages
}

fn all_cases() -> Vec<Case> {
    // Both kinds of service have the rules of a service.
    let of = |kind| token_service_cases().into_iter().map(move |case| Case { kind, ..case });
    let services = SERVICES.into_iter().flat_map(of);
    artifact_token_cases().into_iter().chain(services).chain(allowed_namespaces_cases()).collect()
}

fn allowed_namespaces_cases() -> Vec<Case> {
    let case = |words, refused, accepted| Case { kind: Kind::ClusterTokenService, words, refused, accepted };
    let allowed = "/spec/allowedNamespaces";
    let chosen = |allowed: Value| json!({"/spec/allowedNamespaces": allowed});
    let (selector, names) = ("set allowedNamespaces.selector when", "set allowedNamespaces.names when");
    let expressions = format!("{allowed}/selector/matchExpressions");
    let values = |index: usize, values: Value| json!({format!("{expressions}/{index}/values"): values});
    vec![
        case(selector, chosen(json!({"from": "Selector"})), json!({})),
        case(selector, json!({format!("{allowed}/from"): "All"}), chosen(json!({"from": "All"}))),
        case(selector, json!({format!("{allowed}/from"): null}), chosen(json!({}))),
        case(names, chosen(json!({"from": "Names"})), chosen(json!({"from": "Names", "names": ["ci"]}))),
        case(names, json!({format!("{allowed}/names"): ["ci"]}), chosen(json!({"from": "None"}))),
        case(
            "an empty selector matches every namespace",
            chosen(json!({"from": "Selector", "selector": {"matchLabels": {}, "matchExpressions": []}})),
            chosen(json!({"from": "Selector", "selector": {"matchLabels": {"team": "ci"}}})),
        ),
        case(
            "an empty selector matches every namespace",
            chosen(json!({"from": "Selector", "selector": {}})),
            json!({format!("{allowed}/selector/matchLabels"): null}),
        ),
        case("set values with the operators In and NotIn", values(0, Value::Null), values(0, json!(["x"]))),
        case("set values with the operators In and NotIn", values(1, json!(["x"])), json!({})),
    ]
}

fn artifact_token_cases() -> Vec<Case> {
    let case = |words, refused, accepted| Case { kind: Kind::ArtifactToken, words, refused, accepted };
    let mut cases = vec![
        case(
            "use at most 63 characters",
            json!({"/metadata/name": "a".repeat(64)}),
            json!({"/metadata/name": "a".repeat(63)}),
        ),
        case(
            "spec.rotation.rotateBefore must be shorter than spec.lifetime",
            json!({"/spec/lifetime": "336h"}),
            json!({"/spec/lifetime": "336h1ms"}),
        ),
        case(
            "spec.rotation.rotateBefore must be shorter than spec.lifetime",
            json!({"/spec/lifetime": "336h"}),
            json!({"/spec/lifetime": "Never"}),
        ),
        case(
            "spec.rotation.interval is needed with policy Periodic",
            json!({"/spec/rotation/interval": null}),
            json!({"/spec/rotation/interval": null, "/spec/rotation/policy": "Disabled"}),
        ),
        case(
            "spec.rotation.interval is needed with policy Periodic",
            json!({"/spec/rotation/policy": "Disabled"}),
            json!({}),
        ),
        case(
            "spec.rotation.interval must be at least 10s",
            json!({"/spec/rotation/interval": "9999ms", "/spec/rotation/overlap": "1s"}),
            json!({"/spec/rotation/interval": "10s", "/spec/rotation/overlap": "1s"}),
        ),
        case(
            "spec.rotation.overlap must be shorter than spec.rotation.interval",
            json!({"/spec/rotation/overlap": "720h"}),
            json!({"/spec/rotation/overlap": "719h59m59s999ms"}),
        ),
        case(
            "spec.verification.interval must be at least 1s",
            json!({"/spec/verification/interval": "999ms"}),
            json!({"/spec/verification/interval": "1s"}),
        ),
    ];
    cases.extend(secret_cases());
    cases.extend(entry_cases());
    cases
}

/// Rules of the Secret as a whole.
fn secret_cases() -> Vec<Case> {
    let case = |words, refused, accepted| Case { kind: Kind::ArtifactToken, words, refused, accepted };
    let template = json!({"key": "a", "format": "Template", "template": "{{ token }}"});
    let raw = json!({"key": "token", "format": "Raw"});
    let basic = json!({"key": "password", "format": "BasicAuth", "username": "ci"});
    let seal = json!({"key": "SEAL_TOKEN", "format": "SealEnv", "username": "payments"});
    let docker =
        |key: &str| json!({"key": key, "format": "DockerConfigJson", "username": "ci", "registry": "r.example"});
    let labels = "use a label key of your own";
    let annotations = "use an annotation key of your own";
    vec![
        case(
            "the operator reads the token back from it",
            json!({"/spec/secret/data": [template]}),
            json!({"/spec/secret/data": [template, raw]}),
        ),
        case(
            "needs an entry with key .dockerconfigjson",
            json!({"/spec/secret/type": "kubernetes.io/dockerconfigjson", "/spec/secret/data": [docker("config.json")]}),
            json!({
                "/spec/secret/type": "kubernetes.io/dockerconfigjson",
                "/spec/secret/data": [docker(".dockerconfigjson")],
            }),
        ),
        case(
            "type kubernetes.io/basic-auth needs",
            json!({"/spec/secret/type": "kubernetes.io/basic-auth", "/spec/secret/data": [raw]}),
            json!({"/spec/secret/type": "kubernetes.io/basic-auth", "/spec/secret/data": [basic]}),
        ),
        case(
            "format BasicAuth writes the key username itself",
            json!({"/spec/secret/data": [basic, {"key": "username", "format": "Raw"}]}),
            json!({"/spec/secret/data": [basic, {"key": "user", "format": "Raw"}]}),
        ),
        case(
            "format SealEnv writes the key SEAL_PROJECT itself",
            json!({"/spec/secret/data": [seal, {"key": "SEAL_PROJECT", "format": "Raw"}]}),
            json!({"/spec/secret/data": [seal, {"key": "PROJECT", "format": "Raw"}]}),
        ),
        case(
            labels,
            json!({"/spec/secret/labels": {"artifact-token.dev/managed": "x"}}),
            json!({"/spec/secret/labels": {"my-artifact-token.dev/managed": "x"}}),
        ),
        case(
            labels,
            json!({"/spec/secret/labels": {"batch.kubernetes.io/x": "x"}}),
            json!({"/spec/secret/labels": {"app.kubernetes.io/part-of": "ci"}}),
        ),
        case(
            "Argo CD takes an object with it for a part of that application",
            json!({"/spec/secret/labels": {"app.kubernetes.io/instance": "ci"}}),
            json!({"/spec/secret/labels": {"app.kubernetes.io/instances": "ci"}}),
        ),
        case(
            labels,
            json!({"/spec/secret/labels": {"k8s.io/x": "x"}}),
            json!({"/spec/secret/labels": {"k8s.io.example/x": "x"}}),
        ),
        case(
            annotations,
            json!({"/spec/secret/annotations": {"artifact-token.dev/owner": "x"}}),
            json!({"/spec/secret/annotations": {"example/artifact-token.dev": "x"}}),
        ),
        case(
            annotations,
            json!({"/spec/secret/annotations": {"app.kubernetes.io/part-of": "x"}}),
            json!({"/spec/secret/annotations": {"tekton.dev/git-0": "https://git.example"}}),
        ),
    ]
}

/// Rules of one entry of the Secret. The base has one entry of each format: Npmrc, Raw, DockerConfigJson, BasicAuth, Template,
/// SealEnv.
fn entry_cases() -> Vec<Case> {
    let data = "/spec/secret/data";
    let edit = |index: usize, field: &str, value: Value| json!({format!("{data}/{index}/{field}"): value});
    let case = |words, refused, accepted| Case { kind: Kind::ArtifactToken, words, refused, accepted };
    let username = "set username: formats BasicAuth, DockerConfigJson and SealEnv";
    let registry = "set registry: formats Npmrc";
    let npmrc = "remove scopes and auth";
    vec![
        case("set template when", edit(4, "template", Value::Null), json!({})),
        case("set template when", edit(1, "template", json!("x")), edit(4, "template", json!("x"))),
        case("set key to password", edit(3, "key", json!("passwd")), json!({})),
        case("set key to SEAL_TOKEN", edit(5, "key", json!("SEAL")), json!({})),
        case(username, edit(5, "username", Value::Null), json!({})),
        case(username, edit(3, "username", Value::Null), json!({})),
        case(username, edit(2, "username", Value::Null), json!({})),
        case(username, edit(0, "username", Value::Null), {
            json!({"/spec/secret/data/0/username": null, "/spec/secret/data/0/auth": "Bearer"})
        }),
        case("remove username, or", edit(1, "username", json!("ci")), edit(4, "username", json!("ci"))),
        case(
            "remove username, or",
            edit(0, "auth", Value::Null),
            json!({"/spec/secret/data/0/username": null, "/spec/secret/data/0/auth": null}),
        ),
        case(registry, edit(0, "registry", Value::Null), json!({})),
        case(registry, edit(2, "registry", Value::Null), json!({})),
        case("remove registry", edit(1, "registry", json!("r.example")), edit(4, "registry", json!("r.example"))),
        case("remove registry", edit(3, "registry", json!("r.example")), json!({})),
        case("start registry with https://", edit(0, "registry", json!("npm.example")), {
            edit(2, "registry", json!("npm.example"))
        }),
        case(npmrc, edit(1, "scopes", json!(["@a"])), edit(0, "scopes", json!(["@a", "@b"]))),
        case(npmrc, edit(2, "auth", json!("Basic")), edit(0, "auth", json!("Basic"))),
    ]
}

fn token_service_cases() -> Vec<Case> {
    let case = |words, refused, accepted| Case { kind: Kind::TokenService, words, refused, accepted };
    let reference = json!({"name": "reg-admin", "key": "user"});
    let long = |length: usize| "a".repeat(length);
    let mut cases = vec![
        case(
            "preset Custom starts from nothing",
            json!({"/spec/operations": null}),
            json!({"/spec/operations": null, "/spec/preset": "Verdaccio"}),
        ),
        case("preset Custom starts from nothing", json!({"/spec/operations/verify": null}), json!({})),
        case(
            "credentials would be sent in clear text",
            json!({"/spec/baseURL": "http://tokens.corp.example"}),
            json!({"/spec/baseURL": "http://tokens.corp.example", "/spec/connection/insecureHTTP": true, "/spec/connection/proxy": null}),
        ),
        case(
            "tokens would be sent in clear text",
            json!({"/spec/operations/verify/baseURL": "http://dl.corp.example"}),
            json!({"/spec/operations/verify/baseURL": "http://dl.corp.example", "/spec/connection/insecureHTTP": true, "/spec/connection/proxy": null}),
        ),
        case(
            "a proxy would see the credentials",
            json!({"/spec/connection/insecureHTTP": true}),
            json!({"/spec/connection/insecureHTTP": true, "/spec/connection/proxy": null}),
        ),
        case(
            "connection.timeout must be from 1s to 10m",
            json!({"/spec/connection/timeout": "999ms"}),
            json!({"/spec/connection/timeout": "1s"}),
        ),
        case(
            "names of credentials are letters",
            json!({"/spec/credentials": {"admin-key": reference}}),
            json!({"/spec/credentials": {"adminKey_1": reference}}),
        ),
        case(
            "names of credentials are letters",
            json!({"/spec/credentials": {long(64): reference}}),
            json!({"/spec/credentials": {long(63): reference}}),
        ),
        case(
            "names of variables are letters",
            json!({"/spec/variables": {"1st": "a"}}),
            json!({"/spec/variables": {"first": "a"}}),
        ),
        case(
            "connection.timeout must be from 1s to 10m",
            json!({"/spec/connection/timeout": "10m1ms"}),
            json!({"/spec/connection/timeout": "10m"}),
        ),
    ];
    cases.extend(base_url_cases());
    cases.extend(operation_cases());
    cases
}

fn base_url_cases() -> Vec<Case> {
    let url = |url: &str| json!({"/spec/baseURL": url, "/spec/connection/insecureHTTP": true, "/spec/connection/proxy": null});
    let case = |refused, accepted| Case {
        kind: Kind::TokenService,
        words: "write baseURL like",
        refused: url(refused),
        accepted: url(accepted),
    };
    vec![
        case("tokens.corp.example", "http://tokens.corp.example"),
        case("ftp://tokens.corp.example", "https://tokens.corp.example:8443"),
        case("https://", "https://t"),
        case("https://user:password@t", "https://t/"),
        case("https://t/api?a=b", "https://t/api"),
        case("https://t/api#b", "https://t/api/b"),
        case("https://t/a b", "https://[::1]:8443/a"),
        case("", "https://t/a%20b"),
    ]
}

fn operation_cases() -> Vec<Case> {
    let case = |words, refused, accepted| Case { kind: Kind::TokenService, words, refused, accepted };
    let one = "set exactly one of basic, bearer and header";
    let page = "set exactly one of pageParameter, nextURL and link";
    let pagination = "/spec/operations/list/pagination";
    let mut cases = vec![
        case(one, json!({"/spec/operations/authentication/bearer": "x"}), {
            json!({"/spec/operations/authentication/basic": null, "/spec/operations/authentication/bearer": "x"})
        }),
        case(one, json!({"/spec/operations/authentication": {}}), json!({"/spec/operations/authentication": null})),
        case(page, json!({format!("{pagination}/link"): true}), json!({format!("{pagination}/link"): false})),
        case(page, json!({pagination: {"link": false}}), json!({pagination: {"link": true}})),
        case(page, json!({pagination: {}}), json!({pagination: {"nextURL": "$.next"}})),
        case("firstPage and next belong to", json!({pagination: {"link": true, "firstPage": 1}}), json!({})),
        case("firstPage and next belong to", json!({pagination: {"link": true, "next": "$.n"}}), json!({})),
    ];
    cases.extend(["generate", "verify", "list", "revoke"].map(|operation| {
        let request = format!("/spec/operations/{operation}/request");
        let (json, form) = (format!("{request}/json"), format!("{request}/form"));
        let other = json!({json: null, form.clone(): {"a": "b"}});
        case("set json or form, not both", json!({form: {"a": "b"}}), other)
    }));
    cases.extend(["generate", "verify", "list", "revoke"].map(|operation| {
        let request = format!("/spec/operations/{operation}/request");
        let (basic, header) = (format!("{request}/basic"), format!("{request}/headers/AUTHORIZATION"));
        let (both, other) = (json!({header.clone(): "Bearer x"}), json!({basic: null, header: "Bearer x"}));
        case("set basic or the header Authorization, not both", both, other)
    }));
    cases
}
