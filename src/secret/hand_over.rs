//! The Secrets of tokens that a person hands over: the one that brings a token, and the one that keeps the values of earlier ones. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::metadata::{COMPANION, HAND_OVER, OWNER, Owner};
use crate::api::ids::{MAX_TOKEN_BYTES, TokenId};
use crate::api::time::Time;

/// The key of the token.
pub const TOKEN_KEY: &str = "token";
/// The key of the token's expiry, a time in RFC 3339 or a date; it may be absent.
pub const EXPIRATION_KEY: &str = "expirationTime";

/// What follows the object's name in the name of the Secret that hands over a token.
const HAND_OVER_SUFFIX: &str = "-hand-over";
/// What follows it in the name of the Secret that keeps values.
const COMPANION_SUFFIX: &str = "-artifact-token-previous";

/// A token that a person hands over.
#[derive(Clone, Debug)]
pub struct HandedOver {
    /// Its value.
    pub token: SecretString,
    /// When it expires, if the person said so.
    pub expiration: Option<Time>,
    /// When the Secret was last written, by the API server's clock. The token was made before that.
    pub written: Option<Time>,
}

/// The name of the Secret with which a person hands over a token for this object.
pub fn hand_over_name(object: &str) -> String {
    format!("{object}{HAND_OVER_SUFFIX}")
}

/// The name of the Secret that keeps the values of superseded tokens of this object.
pub fn companion_name(object: &str) -> String {
    format!("{object}{COMPANION_SUFFIX}")
}

/// The object for which a Secret of this name and these labels hands over a token.
pub fn recipient<'a>(name: &str, labels: Option<&'a BTreeMap<String, String>>) -> Option<&'a str> {
    let object = labels?.get(HAND_OVER)?;
    (hand_over_name(object) == name).then_some(object.as_str())
}

/// Reads the Secret that hands over a token.
///
/// # Errors
/// What is wrong with it, for the person who wrote it.
pub fn handed_over(secret: &Secret, now: Time) -> Result<HandedOver, String> {
    let text =
        |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| String::from_utf8(bytes.0.clone()));
    let Some(token) = text(TOKEN_KEY) else {
        return Err(format!("it has no key {TOKEN_KEY}: put the token there"));
    };
    // `echo` and editors put a line break after it.
    let token = token.map(|token| SecretString::from(token.trim()));
    let token = token.map_err(|_| "the token is no text in UTF-8".to_owned())?;
    check_token(&token)?;
    let expiration = match text(EXPIRATION_KEY) {
        None => None,
        Some(end) => Some(end.ok().and_then(|end| time_or_date(end.trim())).ok_or_else(|| {
            format!("its {EXPIRATION_KEY} is no time: write it like 2027-11-01T00:00:00Z or 2027-11-01")
        })?),
    };
    if let Some(end) = expiration.filter(|end| *end <= now) {
        return Err(format!("it has expired at {end}"));
    }
    Ok(HandedOver { token, expiration, written: written(secret) })
}

/// When the Secret was last written. Who may write it can clear these times or write others: then the creation counts, which nobody can
/// change, and a time ahead counts as that of the claim.
fn written(secret: &Secret) -> Option<Time> {
    let meta = &secret.metadata;
    let writes = meta.managed_fields.iter().flatten().filter_map(|entry| entry.time.as_ref());
    writes.chain(&meta.creation_timestamp).map(Time::from).max()
}

impl HandedOver {
    /// When the token expires that was claimed then. Where nobody says it: as long after the Secret was written as the spec asks for. The
    /// Secret may have lain there for hours, and the token is no younger.
    pub fn end(&self, lifetime: Option<Duration>, claimed: Time) -> Option<Time> {
        let assumed = |length: Duration| {
            let end = self.written.map_or(claimed, |written| written.min(claimed)).plus(length);
            // Before its publish the service must accept it. If it does so after that end, the token lives longer than the spec says.
            if end <= claimed { claimed.plus(length) } else { end }
        };
        self.expiration.or_else(|| lifetime.map(assumed))
    }
}

