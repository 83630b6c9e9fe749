//! The attempt that only this process has: from its claim until it is published and decided, or given up.

use secrecy::SecretString;
use tokio::time::Instant;

use crate::api::ids::TokenId;
use crate::api::time::Time;
use crate::rotation::observed::{InFlight, Observed, Verdict};
use crate::rotation::schedule::Trigger;
use crate::service::client::Places;

/// An attempt in flight.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub attempt: u32,
    /// The time of its claim in the ledger.
    pub claimed: Time,
    /// The attempt is given up after this instant. It is on the monotonic clock, and counted from before the claim was sent.
    pub deadline: Instant,
    /// The digest of its request.
    pub request_digest: String,
    /// The version of the operator's credential that *generate* was sent with.
    pub credentials_revision: String,
    /// Why a new token is wanted; `None` if that is not known.
    pub trigger: Option<Trigger>,
    /// It was claimed because the Secret lost the current token.
    pub corrects: bool,
    /// The content hashes of the Secrets before the claim.
    pub expected: Vec<Option<u64>>,
    /// The ids of the tokens that these Secrets held.
    pub replaces: Vec<TokenId>,
    /// The places in the rate limit that were taken before the claim.
    pub places: Places,
    /// The service's answer.
    pub value: Option<Value>,
    /// What people are told once the record of its success stands in the ledger, if that record was sent.
    pub announcement: Option<Announcement>,
}

/// What people are told of a verified token, once, even if the answer to its record was lost.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    pub id: TokenId,
    /// When it was verified, as the record says: another process would have recorded another time.
    pub verified: Time,
    /// The note about the first token of the object.
    pub first: Option<String>,
    /// The note about a token that was handed over.
    pub taken_up: Option<String>,
    /// The note about tokens that nothing leads to any more.
    pub strangers: Option<String>,
    /// The token answers a leak.
    pub answers_leak: bool,
}

/// What the service generated for it.
#[derive(Debug)]
pub(crate) struct Value {
    pub id: TokenId,
    pub token: SecretString,
    pub expiration: Option<Time>,
    /// When the service answered.
    pub issued: Time,
    /// The service's verdict on it before publishing.
    pub trial: Option<Verdict>,
    /// When it was written to the Secret.
    pub published: Option<Time>,
    /// Whether a publish was sent that was not certainly refused.
    pub sent: bool,
}

impl Attempt {
    /// One that has no value yet.
    pub(crate) fn begun(
        (attempt, claimed): (u32, Time),
        request_digest: String,
        deadline: Instant,
        places: Places,
        observed: &Observed,
    ) -> Self {
        Self {
            attempt,
            claimed,
            deadline,
            request_digest,
            credentials_revision: String::new(),
            trigger: None,
            corrects: false,
            expected: observed.secrets.expected(),
            replaces: observed.secrets.ours().filter_map(|ours| ours.id.clone()).collect(),
            places,
            value: None,
            announcement: None,
        }
    }

    /// Whether a person handed its token over.
    pub(crate) fn is_handed_over(&self) -> bool {
        self.value.as_ref().is_some_and(|value| value.id == TokenId::of_hand_over(self.attempt))
    }

    /// The attempt as the decision sees it. The deadline becomes a time as far from `now` as the monotonic clock says.
    pub(crate) fn observed(&self, now: Time) -> InFlight {
        let deadline = now.plus(self.deadline.saturating_duration_since(Instant::now()));
        match &self.value {
            None => InFlight::Claim { attempt: self.attempt, deadline },
            Some(value) => InFlight::Value {
                attempt: self.attempt,
                id: value.id.clone(),
                deadline,
                issued: value.issued,
                trial: value.trial,
                expected: self.expected.clone(),
                sent: value.sent,
            },
        }
    }
}
