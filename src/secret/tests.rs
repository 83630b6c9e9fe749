#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::content::{DesiredSecret, Obstacle, check, desired, obstacle, shell, token_in};
use super::formats::{Facts, Unrenderable};
use super::metadata::{MAX_NUMBER, Marks, Owner, Ownership, ownership, read_marks};
use super::patch::{create_body, drift, marks_patch, merge_patch};
use crate::api::secret_template::SecretTemplate;

fn template(spec: Value) -> SecretTemplate {
    serde_json::from_value(spec).unwrap()
}

/// A template with every readable format, as a user would write it.
fn rich() -> SecretTemplate {
    template(json!({
        "name": "seal-token",
        "labels": {"app.kubernetes.io/part-of": "ci", "team": "payments"},
        "annotations": {"tekton.dev/git-0": "https://git.example"},
        "data": [
            {"key": "token", "format": "Raw"},
            {"key": ".npmrc", "format": "Npmrc", "registry": "https://npm.example/"},
            {"key": "config.json", "format": "DockerConfigJson", "registry": "r.example", "username": "u"},
            {"key": "password", "format": "BasicAuth", "username": "u"},
            {"key": "a.ini", "format": "Template", "template": "key={{ token }}\n"},
        ],
    }))
}

fn raw() -> SecretTemplate {
    template(json!({"name": "seal-token", "data": [{"key": "token", "format": "Raw"}]}))
}

fn owner() -> Owner {
    Owner { kind: "ArtifactToken".to_owned(), name: "seal".to_owned(), uid: "uid-1".to_owned() }
}

fn marks(attempt: u32) -> Marks {
    Marks {
        attempt,
        token_id: Some(format!("tok_{attempt}")),
        superseded: vec![format!("tok_{}", attempt - 1), "tok_x/\"y".to_owned()],
        fence: attempt - 1,
    }
}

fn with_token(template: &SecretTemplate, marks: &Marks, token: &str) -> DesiredSecret {
    let token = SecretString::from(token);
    desired(template, &owner(), marks, &Facts { token: &token, id: Some("tok"), expiration_time: None }).unwrap()
}

/// As the API server stores it.
fn stored(desired: &DesiredSecret) -> Secret {
    let mut secret = create_body(desired, "seal-token", "ci");
    secret.metadata.resource_version = Some("41".to_owned());
    secret
}

