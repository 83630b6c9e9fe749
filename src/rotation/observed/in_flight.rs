//! The attempt in flight: only this process knows about it.

use crate::api::ids::TokenId;
use crate::api::time::Time;
use crate::rotation::observed::service::Verdict;

/// The attempt that only this process has, until it is published or given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum InFlight {
    /// Nothing.
    #[default]
    Nothing,
    /// An attempt that this process claimed. *Generate* has not taken effect yet.
    Claim {
        /// The attempt.
        attempt: u32,
        /// After this time it is given up.
        deadline: Time,
    },
    /// A generated value whose outcome is not decided yet.
    Value {
        /// The attempt.
        attempt: u32,
        /// The token's id.
        id: TokenId,
        /// After this time it is no longer published.
        deadline: Time,
        /// When the service answered with the value.
        issued: Time,
        /// What the service said about it before the publish.
        trial: Option<Verdict>,
        /// The content hash of each Secret that the publish replaces; `None` for an absent Secret.
        expected: Vec<Option<u64>>,
        /// Whether a publish was sent that has landed, or may still land.
        sent: bool,
    },
}

impl InFlight {
    /// The number of the attempt in flight.
    pub fn attempt(&self) -> Option<u32> {
        match self {
            Self::Nothing => None,
            Self::Claim { attempt, .. } | Self::Value { attempt, .. } => Some(*attempt),
        }
    }

    /// Whether the value in flight is that of this token.
    pub fn holds(&self, id: &TokenId) -> bool {
        matches!(self, Self::Value { id: own, .. } if own == id)
    }
}
