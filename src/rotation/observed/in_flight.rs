//! The attempt that this process alone has.

use crate::api::time::Time;
use crate::rotation::observed::service::Verdict;

/// What this process alone has, until it is published or given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hand {
    /// Nothing.
    #[default]
    Empty,
    /// An attempt, claimed by this process, for which *generate* did not take effect yet.
    Claim {
        /// The attempt.
        attempt: u32,
        /// Past this time it is given up.
        deadline: Time,
    },
    /// A value that is not decided yet.
    Value {
        /// The attempt.
        attempt: u32,
        /// The token's id.
        id: String,
        /// Past this time it is not published any more.
        deadline: Time,
        /// When the service answered.
        issued: Time,
        /// What the service said of it before publishing.
        trial: Option<Verdict>,
        /// The Secrets as the publishing was computed against; `None` for an absent one.
        base: Vec<Option<u64>>,
        /// A publish was sent, and was not refused for certain: it has landed, or may still land.
        sent: bool,
    },
}

impl Hand {
    /// The attempt in hand.
    pub fn attempt(&self) -> Option<u32> {
        match self {
            Self::Empty => None,
            Self::Claim { attempt, .. } | Self::Value { attempt, .. } => Some(*attempt),
        }
    }

    /// Whether the value in hand is this token's.
    pub fn holds(&self, id: &str) -> bool {
        matches!(self, Self::Value { id: own, .. } if own == id)
    }
}
