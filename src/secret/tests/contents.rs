//! What a Secret should hold, and what it is seen to hold.

use super::*;

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
    refused(
        &|spec| spec["data"][4]["template"] = json!("{{ tokn }}"),
        "spec.secret.data[a.ini].template: undefined value",
    );
    refused(&|spec| spec["labels"]["kubernetes.io/x"] = json!("y"), "spec.secret.labels: kubernetes.io/x is reserved");
    refused(&|spec| spec["labels"]["artifact-token.dev/managed"] = json!("no"), "is reserved");
    refused(
        &|spec| spec["annotations"]["app.kubernetes.io/x"] = json!("y"),
        "spec.secret.annotations: app.kubernetes.io/x is",
    );
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
