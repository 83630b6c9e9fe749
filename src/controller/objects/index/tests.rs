use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::controller::registry::Change;

/// An object: its uid is also its name, and a larger one is younger.
struct Token {
    uid: u32,
    namespace: &'static str,
    service: &'static str,
    shared: bool,
    secret: &'static str,
    claimed: Option<u32>,
}

fn token(uid: u32, secret: &'static str) -> Token {
    Token { uid, namespace: "ns", service: "s", shared: false, secret, claimed: None }
}

impl Token {
    fn object(&self) -> ArtifactToken {
        let time = |second: u32| format!("2026-01-01T00:00:{second:02}Z");
        let current = self.claimed.map(|claimed| {
            json!({"attempt": 1, "id": "t", "claimedTime": time(claimed), "issuedTime": time(claimed),
                "publishedTime": time(claimed), "verifiedTime": time(claimed), "probed": true})
        });
        let kind = if self.shared { "ClusterTokenService" } else { "TokenService" };
        let object = json!({
            "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken",
            "metadata": {
                "name": self.uid.to_string(), "uid": self.uid.to_string(), "namespace": self.namespace,
                "creationTimestamp": time(self.uid), "finalizers": current.as_ref().map(|_| [FINALIZER]),
            },
            "spec": {
                "serviceRef": {"name": self.service, "kind": kind}, "rotation": {"policy": "Disabled"},
                "secret": {"name": self.secret, "data": [{"key": "token", "format": "Raw"}]},
            },
            "status": current.map(|current| json!({"current": current})),
        });
        serde_json::from_value(object).unwrap()
    }
}

fn apply(index: &Index, tokens: &[Token]) {
    tokens.iter().for_each(|token| index.apply(&Event::Apply(token.object())));
}

fn list(index: &Index, tokens: &[Token]) {
    index.apply(&Event::Init);
    tokens.iter().for_each(|token| index.apply(&Event::InitApply(token.object())));
    index.apply(&Event::InitDone);
}

fn rival(index: &Index, token: &Token) -> Option<String> {
    index.older_rival(&token.object())
}

fn names(references: Vec<ObjectRef<ArtifactToken>>) -> Vec<String> {
    references.into_iter().map(|reference| reference.name).collect()
}

fn of_service(index: &Index, name: &str) -> Vec<String> {
    let mut found = names(index.concerned(&Change::Service(key(name))));
    found.sort();
    found
}

fn key(name: &str) -> Key {
    Key { namespace: Some("ns".to_owned()), name: name.to_owned() }
}

fn is_empty(index: &Index) -> bool {
    let state = index.state();
    state.objects.is_empty()
        && state.arriving.is_empty()
        && state.services.is_empty()
        && state.secrets.is_empty()
        && state.sharing.is_empty()
        && state.identities.is_empty()
}

#[test]
fn the_oldest_other_object_with_the_same_secret_is_the_rival_of_all_younger_ones() {
    let index = Index::default();
    apply(&index, &[token(2, "a"), token(1, "a"), token(3, "a"), token(4, "b")]);
    apply(&index, &[Token { namespace: "other", ..token(0, "a") }]);
    assert_eq!(rival(&index, &token(1, "a")), None);
    assert_eq!(rival(&index, &token(2, "a")), Some("1".to_owned()));
    assert_eq!(rival(&index, &token(3, "a")), Some("1".to_owned()));
    assert_eq!(rival(&index, &token(4, "b")), None);
    assert_eq!(rival(&index, &token(4, "a")), Some("1".to_owned()), "the pass has a newer spec than the index");
    assert_eq!(names(index.keepers("ns", "a")), ["1", "2", "3"]);
}

#[test]
fn another_secret_name_or_a_deletion_ends_the_conflict() {
    let index = Index::default();
    apply(&index, &[token(1, "a"), token(2, "a"), token(3, "a")]);
    apply(&index, &[token(1, "b")]);
    assert_eq!(rival(&index, &token(3, "a")), Some("2".to_owned()));
    index.apply(&Event::Delete(token(2, "a").object()));
    assert_eq!(rival(&index, &token(3, "a")), None);
    assert_eq!(names(index.keepers("ns", "b")), ["1"]);
}

