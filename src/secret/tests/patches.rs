//! Writes, and the Secret after them.

use super::*;

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
    assert_eq!(patch["metadata"]["annotations"]["artifact-token.dev/owner"], "ArtifactToken/ns/seal/uid-1");
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

proptest! {
    #[test]
    fn any_marks_and_token_come_back(attempt in 0..=MAX_ATTEMPT, fence in 0..=MAX_ATTEMPT, id in proptest::option::of("[ -~é]{1,40}"),
                                     superseded in proptest::collection::vec("[ -~é]{1,40}", 0..5), token_text in "[!-~]{8,60}") {
        prop_assume!(!token_text.contains("${"));
        let superseded = superseded.into_iter().map(samples::id).collect();
        let marks = Marks { attempt, token_id: id.map(samples::id), superseded, fence };
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