fn check_token(token: &SecretString) -> Result<(), String> {
    let value = token.expose_secret();
    if value.is_empty() {
        return Err(format!("its {TOKEN_KEY} is empty"));
    }
    if value.len() > MAX_TOKEN_BYTES {
        return Err(format!("the token has more than {MAX_TOKEN_BYTES} bytes"));
    }
    if value.chars().any(|sign| sign.is_whitespace() || sign.is_control()) {
        return Err("the token has a blank or a line break inside: hand over the token alone".to_owned());
    }
    Ok(())
}

/// A date means its first moment: a token is not used longer than it lives.
fn time_or_date(text: &str) -> Option<Time> {
    Time::parse(text).or_else(|| Time::parse(&format!("{text}T00:00:00Z")))
}

/// Whose the Secret is that stands in the place of the companion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// It keeps the values of these tokens of this object.
    Ours(Vec<TokenId>),
    /// That of an object of this name which is gone.
    Former,
    /// Somebody else's.
    Foreign,
}

/// Whose it is, seen from `owner`.
pub fn keeper(secret: &Secret, owner: &Owner) -> Keeper {
    let labelled = secret.metadata.labels.as_ref().and_then(|labels| labels.get(COMPANION));
    let text = secret.metadata.annotations.as_ref().and_then(|annotations| annotations.get(OWNER));
    let of_name = format!("{}/{}/{}/", owner.kind, owner.namespace, owner.name);
    match text.and_then(|text| text.strip_prefix(&of_name)) {
        // A label that a tool took off makes it nobody else's.
        Some(uid) if uid == owner.uid => {
            Keeper::Ours(secret.data.iter().flatten().filter_map(|(key, _)| id_of(key)).collect())
        }
        Some(_) if labelled.is_some() => Keeper::Former,
        Some(_) | None => Keeper::Foreign,
    }
}

/// The token whose value has this key. What else somebody put there is none.
fn id_of(key: &str) -> Option<TokenId> {
    key.starts_with("hand-over-").then(|| TokenId::new(key))?
}

/// The value that it keeps of this token.
pub fn kept_value(secret: &Secret, id: &TokenId) -> Option<SecretString> {
    let bytes = secret.data.as_ref()?.get(id.as_str())?;
    String::from_utf8(bytes.0.clone()).ok().map(SecretString::from)
}

/// The companion to create.
pub fn companion_body(owner: &Owner, values: &BTreeMap<TokenId, SecretString>) -> Secret {
    let annotation = format!("{}/{}/{}/{}", owner.kind, owner.namespace, owner.name, owner.uid);
    Secret {
        metadata: ObjectMeta {
            name: Some(companion_name(&owner.name)),
            namespace: Some(owner.namespace.clone()),
            labels: Some(BTreeMap::from([(COMPANION.to_owned(), owner.name.clone())])),
            annotations: Some(BTreeMap::from([(OWNER.to_owned(), annotation)])),
            ..ObjectMeta::default()
        },
        data: Some(values.iter().map(|(id, value)| (id.to_string(), bytes(value))).collect()),
        ..Secret::default()
    }
}

/// The JSON merge patch that makes `current` keep these values and no others. The API server refuses it if `current` is not the newest
/// version.
pub fn companion_patch(owner: &Owner, values: &BTreeMap<TokenId, SecretString>, current: &Secret) -> Value {
    let body = companion_body(owner, values);
    let mut data: Map<String, Value> =
        current.data.iter().flat_map(BTreeMap::keys).map(|key| (key.clone(), Value::Null)).collect();
    data.extend(body.data.iter().flatten().map(|(key, value)| (key.clone(), json!(value))));
    json!({
        "metadata": {
            // An empty version would be a write without a check.
            "resourceVersion": current.metadata.resource_version.as_deref().unwrap_or("1"),
            "labels": body.metadata.labels,
            "annotations": body.metadata.annotations,
        },
        "data": data,
    })
}

