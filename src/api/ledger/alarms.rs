//! The parts of the ledger that alarm people: leaks and identity conflicts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::ids::TokenId;
use crate::api::time::Time;

/// The response to a leak: what `revokeIssuedBefore` asked for, and what the operator did.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Leak {
    /// What an older version recorded: the later of the two times in object and service. Neither fires again with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Time>,
    /// The time in the spec of the ArtifactToken; the same time does not fire again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_issued_before: Option<Time>,
    /// The time in the spec of its service object; the same time does not fire again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_issued_before: Option<Time>,
    /// Tokens claimed before this time leaked. It is the time in the spec, or the time when the operator noticed it, if
    /// that was earlier.
    pub claimed_before: Time,
    /// When the revoke of the current token was answered, or given up for the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_time: Option<Time>,
    /// When the Secret held a replacement that was verified; absent while there is none. Between the two times consumers held a dead
    /// token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_time: Option<Time>,
}

impl Leak {
    /// The times that were noticed.
    pub fn noticed(&self) -> LeakTimes {
        LeakTimes {
            object: self.object_issued_before.or(self.issued_before),
            service: self.service_issued_before.or(self.issued_before),
        }
    }

    /// Whether a token that was claimed at this time leaked.
    pub fn covers(&self, claimed: Time) -> bool {
        claimed < self.claimed_before
    }
}

/// `revokeIssuedBefore` in the two places where it may stand. They are two facts: a time in one place says nothing about the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LeakTimes {
    /// In the spec of the ArtifactToken.
    pub object: Option<Time>,
    /// In the spec of its service object.
    pub service: Option<Time>,
}

impl LeakTimes {
    /// Those that are not among the `noticed` ones.
    #[must_use]
    pub fn new_to(self, noticed: Self) -> Self {
        let new = |time: Option<Time>, noticed: Option<Time>| time.filter(|time| noticed != Some(*time));
        Self { object: new(self.object, noticed.object), service: new(self.service, noticed.service) }
    }

    /// The later of the two.
    pub fn latest(self) -> Option<Time> {
        self.object.max(self.service)
    }
}

/// A token of another cluster that works with copies of the same objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The attempt in its name.
    pub attempt: u32,
    /// Its id at the service.
    pub id: TokenId,
}
