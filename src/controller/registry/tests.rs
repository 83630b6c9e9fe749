#![allow(clippy::unwrap_used)]

use std::time::Duration;

use kube::runtime::watcher::Event;
use serde_json::json;

use super::members::Members;
use super::*;
use crate::api::artifact_token::ServiceKind;
use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::rotation::desired::Halt;
use crate::rotation::service_answers::{Said, Standing};

/// A registry with the watch that feeds it.
struct World {
    services: Services,
    members: Members,
}

impl World {
    fn new() -> Self {
        Self { services: Services::default(), members: Members::new(ServiceKind::TokenService, Some("ci")) }
    }

    /// Handles one event of the watch.
    fn watch(&mut self, event: &Event<(Key, String)>) {
        self.members.apply(event, Clone::clone, &self.services);
    }

    /// Starts the watch again; its list has these objects.
    fn list(&mut self, objects: &[(Key, String)]) {
        self.watch(&Event::Init);
        objects.iter().for_each(|object| self.watch(&Event::InitApply(object.clone())));
        self.watch(&Event::InitDone);
    }

    fn uid(&self, name: &str) -> Option<String> {
        self.services.get(&key(name)).map(|entry| entry.uid.clone())
    }
}

fn key(name: &str) -> Key {
    Key { namespace: Some("ci".into()), name: name.into() }
}

fn object(name: &str, uid: &str) -> (Key, String) {
    (key(name), uid.into())
}

/// What a check found.
fn entry(name: &str, uid: &str) -> ServiceEntry {
    ServiceEntry {
        key: key(name),
        uid: uid.into(),
        generation: 1,
        spec: serde_json::from_value(json!({"preset": "Reference", "baseURL": "https://example.com"})).unwrap(),
        allowed: None,
        origin: String::new(),
        declaration: None,
        client: None,
        worked: false,
        halt: None,
        values: None,
        revision: "1".into(),
    }
}

