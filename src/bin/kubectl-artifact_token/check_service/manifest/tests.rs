#![allow(clippy::unwrap_used)]

use secrecy::ExposeSecret as _;

use super::*;

const SERVICE: &str = "apiVersion: artifact-token.dev/v1alpha1\nkind: TokenService\nmetadata: {name: registry, namespace: ci}\nspec:\n  \
     preset: Reference\n  baseURL: https://x.example\n  credentials: {adminKey: {name: admin, key: key}}\n";

fn told(text: &str) -> String {
    let error = Manifest::read(text).err().unwrap();
    format!("{error:#}")
}

#[test]
fn the_secrets_beside_the_object_give_its_credentials() {
    let secrets = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: admin}\nstringData: {key: \"abc\\n\"}\ndata: {packed: ZGVm, broken: '!'}\n\
         ---\n---\nkind: ArtifactToken\nspec: {anything: true}\n";
    let manifest = Manifest::read(&format!("{SERVICE}{secrets}")).unwrap();
    let value =
        |key: &str| manifest.credential("admin", key, Some("ci")).unwrap().map(|it| it.expose_secret().to_owned());
    assert_eq!((value("key").unwrap().as_str(), value("packed").unwrap().as_str()), ("abc", "def"));
    assert!(value("broken").unwrap_err().contains("no base64") && value("none").unwrap_err().contains("is missing"));
    assert!(manifest.credential("other", "key", Some("ci")).is_none());
    let elsewhere = secrets.replace("{name: admin}", "{name: admin, namespace: prod}");
    let manifest = Manifest::read(&format!("{SERVICE}{elsewhere}")).unwrap();
    assert!(manifest.credential("admin", "key", Some("ci")).is_none(), "a Secret of another namespace");
    assert!(manifest.credential("admin", "key", None).is_some());
}

#[test]
fn a_list_and_json_are_read_too() {
    let object: Value = serde_saphyr::from_str(SERVICE).unwrap();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [object]}).to_string();
    assert_eq!(Manifest::read(&list).unwrap().name, "registry");
}

#[test]
fn a_file_has_exactly_one_service_object() {
    assert!(told("kind: Secret").contains("has no TokenService"));
    let two = told(&format!("{SERVICE}---\n{}", SERVICE.replace("TokenService", "ClusterTokenService")));
    assert!(two.contains("(TokenService registry, ClusterTokenService registry): pick one"), "{two}");
    assert!(Manifest::read("kind: Secret").err().unwrap().is::<Usage>());
}

#[test]
fn all_that_is_wrong_is_told_at_a_time_and_no_line_of_the_file_is_shown() {
    let text = told(&SERVICE.replace("v1alpha1", "v1").replace("  preset", "  prefix: x\n  preset"));
    assert!(text.contains("apiVersion: write artifact-token.dev/v1alpha1"), "{text}");
    assert!(
        text.contains("spec.prefix: is no field") && text.contains("kubectl explain tokenservice.spec has"),
        "{text}"
    );
    let text = told(&format!("{SERVICE}  preset: Custom\n"));
    assert!(text.contains("a field a second time at line 8, column 3"), "{text}");
    let text = told("kind: Secret\nstringData: {key: the-value\n---\n");
    assert!(text.contains("is not YAML at line") && !text.contains("the-value"), "{text}");
}

#[test]
fn a_shared_service_has_its_own_field() {
    let shared = SERVICE.replace("kind: TokenService", "kind: ClusterTokenService");
    let allowed = |text: &str| format!("{shared}  allowedNamespaces: {text}\n");
    assert!(Manifest::read(&allowed("{from: All}")).is_ok());
    assert!(told(&allowed("{form: All}")).contains("spec.allowedNamespaces.form: is no field"));
    assert!(told(&allowed("{from: Some}")).contains("spec.allowedNamespaces: unknown variant"));
}