/// RFC 7396.
fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            apply(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn patched(secret: &Secret, patch: &Value) -> Secret {
    let mut value = serde_json::to_value(secret).unwrap();
    apply(&mut value, patch);
    serde_json::from_value(value).unwrap()
}

fn token(template: &SecretTemplate, secret: &Secret) -> Option<String> {
    token_in(template, secret).map(|token| token.expose_secret().to_owned())
}

fn set(secret: &mut Secret, key: &str, text: &str) {
    secret.metadata.annotations.get_or_insert_default().insert(format!("artifact-token.dev/{key}"), text.to_owned());
}

#[test]
fn a_created_secret_reads_back_as_what_was_written() {
    let secret = stored(&with_token(&rich(), &marks(7), "s3al+/tok=x"));
    assert_eq!(read_marks(&secret), marks(7));
    assert_eq!(read_marks(&secret).highest(), 7);
    assert_eq!(ownership(&secret, &owner()), Ownership::Ours);
    assert_eq!(token(&rich(), &secret).as_deref(), Some("s3al+/tok=x"));
    assert_eq!(secret.metadata.labels.unwrap()["artifact-token.dev/managed"], "true");
    assert_eq!(secret.metadata.owner_references, None);
}

#[test]
fn a_patch_gives_exactly_the_content_and_keeps_what_others_put_there() {
    let mut current = stored(&with_token(&rich(), &marks(7), "old"));
    current.metadata.labels.get_or_insert_default().insert("theirs".to_owned(), "1".to_owned());
    current.metadata.annotations.get_or_insert_default().insert("theirs.example/a".to_owned(), "2".to_owned());
    current.data.get_or_insert_default().insert("leftover".to_owned(), ByteString(b"x".to_vec()));
    let desired = with_token(&raw(), &Marks { attempt: 8, ..Marks::default() }, "new");
    assert!(!drift(&desired, &current).is_empty());

    let patch = merge_patch(&desired, &current);
    assert_eq!(patch["metadata"]["resourceVersion"], "41");
    let after = patched(&current, &patch);

    assert_eq!(after.data.as_ref(), Some(&desired.data));
    let labels = after.metadata.labels.clone().unwrap();
    assert_eq!(labels, map(&[("artifact-token.dev/managed", "true"), ("theirs", "1")]));
    let mut annotations = after.metadata.annotations.clone().unwrap();
    assert_eq!(annotations.remove("theirs.example/a").as_deref(), Some("2"));
    assert_eq!(annotations, desired.annotations);
    assert_eq!(read_marks(&after), Marks { attempt: 8, ..Marks::default() });
    assert_eq!(drift(&desired, &after), Vec::<String>::new());
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_forged_memory_of_applied_keys_takes_no_reserved_key_off() {
    let mut current = stored(&with_token(&raw(), &marks(7), "old"));
    set(
        &mut current,
        "applied",
        r#"{"labels":["x.kubernetes.io/a"],"annotations":["artifact-token.dev/owner","k8s.io/b"]}"#,
    );
    let patch = merge_patch(&with_token(&raw(), &marks(8), "new"), &current);
    assert!(patch["metadata"]["labels"].get("x.kubernetes.io/a").is_none());
    assert!(patch["metadata"]["annotations"].get("k8s.io/b").is_none());
    assert_eq!(patch["metadata"]["annotations"]["artifact-token.dev/owner"], "ArtifactToken/seal/uid-1");
    assert_eq!(patch["metadata"]["annotations"]["artifact-token.dev/applied"], Value::Null);
}

#[test]
fn a_patch_of_the_marks_leaves_the_data_and_raises_the_fence() {
    let current = stored(&with_token(&rich(), &marks(7), "old"));
    let raised = Marks { fence: 9, superseded: Vec::new(), ..marks(7) };
    let after = patched(&current, &marks_patch(&raised, &owner(), "41"));
    assert_eq!(read_marks(&after), raised);
    assert_eq!(read_marks(&after).highest(), 9);
    assert_eq!(after.data, current.data);
    assert_eq!(after.metadata.labels, current.metadata.labels);
}

#[test]
fn a_patch_without_a_version_is_one_that_the_api_server_refuses() {
    let mut current = stored(&with_token(&raw(), &marks(7), "old"));
    current.metadata.resource_version = None;
    let patch = merge_patch(&with_token(&raw(), &marks(8), "new"), &current);
    assert_eq!(patch["metadata"]["resourceVersion"], "1");
    assert_eq!(marks_patch(&marks(8), &owner(), "")["metadata"]["resourceVersion"], "1");
}

#[test]
fn drift_names_what_differs_and_no_value() {
    let desired = with_token(&rich(), &marks(7), "s3al");
    let check = |change: &dyn Fn(&mut Secret), expected: &[&str]| {
        let mut secret = stored(&desired);
        change(&mut secret);
        assert_eq!(drift(&desired, &secret), expected);
    };
    check(&|_| {}, &[]);
    check(&|secret| drop(secret.metadata.labels.as_mut().unwrap().insert("theirs".to_owned(), "1".to_owned())), &[]);
    check(&|secret| drop(secret.metadata.labels.as_mut().unwrap().remove("team")), &["label team is missing"]);
    check(&|secret| set(secret, "attempt", "8"), &["annotation artifact-token.dev/attempt differs"]);
    check(
        &|secret| drop(secret.data.as_mut().unwrap().insert("token".to_owned(), ByteString(b"forged".to_vec()))),
        &["data token differs"],
    );
    check(
        &|secret| drop(secret.data.as_mut().unwrap().insert("more".to_owned(), ByteString(b"x".to_vec()))),
        &["data more is not wanted"],
    );
    check(
        &|secret| secret.data = None,
        &[
            "data .npmrc is missing",
            "data a.ini is missing",
            "data config.json is missing",
            "data password is missing",
            "data token is missing",
            "data username is missing",
        ],
    );
    check(&|secret| secret.type_ = Some("kubernetes.io/tls".to_owned()), &["type"]);
}

#[test]
fn a_shell_has_what_its_type_needs_and_no_token() {
    let entry = json!({"key": ".dockerconfigjson", "format": "DockerConfigJson", "registry": "r", "username": "u"});
    let docker = json!({"name": "s", "type": "kubernetes.io/dockerconfigjson", "data": [entry]});
    let basic = json!({"name": "s", "type": "kubernetes.io/basic-auth", "data": [{"key": "password", "format": "BasicAuth", "username": "u"}]});
    for (template, expected) in [
        (raw(), json!({})),
        (template(docker), json!({".dockerconfigjson": "eyJhdXRocyI6e319"})),
        (template(basic), json!({"password": ""})),
    ] {
        let shell = shell(&template, &owner(), &Marks { fence: 3, ..Marks::default() });
        let secret = stored(&shell);
        assert_eq!(serde_json::to_value(&secret.data).unwrap(), expected);
        assert_eq!(token(&template, &secret), None);
        assert_eq!(read_marks(&secret), Marks { fence: 3, ..Marks::default() });
        assert_eq!(secret.type_.as_deref(), Some(template.type_.as_str()));
        let after = patched(&secret, &merge_patch(&with_token(&template, &marks(4), "t"), &secret));
        assert_eq!(token(&template, &after).as_deref(), Some("t"));
    }
}

#[test]
fn entries_that_disagree_hold_no_token_and_a_new_entry_does_not_hide_it() {
    let mut secret = stored(&with_token(&rich(), &marks(7), "one"));
    let data = secret.data.as_mut().unwrap();
    data.remove("config.json");
    assert_eq!(token(&rich(), &secret).as_deref(), Some("one"));
    secret.data.as_mut().unwrap().insert("token".to_owned(), ByteString(b"two".to_vec()));
    assert_eq!(token(&rich(), &secret), None);
    secret.data.as_mut().unwrap().insert("token".to_owned(), ByteString(b"\xff\xfe".to_vec()));
    assert_eq!(token(&rich(), &secret), None);
    secret.data = None;
    assert_eq!(token(&rich(), &secret), None);
}

#[test]
fn a_secret_of_another_type_or_an_immutable_one_is_in_the_way() {
    let mut secret = stored(&with_token(&raw(), &marks(7), "one"));
    assert_eq!(obstacle(&raw(), &secret), None);
    secret.type_ = Some("kubernetes.io/tls".to_owned());
    let type_ = Obstacle::Type { found: "kubernetes.io/tls".to_owned(), wanted: "Opaque" };
    assert_eq!(obstacle(&raw(), &secret), Some(type_));
    secret.immutable = Some(true);
    assert_eq!(obstacle(&raw(), &secret), Some(Obstacle::Immutable));
}

#[test]
fn a_template_that_an_older_schema_let_through_is_refused() {
    assert_eq!(check(&rich()), Ok(()));
    let refused = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut spec = serde_json::to_value(rich()).unwrap();
        change(&mut spec);
        let error = check(&template(spec)).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    };
    refused(&|spec| spec["data"] = json!([{"key": "a", "format": "Template", "template": "x"}]), "add an entry");
    refused(&|spec| spec["data"][0]["key"] = json!("username"), "two entries write the key username");
    refused(&|spec| spec["data"][0]["key"] = json!(".npmrc"), "two entries write the key .npmrc");
    refused(&|spec| spec["type"] = json!("kubernetes.io/dockerconfigjson"), "key .dockerconfigjson");
    refused(&|spec| spec["data"][4]["template"] = json!("{{ tokn }}"), "entry a.ini: template: undefined value");
    refused(&|spec| spec["labels"]["kubernetes.io/x"] = json!("y"), "kubernetes.io/x is reserved");
    refused(&|spec| spec["labels"]["artifact-token.dev/managed"] = json!("no"), "is reserved");
    refused(&|spec| spec["annotations"]["app.kubernetes.io/x"] = json!("y"), "is reserved");
    refused(&|spec| spec["annotations"]["my.k8s.io/x"] = json!("y"), "is reserved");
}

#[test]
fn a_token_longer_than_is_published_is_refused_and_the_longest_content_is_not() {
    let entries: Vec<Value> = (0..16)
        .map(|number| json!({"key": format!("k{number}"), "format": "Template", "template": "{{ token }}".repeat(5)}))
        .collect();
    let template = template(json!({"name": "s", "data": entries}));
    let facts = |token| Facts { token, id: None, expiration_time: None };
    let token = SecretString::from("x".repeat(13_107));
    assert!(desired(&template, &owner(), &marks(1), &facts(&token)).is_ok());
    let token = SecretString::from("x".repeat(16 * 1024 + 1));
    let error = desired(&template, &owner(), &marks(1), &facts(&token)).unwrap_err();
    assert_eq!(error, Unrenderable::TokenTooLong { bytes: 16 * 1024 + 1 });
}

#[test]
fn nothing_that_is_printed_tells_a_value() {
    let desired = with_token(&rich(), &marks(7), "do-not-print");
    assert!(!format!("{desired:?}").contains("do-not-print"));
    let drifted = drift(&desired, &stored(&with_token(&rich(), &marks(7), "other")));
    assert!(!format!("{drifted:?}").contains("do-not-print"));
}

proptest! {
    #[test]
    fn any_marks_and_token_come_back(attempt in 0..=MAX_NUMBER, fence in 0..=MAX_NUMBER, id in proptest::option::of("[ -~é]{1,40}"),
                                     superseded in proptest::collection::vec("[ -~é]{1,40}", 0..5), token_text in "[!-~]{8,60}") {
        prop_assume!(!token_text.contains("${"));
        let marks = Marks { attempt, token_id: id, superseded, fence };
        let secret = stored(&with_token(&rich(), &marks, &token_text));
        prop_assert_eq!(read_marks(&secret), marks);
        prop_assert_eq!(token(&rich(), &secret), Some(token_text));
    }

    #[test]
    fn a_patch_over_anything_leaves_no_drift(junk in proptest::collection::btree_map("[a-z./]{1,8}", "(?s:.{0,20})", 0..6), applied in "(?s:.{0,40})") {
        let desired = with_token(&rich(), &marks(7), "t");
        let mut current = Secret { type_: Some("Opaque".to_owned()), ..Secret::default() };
        current.metadata.labels = Some(junk.clone());
        current.metadata.annotations = Some(junk.clone());
        current.data = Some(junk.into_iter().map(|(key, text)| (key, ByteString(text.into_bytes()))).collect());
        set(&mut current, "applied", &applied);
        let after = patched(&current, &merge_patch(&desired, &current));
        prop_assert_eq!(drift(&desired, &after), Vec::<String>::new());
        prop_assert_eq!(after.data, Some(desired.data));
    }
}
