#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::api::ids::MAX_ATTEMPT;
use crate::api::ids::samples::id;

const TOKEN: &str = "the-value-of-the-third-token";

/// What a Secret is read with in these tests. The ledger's current token is `t3` of attempt 3, recorded in version 7 of the Secret.
struct Known {
    template: SecretTemplate,
    owner: Owner,
    ledger: Ledger,
    digest: Option<(TokenId, ValueDigest)>,
    values: BTreeMap<TokenId, SecretString>,
}

impl Default for Known {
    fn default() -> Self {
        let time = "2027-01-01T00:00:00Z";
        let ledger = json!({
            "claim": {"attempt": 3, "nonce": "n3", "time": time, "outcome": "Verified"},
            "current": {
                "attempt": 3, "id": "t3", "claimedTime": time, "issuedTime": time, "publishedTime": time, "verifiedTime": time,
                "probed": true, "secretResourceVersion": "7",
            },
        });
        Self {
            template: serde_json::from_value(json!({"name": "ci", "data": [{"key": "token", "format": "Raw"}]}))
                .unwrap(),
            owner: Owner {
                kind: "ArtifactToken".into(),
                namespace: "ns".into(),
                name: "ci".into(),
                uid: "uid-1".into(),
            },
            ledger: serde_json::from_value(ledger).unwrap(),
            digest: None,
            values: BTreeMap::new(),
        }
    }
}

impl Known {
    fn reader(&self) -> SecretReader<'_> {
        let Self { template, owner, ledger, digest, values } = self;
        SecretReader { template, owner, ledger, digest: digest.as_ref(), values }
    }

    fn ours(&self, secret: &Secret) -> Ours {
        match self.reader().state(secret) {
            SecretState::Ours(ours) => ours,
            other => panic!("not ours: {other:?}"),
        }
    }

    /// The Secret as the operator writes it, and then a change of it.
    fn secret(&self, change: impl FnOnce(&mut Value)) -> Secret {
        let marks = Marks { attempt: 3, token_id: Some(id("t3")), superseded: Vec::new(), fence: 3 };
        let token = SecretString::from(TOKEN);
        let facts = Facts { token: &token, id: Some("t3"), expiration_time: None };
        let desired = content::desired(&self.template, &self.owner, &marks, &facts).unwrap();
        let mut secret = serde_json::to_value(patch::create_body(&desired, "ci", "ns")).unwrap();
        secret["metadata"]["resourceVersion"] = json!("7");
        change(&mut secret);
        serde_json::from_value(secret).unwrap()
    }
}

fn data(text: &str) -> Value {
    json!(data_encoding::BASE64.encode(text.as_bytes()))
}

#[test]
fn a_secret_as_we_wrote_it_holds_its_token_and_is_rendered() {
    let known = Known::default();
    let ours = known.ours(&known.secret(|_| {}));
    assert_eq!((ours.attempt, ours.id.as_ref().map(TokenId::as_str), ours.fence), (3, Some("t3"), 3));
    assert_eq!((ours.content, ours.rendered), (Content::Token, true));
}

#[test]
fn whose_a_secret_is_follows_from_its_owner_annotation() {
    let known = Known::default();
    let owner = |text: Value| {
        move |secret: &mut Value| {
            let annotations = secret["metadata"]["annotations"].as_object_mut().unwrap();
            annotations.insert(metadata::OWNER.to_owned(), text);
            annotations.retain(|_, text| !text.is_null());
        }
    };
    // Version 0.1.0 wrote no namespace.
    let older = known.ours(&known.secret(owner(json!("ArtifactToken/ci/uid-1"))));
    assert_eq!((older.attempt, older.content, older.rendered), (3, Content::Token, false));
    let former = known.reader().state(&known.secret(owner(json!("ArtifactToken/ns/ci/uid-0"))));
    assert!(matches!(&former, SecretState::Former(Former { id: Some(held), .. }) if *held == id("t3")), "{former:?}");
    let copy = known.reader().state(&known.secret(owner(json!("ArtifactToken/elsewhere/ci/uid-1"))));
    assert!(matches!(&copy, SecretState::Foreign(halt) if halt.message.contains("looks like a copy")), "{copy:?}");
    for foreign in [json!("ArtifactToken/ns/other/uid-1"), json!("Other/ns/ci/uid-1"), json!("nonsense"), Value::Null] {
        let state = known.reader().state(&known.secret(owner(foreign.clone())));
        assert!(
            matches!(&state, SecretState::Foreign(halt) if halt.reason == Reason::SecretConflict),
            "{foreign}: {state:?}"
        );
    }
}

#[test]
fn an_edit_of_the_value_is_seen_where_its_digest_is_known() {
    let edit = |secret: &mut Value| secret["data"]["token"] = data("somebody-else-wrote-this");
    let mut known = Known::default();
    let (written, edited) = (known.secret(|_| {}), known.secret(edit));
    assert_eq!(known.ours(&edited).content, Content::Token, "only the service can tell");
    known.digest = Some((id("t3"), digest_of(&SecretString::from(TOKEN))));
    assert_eq!(known.ours(&edited).content, Content::Edited);
    assert_eq!(known.ours(&written).content, Content::Token);
    known.digest = Some((id("t2"), [0; 32]));
    assert_eq!(known.ours(&written).content, Content::Token, "the digest of another token says nothing");
    let emptied = known.secret(|secret| secret["data"] = json!({}));
    assert_eq!(known.ours(&emptied).content, Content::Edited);
}