fn changes(receiver: &mut UnboundedReceiver<Change>) -> Vec<Change> {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

#[test]
fn a_check_that_ends_after_the_list_that_does_not_have_its_object_brings_nothing_back() {
    let mut world = World::new();
    world.list(&[object("gone", "1"), object("stays", "2")]);
    world.services.put(entry("gone", "1"));
    world.services.put(entry("stays", "2"));
    // The watch breaks, the object is deleted, and a check of it begins on what the cache still has.
    let checked = ServiceEntry { revision: "2".into(), ..entry("gone", "1") };
    world.list(&[object("stays", "2")]);
    let mut told = world.services.changes();
    world.services.put(checked);
    world.services.check_again(key("gone"));
    assert_eq!((world.uid("gone"), world.uid("stays")), (None, Some("2".into())));
    assert!(!world.services.has(&key("gone")) && !world.services.take_stale(&key("gone")));
    assert_eq!(changes(&mut told), [], "nothing is new for anybody");
}

#[test]
fn a_check_that_ends_after_the_event_of_the_deletion_brings_nothing_back() {
    let mut world = World::new();
    world.watch(&Event::Apply(object("gone", "1")));
    let checked = entry("gone", "1");
    world.watch(&Event::Delete(object("gone", "1")));
    world.services.put(checked);
    assert_eq!(world.uid("gone"), None);
}

#[test]
fn a_list_that_breaks_off_changes_nothing_and_the_next_one_has_nothing_of_it() {
    let mut world = World::new();
    world.list(&[object("old", "1")]);
    world.services.put(entry("old", "1"));
    world.watch(&Event::Init);
    world.watch(&Event::InitApply(object("brief", "2")));
    assert!(world.services.has(&key("old")) && !world.services.has(&key("brief")));
    // The object in the first list was deleted before the second list.
    world.list(&[object("old", "1")]);
    world.services.put(entry("brief", "2"));
    assert_eq!((world.uid("old"), world.uid("brief")), (Some("1".into()), None));
}

#[test]
fn another_object_of_the_same_name_is_asked_for_itself() {
    let mut world = World::new();
    world.list(&[object("again", "1")]);
    let old = entry("again", "1");
    world.services.put(old.clone());
    world.services.doubt_credential(key("again"));
    world.services.review(&old, Time::from_millis(0));
    let mut told = world.services.changes();
    world.list(&[object("again", "2")]);
    assert_eq!(changes(&mut told), [Change::Service(key("again"))], "its tokens wait for the new one");
    // A check of the old one is still under way.
    world.services.put(old.clone());
    world.services.review(&old, Time::from_millis(0));
    assert_eq!(world.uid("again"), None);
    assert!(!world.services.take_doubt(&key("again")) && world.services.standing(&key("again")) == Standing::Good);
    world.services.put(entry("again", "2"));
    assert_eq!(world.uid("again"), Some("2".into()));
    assert!(world.services.get_object(&key("again"), "1").is_none());
}

/// The service refuses the tokens of these objects.
fn refuses(world: &World, entry: &ServiceEntry, objects: &[&str]) {
    for (millis, uid) in (0..).zip(objects) {
        let (token, at) = (TokenId::new(format!("token-{uid}")).unwrap(), Time::from_millis(millis));
        let said = Said { uid, token: &token, accepted: false, expired: false, at };
        world.services.said(entry, said, Duration::from_secs(600));
    }
}

#[test]
fn a_service_object_that_is_created_again_has_no_verdict_of_the_one_before() {
    let mut world = World::new();
    world.list(&[object("again", "1")]);
    let (old, new) = (entry("again", "1"), entry("again", "2"));
    world.services.review(&old, Time::from_millis(0));
    refuses(&world, &old, &["a", "b"]);
    assert_eq!(world.services.standing(&old.key), Standing::Refusing { other_credential: true });
    world.watch(&Event::Delete(object("again", "1")));
    world.watch(&Event::Apply(object("again", "2")));
    assert_eq!(world.services.standing(&old.key), Standing::Good);
    // A pass that began with the old one gets its answers now.
    refuses(&world, &old, &["a", "b"]);
    assert_eq!(world.services.standing(&old.key), Standing::Good);
    refuses(&world, &new, &["a", "b"]);
    assert_eq!(world.services.standing(&old.key), Standing::Refusing { other_credential: false });
}

#[test]
fn objects_that_are_gone_do_not_keep_a_service_in_doubt() {
    let mut world = World::new();
    world.list(&[object("a", "1")]);
    refuses(&world, &entry("a", "1"), &["a", "b"]);
    let mut told = world.services.changes();
    world.services.forget_answers("a", Time::from_millis(9));
    assert_eq!(world.services.standing(&key("a")), Standing::Good);
    assert_eq!(changes(&mut told), [Change::Service(key("a"))]);
}

#[test]
fn what_is_known_of_an_object_outlives_a_list_that_has_it() {
    let mut world = World::new();
    world.list(&[object("stays", "1")]);
    world.services.put(entry("stays", "1"));
    world.services.doubt_credential(key("stays"));
    world.services.review(&entry("stays", "1"), Time::from_millis(0));
    let mut told = world.services.changes();
    world.list(&[object("stays", "1")]);
    assert_eq!(changes(&mut told), []);
    assert!(world.services.take_doubt(&key("stays")) && world.services.take_stale(&key("stays")));
    assert_eq!(world.services.standing(&key("stays")), Standing::UnderReview);
}

#[test]
fn a_list_of_one_namespace_says_nothing_of_another_one_or_of_the_cluster() {
    let mut world = World::new();
    let elsewhere = Key { namespace: Some("qa".into()), name: "a".into() };
    let shared = Key { namespace: None, name: "a".into() };
    Members::new(ServiceKind::TokenService, Some("qa")).list([(elsewhere.clone(), "1".into())].into(), &world.services);
    Members::new(ServiceKind::ClusterTokenService, None).list([(shared.clone(), "2".into())].into(), &world.services);
    world.list(&[]);
    assert!(world.services.has(&elsewhere) && world.services.has(&shared));
    Members::new(ServiceKind::TokenService, None).list(HashMap::new(), &world.services);
    assert!(!world.services.has(&elsewhere) && world.services.has(&shared));
}

#[test]
fn tokens_are_told_of_what_changes_for_them_and_of_nothing_else() {
    let mut world = World::new();
    world.list(&[object("a", "1")]);
    let mut told = world.services.changes();
    let halted = ServiceEntry { halt: Some(Halt::passing(Reason::ServiceNotReady, "down")), ..entry("a", "1") };
    for (put, expected) in [(entry("a", "1"), 1), (entry("a", "1"), 0), (halted.clone(), 1), (halted, 0)] {
        world.services.put(put);
        assert_eq!(changes(&mut told).len(), expected);
    }
}

#[test]
fn a_pause_that_the_service_asked_for_outlives_another_limit() {
    let mut world = World::new();
    world.list(&[object("a", "1")]);
    let limited = |rate: i32| {
        let mut entry = entry("a", "1");
        entry.spec.limits.requests_per_minute = rate;
        entry
    };
    world.services.limit(&limited(60)).pause(Duration::from_secs(600));
    assert!(world.services.limit(&limited(120)).paused().is_some());
    // A check of a deleted object has its own limit.
    assert_eq!(world.services.limit(&ServiceEntry { uid: "0".into(), ..limited(7) }).paused(), None);
}

#[test]
fn versions_of_a_credential_are_alike_as_far_as_both_were_read() {
    let mut world = World::new();
    world.list(&[object("a", "1")]);
    let version = |revision: &str| ServiceEntry { revision: revision.into(), ..entry("a", "1") };
    for (revision, values) in [("1", [1; 32]), ("2", [2; 32]), ("3", [1; 32])] {
        world.services.credential_read(&version(revision), values);
    }
    let same = |one, other| world.services.same_credential(&key("a"), one, other);
    assert!(same("1", "3") && same("3", "1"), "a label, or the old value is back");
    assert!(!same("1", "2") && !same("1", "9") && !same("8", "9") && !same("", ""), "unknown is never the same");
    for number in 100..200 {
        world.services.credential_read(&version(&number.to_string()), [3; 32]);
    }
    assert!(!world.services.same_credential(&key("a"), "1", "3"), "forgotten");
}