fn bytes(value: &SecretString) -> ByteString {
    ByteString(value.expose_secret().as_bytes().to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn secret(data: &[(&str, &str)]) -> Secret {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect();
        Secret { data: Some(data), ..Secret::default() }
    }

    fn owner(uid: &str) -> Owner {
        Owner { kind: "ArtifactToken".into(), namespace: "ci".into(), name: "seal".into(), uid: uid.into() }
    }

    #[test]
    fn a_token_is_taken_without_the_line_break_behind_it() {
        let read = handed_over(&secret(&[("token", "abc\n"), ("expirationTime", "2027-12-24\n")]), NOW).unwrap();
        assert_eq!(read.token.expose_secret(), "abc");
        assert_eq!(read.expiration, Time::parse("2027-12-24T00:00:00Z"));
        let read = handed_over(&secret(&[("token", "abc"), ("expirationTime", "2027-12-24T10:00:00Z")]), NOW).unwrap();
        assert_eq!(read.expiration, Time::parse("2027-12-24T10:00:00Z"));
        assert_eq!(handed_over(&secret(&[("token", "abc")]), NOW).unwrap().expiration, None);
    }

    #[test]
    fn what_is_no_token_is_refused_with_a_reason_that_has_no_value_in_it() {
        let long = "x".repeat(MAX_TOKEN_BYTES + 1);
        for (data, why) in [
            (&[("tokn", "abc")][..], "no key token"),
            (&[("token", " \n")], "is empty"),
            (&[("token", "abc def")], "a blank"),
            (&[("token", "abc\ndef")], "a line break"),
            (&[("token", long.as_str())], "more than"),
            (&[("token", "abc"), ("expirationTime", "next year")], "is no time"),
            (&[("token", "abc"), ("expirationTime", "2026-01-01")], "has expired"),
        ] {
            let told = handed_over(&secret(data), NOW).unwrap_err();
            assert!(told.contains(why) && !told.contains("abc"), "{told}");
        }
    }

    #[test]
    fn only_the_secret_of_that_name_hands_over_to_an_object() {
        let labels = BTreeMap::from([(HAND_OVER.to_owned(), "seal".to_owned())]);
        assert_eq!(recipient("seal-hand-over", Some(&labels)), Some("seal"));
        assert_eq!(recipient("other-hand-over", Some(&labels)), None);
        assert_eq!(recipient("seal-hand-over", None), None);
    }

    #[test]
    fn a_companion_is_ours_only_with_our_uid() {
        let id = TokenId::of_hand_over(3);
        let values = BTreeMap::from([(id.clone(), SecretString::from("abc"))]);
        let body = companion_body(&owner("u1"), &values);
        assert_eq!(keeper(&body, &owner("u1")), Keeper::Ours(vec![id.clone()]));
        assert_eq!(kept_value(&body, &id).unwrap().expose_secret(), "abc");
        assert_eq!(keeper(&body, &owner("u2")), Keeper::Former);
        assert_eq!(keeper(&Secret::default(), &owner("u1")), Keeper::Foreign);
        let patch = companion_patch(&owner("u1"), &BTreeMap::new(), &body);
        assert_eq!(patch["data"], json!({"hand-over-3": null}));
    }

    #[test]
    fn a_token_is_no_younger_than_its_secret_where_nobody_says_when_it_expires() {
        let at = |text: &str| Time::parse(text).unwrap();
        let mut offer = secret(&[("token", "abc")]);
        offer.metadata = serde_json::from_value(json!({
            "creationTimestamp": "2026-11-01T00:00:00Z", "managedFields": [{"manager": "kubectl", "time": "2026-11-01T02:00:00Z"}],
        }))
        .unwrap();
        let read = handed_over(&offer, NOW).unwrap();
        let end = |hours: u64, now: &str| read.end(Some(Duration::from_secs(hours * 3600)), at(now));
        assert_eq!(end(4, "2026-11-01T05:00:00Z"), Some(at("2026-11-01T06:00:00Z")), "it lay there for three hours");
        assert_eq!(
            end(4, "2026-11-01T07:00:00Z"),
            Some(at("2026-11-01T11:00:00Z")),
            "the service accepts it all the same"
        );
        assert_eq!(end(4, "2026-11-01T01:00:00Z"), Some(at("2026-11-01T05:00:00Z")), "a time ahead counts as now");
        offer.metadata.managed_fields = None;
        let cleared = handed_over(&offer, NOW).unwrap();
        let claimed = at("2026-11-01T03:00:00Z");
        assert_eq!(cleared.end(Some(Duration::from_secs(4 * 3600)), claimed), Some(at("2026-11-01T04:00:00Z")));
        assert_eq!(read.end(None, NOW), None);
        let said = HandedOver { expiration: Some(at("2027-01-01T00:00:00Z")), ..read.clone() };
        assert_eq!(said.end(Some(Duration::from_secs(3600)), NOW), said.expiration);
    }
}
