//! Conditions of every kind, in the shape of `metav1.Condition`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reason::Reason;
use super::time::Time;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// The operator cannot know it now.
    Unknown,
}

impl ConditionStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::True, Self::False, Self::Unknown];

    /// The word that stands in the object.
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What a condition is about. `Ready` is always present; the others only while they are true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The Secret holds a token that was verified and is believed valid (a service: its credential is accepted).
    Ready,
    /// The newest spec is not applied yet, or rotation steps are running. Never the overlap.
    Reconciling,
    /// A person must act, or something elsewhere must change.
    Stalled,
    /// A superseded token still lives.
    RevocationPending,
    /// The last attempt failed; the old token is kept.
    RotationFailed,
    /// The service's answers about the current token say nothing.
    VerificationUnclear,
    /// A person must make a token at the service, and hand it over.
    HandOverDue,
}

impl ConditionType {
    /// The word that stands in the object.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::RevocationPending => "RevocationPending",
            Self::RotationFailed => "RotationFailed",
            Self::VerificationUnclear => "VerificationUnclear",
            Self::HandOverDue => "HandOverDue",
        }
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word from the list of reasons in the documentation.
    pub reason: Reason,
    /// A sentence for people: the state, and what to do next, if anything.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The generation of the spec that this condition is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    pub last_transition_time: Time,
}

/// Stands before the service's own words in a message. They have no quotation mark, and end with one.
pub const SERVICE_SAYS: &str = "; the service says: \"";

/// The message to tell: that from before, if nothing but the service's own words is another. A service may word each answer anew, and that
/// is no news.
pub fn told(message: String, reason: Reason, before: Option<&Condition>) -> String {
    let known = before.filter(|before| before.reason == reason && own(&before.message) == own(&message));
    known.map_or(message, |known| known.message.clone())
}

/// A message without the service's words.
fn own(message: &str) -> (&str, &str) {
    let Some((head, words)) = message.split_once(SERVICE_SAYS) else { return (message, "") };
    (head, words.split_once('"').map_or("", |(_, tail)| tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_of_the_service_are_no_news() {
        let said = |words: &str, end: &str| format!("list: status 500{SERVICE_SAYS}{words}\"{end}");
        let before = |message: &str| Condition {
            type_: ConditionType::Ready,
            status: ConditionStatus::False,
            reason: Reason::ServiceNotReady,
            message: message.to_owned(),
            observed_generation: None,
            last_transition_time: Time::from_millis(0),
        };
        let known = before(&said("at 10:00", "; asked again"));
        let tell = |message: String| told(message, Reason::ServiceNotReady, Some(&known));
        assert_eq!(tell(said("at 10:01", "; asked again")), known.message);
        for news in [said("at 10:00", ""), "list: status 500; asked again".to_owned(), "verify: status 500".to_owned()]
        {
            assert_eq!(tell(news.clone()), news);
        }
        let anew = said("at 10:01", "; asked again");
        assert_eq!(told(anew.clone(), Reason::CredentialRejected, Some(&known)), anew);
        assert_eq!(told(anew.clone(), Reason::ServiceNotReady, None), anew);
    }
}
