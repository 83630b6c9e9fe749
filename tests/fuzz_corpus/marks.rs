//! The operator's annotations on a Secret, which anybody may edit who may edit the Secret: attempt, id, superseded ids,
//! fence and owner, a line each.

use arbitrary::{Arbitrary as _, Unstructured};
use artifact_token_operator::api::ids::{MAX_ATTEMPT, TokenId};
use artifact_token_operator::secret::metadata::{
    ATTEMPT, FENCE, MAX_MARKED_IDS, Marks, OWNER, Owner, Ownership, SUPERSEDED, TOKEN_ID, annotations, ownership,
    read_marks,
};
use k8s_openapi::api::core::v1::Secret;

fn secret(texts: impl IntoIterator<Item = (String, String)>) -> Secret {
    let mut secret = Secret::default();
    secret.metadata.annotations = Some(texts.into_iter().collect());
    secret
}

fn check(marks: &Marks) {
    assert!(marks.highest() <= MAX_ATTEMPT && marks.superseded.len() <= MAX_MARKED_IDS);
    for id in marks.superseded.iter().chain(&marks.token_id) {
        assert!(TokenId::new(id.as_str()).is_some(), "{id}");
    }
}

/// Whether the bytes are text.
pub fn holds_for(bytes: &[u8]) -> bool {
    let Ok(input) = <&str>::arbitrary_take_rest(Unstructured::new(bytes)) else { return false };
    let of = input.split('\n').nth(4).unwrap_or_default();
    let keys = [ATTEMPT, TOKEN_ID, SUPERSEDED, FENCE, OWNER];
    let edited = secret(keys.into_iter().zip(input.split('\n')).map(|(key, text)| (key.to_owned(), text.to_owned())));
    let marks = read_marks(&edited);
    check(&marks);
    let [kind, namespace, name, uid] = ["ArtifactToken", "ns", "ci", "6a1f"].map(str::to_owned);
    let owner = Owner { kind, namespace, name, uid };
    match ownership(&edited, &owner) {
        Ownership::Ours => assert!(["ArtifactToken/ns/ci/6a1f", "ArtifactToken/ci/6a1f"].contains(&of), "{of}"),
        Ownership::Former => assert!(of.starts_with("ArtifactToken/ns/ci/") && !of.ends_with("/6a1f"), "{of}"),
        Ownership::Foreign { owner, .. } => assert!(owner.is_none_or(|owner| of.starts_with(&owner))),
    }
    // What was believed is written so that it is believed again.
    let written = secret(annotations(&marks, &owner));
    assert_eq!(read_marks(&written), marks, "{input}");
    assert_eq!(ownership(&written, &owner), Ownership::Ours);
    true
}
