use super::*;
use crate::api::ids::samples::id;

fn owner() -> Owner {
    Owner {
        kind: "ArtifactToken".to_owned(),
        namespace: "ns".to_owned(),
        name: "seal".to_owned(),
        uid: "uid-1".to_owned(),
    }
}

fn set(secret: &mut Secret, key: &str, text: &str) {
    secret.metadata.annotations.get_or_insert_default().insert(format!("artifact-token.dev/{key}"), text.to_owned());
}

#[test]
fn marks_edited_by_hand_are_bounded_and_never_fail() {
    let number = |text: &str, expected: u32| {
        let mut secret = Secret::default();
        set(&mut secret, "attempt", text);
        set(&mut secret, "fence", text);
        assert_eq!((read_marks(&secret).attempt, read_marks(&secret).fence), (expected, expected), "{text}");
    };
    number("7", 7);
    number("1000000000", MAX_ATTEMPT);
    for junk in ["1000000001", "4294967295", "99999999999999999999", "-1", "+7", " 7", "7.0", "", "seven"] {
        number(junk, 0);
    }
    let ids = |text: &str, expected: &[&str]| {
        let mut secret = Secret::default();
        set(&mut secret, "superseded", text);
        let marks = read_marks(&secret);
        assert_eq!(marks.superseded.iter().map(TokenId::as_str).collect::<Vec<_>>(), expected, "{text}");
    };
    ids(r#"["a","b"]"#, &["a", "b"]);
    ids(r#"["a","","\u0000"]"#, &["a"]);
    ids(r#"["1","2","3","4","5","6","7","8","9"]"#, &["1", "2", "3", "4", "5", "6", "7", "8"]);
    for junk in ["", "a", "{}", r#"["a",1]"#, "null"] {
        ids(junk, &[]);
    }
    let mut secret = Secret::default();
    set(&mut secret, "token-id", &"x".repeat(2000));
    assert_eq!(read_marks(&secret), Marks::default());
    assert_eq!(read_marks(&Secret::default()), Marks::default());
}

#[test]
fn a_secret_is_ours_a_former_objects_or_foreign() {
    let check = |text: Option<&str>, expected: Ownership| {
        let mut secret = Secret::default();
        if let Some(text) = text {
            set(&mut secret, "owner", text);
        }
        assert_eq!(ownership(&secret, &owner()), expected, "{text:?}");
    };
    let foreign = |text: &str, copy| Ownership::Foreign { owner: Some(text.to_owned()), copy };
    check(Some("ArtifactToken/ns/seal/uid-1"), Ownership::Ours);
    check(Some("ArtifactToken/seal/uid-1"), Ownership::Ours);
    check(Some("ArtifactToken/ns/seal/uid-0"), Ownership::Former);
    // A copy from another namespace, even of an object with the same name or, in a cloned cluster, the same uid.
    for text in
        ["ArtifactToken/other/seal/uid-0", "ArtifactToken/other/seal/uid-1", "ArtifactToken/seal/uid-0", "seal", ""]
    {
        check(Some(text), foreign(text, true));
    }
    for text in ["ArtifactToken/ns/other/uid-1", "ClusterArtifactToken/ns/seal/uid-1", "ArtifactToken/ns/seal/"] {
        check(Some(text), foreign(text, false));
    }
    check(None, Ownership::Foreign { owner: None, copy: false });
}

#[test]
fn keys_of_this_operator_and_of_kubernetes_are_no_templates() {
    let check = |key: &str, label: bool, annotation: bool| {
        assert_eq!((may_be_label(key), may_be_annotation(key)), (label, annotation), "{key}");
    };
    check("team", true, true);
    check("tekton.dev/git-0", true, true);
    check("notkubernetes.io/a", true, true);
    check("app.kubernetes.io/part-of", true, false);
    check("kubernetes.io/a", false, false);
    check("x.k8s.io/a", false, false);
    check("artifact-token.dev/managed", false, false);
}

#[test]
fn an_id_that_the_ledger_takes_is_read_back_from_the_secret() {
    let id = id("語".repeat(400));
    let marks = Marks { attempt: 7, token_id: Some(id.clone()), superseded: vec![id], fence: 6 };
    let mut secret = Secret::default();
    secret.metadata.annotations = Some(annotations(&marks, &owner()));
    assert_eq!(read_marks(&secret), marks);
}