#[test]
fn an_object_that_a_list_does_not_have_is_gone_and_one_that_it_has_counts_before_the_list_ends() {
    let index = Index::default();
    apply(&index, &[token(1, "a"), token(2, "a")]);
    index.apply(&Event::Init);
    index.apply(&Event::InitApply(token(2, "a").object()));
    index.apply(&Event::InitApply(token(3, "a").object()));
    assert_eq!(rival(&index, &token(3, "a")), Some("1".to_owned()), "the list is not complete");
    // The list breaks and begins again, and has less.
    list(&index, &[token(3, "a")]);
    assert_eq!(rival(&index, &token(3, "a")), None);
    assert_eq!(of_service(&index, "s"), ["3"]);
    list(&index, &[]);
    assert!(is_empty(&index), "nothing is kept of objects that are gone");
}

#[test]
fn the_objects_of_a_service_are_found_with_the_oldest_token_first() {
    let index = Index::default();
    let (first, second) = (Token { claimed: Some(5), ..token(7, "a") }, Token { claimed: Some(6), ..token(1, "b") });
    apply(&index, &[second, first, token(9, "c"), Token { service: "t", ..token(3, "d") }]);
    assert_eq!(names(index.concerned(&Change::Service(key("s")))), ["9", "7", "1"]);
    assert_eq!((index.holders(&key("s")), index.holders(&key("t"))), (2, 0));
    let time = Time::parse("2026-01-01T00:00:06Z").unwrap();
    assert_eq!(index.older_holders(&token(1, "b").object(), time), 1);
    assert_eq!(index.users(&key("s"), 1), (2, vec!["ns/1".to_owned()]));
    assert_eq!(index.users(&key("t"), 1), (0, Vec::new()));
}

#[test]
fn an_object_that_changes_its_service_leaves_the_other_one() {
    let index = Index::default();
    apply(&index, &[Token { claimed: Some(5), ..token(1, "a") }]);
    apply(&index, &[Token { service: "t", ..token(1, "a") }]);
    assert_eq!((of_service(&index, "s"), of_service(&index, "t")), (Vec::new(), vec!["1".to_owned()]));
    assert_eq!((index.holders(&key("s")), index.users(&key("s"), 5).0), (0, 0));
    index.apply(&Event::Delete(token(1, "a").object()));
    assert!(is_empty(&index));
}

#[test]
fn only_objects_that_use_a_shared_service_depend_on_the_labels_of_their_namespace() {
    let index = Index::default();
    let shared = Token { shared: true, ..token(2, "b") };
    apply(&index, &[token(1, "a"), shared, Token { shared: true, namespace: "nsx", ..token(3, "c") }]);
    assert_eq!(names(index.concerned(&Change::Namespace("ns".to_owned()))), ["2"]);
    apply(&index, &[token(2, "b")]);
    assert_eq!(names(index.concerned(&Change::Namespace("ns".to_owned()))), [""; 0]);
}

#[test]
fn an_object_is_found_by_its_uid_and_by_its_identity_in_the_names_of_tokens() {
    let index = Index::default();
    apply(&index, &[token(1, "a"), Token { service: "t", ..token(2, "b") }]);
    assert_eq!(names(index.concerned(&Change::Object("2".to_owned()))), ["2"]);
    assert!(index.has("2") && !index.has("3"));
    let near = |identities: &[&str]| {
        let mut near = names(
            index.near(&key("s"), &identities.iter().map(|&identity| identity.to_owned()).collect::<HashSet<_>>()),
        );
        near.sort();
        near
    };
    assert_eq!(near(&[]), ["1"]);
    assert_eq!(near(&[&identity::uid16("1"), &identity::uid16("2"), &identity::uid16("3")]), ["1", "2"]);
}