#[test]
fn the_copied_marks_of_an_older_token_give_it_no_other_value() {
    let mut known = Known::default();
    let copied = known.secret(|secret| {
        secret["metadata"]["annotations"][metadata::ATTEMPT] = json!("1");
        secret["metadata"]["annotations"][metadata::TOKEN_ID] = json!("t1");
    });
    known.values = [(id("t1"), SecretString::from("the-value-of-the-first-token"))].into();
    assert_eq!(known.ours(&copied).content, Content::Edited);
    known.values.clear();
    let ours = known.ours(&copied);
    assert_eq!(ours.content, Content::Token, "nothing tells what it is");
    assert!(!known.reader().may_be_last(ours.attempt, &id("t1")), "and nothing is proved with it");
    for (attempt, of, last) in [(3, "t3", true), (3, "t1", false), (4, "t1", true), (2, "t2", false)] {
        assert_eq!(known.reader().may_be_last(attempt, &id(of)), last, "{attempt} {of}");
    }
}

#[test]
fn a_placeholder_is_empty_and_a_value_without_its_marks_is_not() {
    let known = Known::default();
    let bare = |secret: &mut Value| {
        secret["metadata"]["annotations"].as_object_mut().unwrap().retain(|key, _| key == metadata::OWNER);
    };
    let wiped = known.secret(bare);
    assert_eq!((known.ours(&wiped).attempt, known.ours(&wiped).content), (0, Content::Edited));
    for type_ in ["Opaque", "kubernetes.io/basic-auth", "kubernetes.io/dockerconfigjson"] {
        let template = json!({"name": "ci", "type": type_, "data": []});
        let known = Known { template: serde_json::from_value(template).unwrap(), ..Known::default() };
        let desired = content::placeholder(&known.template, &known.owner, &Marks { fence: 3, ..Marks::default() });
        let placeholder = patch::create_body(&desired, "ci", "ns");
        assert_eq!(known.ours(&placeholder).content, Content::Empty, "{type_}");
    }
}

#[test]
fn a_token_is_recognised_by_its_digest_where_the_spec_has_other_keys_now() {
    let mut known = Known::default();
    let secret = known.secret(|_| {});
    known.template =
        serde_json::from_value(json!({"name": "ci", "data": [{"key": "password", "format": "Raw"}]})).unwrap();
    assert!(known.reader().token(&secret).is_none());
    known.values = [(id("t3"), SecretString::from(TOKEN))].into();
    let found = known.reader().token(&secret).map(|token| token.expose_secret().to_owned());
    assert_eq!(found.as_deref(), Some(TOKEN));
    let ours = known.ours(&secret);
    assert_eq!((ours.content, ours.rendered), (Content::Token, false), "it holds the token, in the form of before");
}

#[test]
fn numbers_far_above_those_of_the_ledger_are_not_believed() {
    let number = |number: u32| {
        move |secret: &mut Value| secret["metadata"]["annotations"][metadata::FENCE] = json!(number.to_string())
    };
    let known = Known::default();
    for (written, believed) in
        [(2, 3), (3, 3), (50, 50), (3 + MAX_MARK_AHEAD, 3 + MAX_MARK_AHEAD), (4 + MAX_MARK_AHEAD, 3)]
    {
        assert_eq!(known.ours(&known.secret(number(written))).fence, believed, "{written}");
    }
    let lost = Known { ledger: Ledger::default(), ..Known::default() };
    let far = 4 + MAX_MARK_AHEAD;
    assert_eq!(lost.ours(&lost.secret(number(far))).fence, far, "a lost ledger takes the Secret's word");
    for forged in [MAX_MARK_UNKNOWN + 1, MAX_ATTEMPT] {
        let ours = lost.ours(&lost.secret(number(forged)));
        assert!(ours.fence < MAX_MARK_UNKNOWN, "but not every word: {forged} led to {}", ours.fence);
    }
}

#[test]
fn the_content_hash_changes_with_what_a_publish_is_computed_against_and_with_nothing_else() {
    let known = Known::default();
    let hash = |change: fn(&mut Value)| known.ours(&known.secret(change)).content_hash;
    let before = hash(|_| {});
    assert_eq!(hash(|secret| secret["metadata"]["resourceVersion"] = json!("8")), before);
    assert_eq!(hash(|secret| secret["metadata"]["labels"]["team"] = json!("ci")), before);
    assert_ne!(hash(|secret| secret["data"]["token"] = data("other")), before);
    assert_ne!(hash(|secret| secret["metadata"]["annotations"][metadata::FENCE] = json!("4")), before);
    assert_ne!(hash(|secret| secret["metadata"]["annotations"][metadata::TOKEN_ID] = json!("t4")), before);
}

#[test]
fn another_version_of_the_secret_may_be_rewritten_until_its_value_was_seen() {
    let mut known = Known::default();
    let version =
        |number: &'static str| move |secret: &mut Value| secret["metadata"]["resourceVersion"] = json!(number);
    let (same, other) = (known.secret(version("7")), known.secret(version("8")));
    let doubtful = |known: &Known, secret: &Secret| known.reader().may_be_rewritten(secret, &known.ours(secret));
    assert!(!doubtful(&known, &same));
    assert!(doubtful(&known, &other));
    known.digest = Some((id("t3"), digest_of(&SecretString::from(TOKEN))));
    assert!(!doubtful(&known, &other));
}

#[test]
fn an_unread_secret_in_the_recorded_version_is_as_the_ledger_has_it() {
    let ours = recorded(&Known::default().ledger);
    assert_eq!((ours.attempt, ours.fence, ours.rendered), (3, 3, true));
    assert!(holds(&ours, &id("t3")) && !holds(&ours, &id("t2")));
}
