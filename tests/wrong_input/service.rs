//! Errors in the spec of a `TokenService`, or of the service behind it.

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use serde_json::{Value, json};

use crate::{says, stalls, waits};
use support::objects::{quick_generate, reference_operations, token_service};
use support::{World, credential_yaml, token_yaml};

/// A wrong service object: its name, the change of its spec, the reason, and words of the message.
pub type Case = (&'static str, fn(&mut Value), Reason, &'static [&'static str]);

pub async fn check(prefix: &str, cases: &[Case]) {
    let world = World::start(prefix).await;
    let _operator = world.operator().await;
    for (name, change, _, _) in cases {
        world.apply(&token_service(name, &world.service.base_url(), change)).await;
        world.create(name, |spec| spec["serviceRef"]["name"] = json!(name)).await;
    }
    for (name, _, reason, words) in cases {
        let ready = world.until_service(name, ConditionType::Ready, *reason).await;
        says(&ready.message, words);
        stalls(&world, name, *reason, words).await;
    }
    assert!(world.made().await.is_empty(), "a token was made");
    world.apply(&token_yaml("right")).await;
    world.until_ready("right").await;
    assert_eq!(world.count().await, 1);
}

fn generate_json(spec: &mut Value, text: &str) {
    let mut generate = quick_generate();
    generate["request"]["json"] = json!(text);
    spec["operations"] = json!({"generate": generate});
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_that_cannot_work_is_reported_before_a_token_is_made() {
    const PLACE: &str = "spec.operations.generate.request.json";
    let cases: [Case; 5] = [
        ("unclosed", |spec| generate_json(spec, r#"{"name": {{ name }"#), Reason::InvalidSpec, &[PLACE]),
        ("unknown", |spec| generate_json(spec, r#"{"name": {{ nmae }}}"#), Reason::InvalidSpec, &[PLACE, "nmae"]),
        ("filter", |spec| generate_json(spec, r#"{"name": {{ name | upper }}}"#), Reason::InvalidSpec, &[PLACE]),
        (
            "prefix",
            |spec| drop(spec.as_object_mut().unwrap().remove("naming")),
            Reason::InvalidSpec,
            &["spec.naming.prefix", "choose one"],
        ),
        (
            "short",
            |spec| spec["operations"] = json!({"naming": {"maximumLength": 20}}),
            Reason::NameTooShort,
            &["spec.operations.naming.maximumLength", "20", "needed"],
        ),
    ];
    check("declaration", &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_proves_nothing_or_knows_no_such_place_is_reported_before_a_token_is_made() {
    let cases: [Case; 2] = [
        (
            "open",
            |spec| {
                let mut verify = reference_operations()["verify"].clone();
                verify["request"]["path"] = json!("/v1/open");
                spec["operations"] = json!({"verify": verify});
            },
            Reason::VerifyProvesNothing,
            &["proves nothing", "operations.verify"],
        ),
        (
            "place",
            |spec| {
                let mut list = reference_operations()["list"].clone();
                list["request"]["path"] = json!("/v2/tokens");
                spec["operations"] = json!({"list": list});
            },
            Reason::InvalidSpec,
            &["list", "spec.operations.list.request"],
        ),
    ];
    check("proves", &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_at_a_link_local_or_metadata_address_is_reported_before_anything_is_sent() {
    let link_local: &[&str] = &["spec.baseURL", "a link-local address", "set spec.connection.allowLinkLocal: true"];
    let cases: [Case; 4] = [
        ("metadata", |spec| spec["baseURL"] = json!("http://169.254.169.254/latest"), Reason::InvalidSpec, link_local),
        ("decimal", |spec| spec["baseURL"] = json!("http://2852039166"), Reason::InvalidSpec, link_local),
        ("mapped", |spec| spec["baseURL"] = json!("http://[::ffff:a9fe:a9fe]:80/"), Reason::InvalidSpec, link_local),
        (
            "nowhere",
            |spec| {
                spec["baseURL"] = json!("http://0.0.0.0:8090");
                spec["connection"]["allowLinkLocal"] = json!(true);
            },
            Reason::InvalidSpec,
            &["spec.baseURL", "not the address of any host", "use the service's own address"],
        ),
    ];
    check("address", &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_would_lead_to_another_path_is_refused() {
    let world = World::bare("paths").await;
    let url = world.service.base_url();
    for name in ["a b", "vault/reg-admin", "?limit=1", "../x"] {
        let credential = token_service("paths", &url, |spec| spec["credentials"]["adminKey"]["name"] = json!(name));
        says(&world.refused(&credential).await, &["spec.credentials.adminKey.name"]);
        let bundle = json!({"name": name, "key": "ca.crt"});
        let bundle = token_service("paths", &url, |spec| spec["connection"]["caBundleRef"] = bundle);
        says(&world.refused(&bundle).await, &["spec.connection.caBundleRef.name"]);
    }
}

/// A link-local IPv6 address without its link leads nowhere on any machine, so this test calls no real host.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_local_address_that_the_service_object_allows_is_asked() {
    let world = World::bare("allowed").await;
    world.apply(&credential_yaml("key")).await;
    let _operator = world.operator().await;
    let there = |allow: bool| {
        token_service("there", "http://[fe80::1]:8090", |spec| spec["connection"]["allowLinkLocal"] = json!(allow))
    };
    world.apply(&there(false)).await;
    world.until_service("there", ConditionType::Stalled, Reason::InvalidSpec).await;
    world.apply(&there(true)).await;
    let asked = world.until_service("there", ConditionType::Ready, Reason::ServiceNotReady).await;
    says(&asked.message, &["verify", "no connection to the service"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_what_its_path_names_is_reported_before_a_token_is_made() {
    let world = World::quick("rows").await;
    let mut list = reference_operations()["list"].clone();
    list["items"] = json!("$.rows[*]");
    world.serve(|spec| spec["operations"]["list"] = list).await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_service("reference", ConditionType::Ready, Reason::ServiceNotReady).await;
    waits(&world, "ci", Reason::ServiceNotReady, &["correct spec.operations.list.items"]).await;
    assert!(world.made().await.is_empty());
    world.serve(|_| {}).await;
    world.until_ready("ci").await;
    assert_eq!(world.count().await, 1);
}

/// A missing or wrong `credential` stalls service and object; after it is corrected, the token comes without a restart.
async fn corrected(prefix: &str, credential: Option<&str>, reason: Reason, words: &[&str]) {
    let world = World::bare(prefix).await;
    if let Some(key) = credential {
        world.apply(&credential_yaml(key)).await;
    }
    world.serve(|_| {}).await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_service("reference", ConditionType::Stalled, reason).await;
    stalls(&world, "ci", reason, words).await;
    assert!(world.made().await.is_empty(), "a token was made");
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_credential_is_reported_and_once_created_the_token_comes_by_itself() {
    corrected("missing", None, Reason::CredentialMissing, &["adminKey", "create its Secret"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reference_does_not_lead_to_is_told_by_its_name() {
    let cases: [Case; 3] = [
        (
            "no-bundle",
            |spec| spec["connection"]["caBundleRef"] = json!({"name": "corp-ca", "key": "ca.crt"}),
            Reason::CredentialMissing,
            &["spec.connection.caBundleRef", "there is no ConfigMap corp-ca"],
        ),
        (
            "no-secret",
            |spec| spec["credentials"]["adminKey"]["name"] = json!("nowhere"),
            Reason::CredentialMissing,
            &["the credential adminKey", "there is no Secret nowhere"],
        ),
        (
            "no-key",
            |spec| spec["credentials"]["adminKey"]["key"] = json!("nothing"),
            Reason::CredentialMissing,
            &["the credential adminKey", "has no key nothing"],
        ),
    ];
    check("nowhere", &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_the_service_refuses_is_reported_and_once_corrected_the_token_comes_without_a_restart() {
    let words = ["spec.credentials", "valid credential"];
    corrected("rejected", Some("wrong"), Reason::CredentialRejected, &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_is_waited_for() {
    let mut world = World::quick("down").await;
    world.service.process().kill();
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_service("reference", ConditionType::Reconciling, Reason::ServiceNotReady).await;
    waits(&world, "ci", Reason::ServiceNotReady, &["verify", "asked again"]).await;
    world.service.restart().await.unwrap();
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.made().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_what_its_path_names_leaves_no_token_behind() {
    for (prefix, path) in [("nothing", "$.key"), ("two", "$['id', 'token']")] {
        let world = World::quick(prefix).await;
        let mut generate = quick_generate();
        generate["response"]["value"] = json!(path);
        world.serve(|spec| spec["operations"]["generate"] = generate).await;
        let _operator = world.operator().await;
        world.apply(&token_yaml("ci")).await;
        let ready = world.until_reason("ci", ConditionType::Ready, Reason::TokenGenerationFailed).await;
        says(&ready.message, &["correct spec.operations.generate.response.value"]);
        let (type_, note) = world.until_event("ci", "TokenGenerationFailed").await;
        assert_eq!(type_, "Warning");
        says(&note, &["spec.operations.generate.response.value", "may live unseen"]);
        world.serve(|_| {}).await;
        world.until_ready("ci").await;
        world.agrees("ci", "ci-secret").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_object_that_does_not_exist_is_named_and_waited_for() {
    let world = World::bare("nowhere").await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    waits(&world, "ci", Reason::ServiceNotFound, &["TokenService reference", "create it"]).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.serve(|_| {}).await;
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
}
