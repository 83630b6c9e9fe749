//! The attempt that this process alone has: from its claim until it is published and decided, or given up.

use std::time::Instant;

use secrecy::SecretString;

use crate::api::time::Time;
use crate::rotation::observed::{InFlight, Verdict};
use crate::service::client::Places;

/// An attempt in flight.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Its number.
    pub attempt: u32,
    /// When it was claimed, as the ledger has it.
    pub claimed: Time,
    /// Past this it is given up; on the monotonic clock, from before the claim was sent.
    pub deadline: Instant,
    /// The digest of what it asks for.
    pub request_digest: String,
    /// The content hashes of the Secrets as they were before the claim.
    pub expected: Vec<Option<u64>>,
    /// The ids of the tokens that they held.
    pub replaces: Vec<String>,
    /// The places in the rate limit that were taken before the claim.
    pub places: Places,
    /// The service's answer.
    pub value: Option<Value>,
}

/// What the service generated for it.
#[derive(Debug)]
pub(crate) struct Value {
    /// The token's id.
    pub id: String,
    /// The token.
    pub token: SecretString,
    /// When it expires.
    pub expiration: Option<Time>,
    /// When the service answered.
    pub issued: Time,
    /// What the service said of it before publishing.
    pub trial: Option<Verdict>,
    /// When the Secret was written with it.
    pub published: Option<Time>,
    /// A publish was sent, and was not refused for certain.
    pub sent: bool,
}

impl Attempt {
    /// For the decision. The deadline is given as a time that lies as far from `now` as the monotonic clock says.
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
