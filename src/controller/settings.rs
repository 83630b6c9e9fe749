//! The operator's own settings, from its arguments.

use std::fmt;
use std::time::Duration;

use crate::api::duration::GoDuration;
use crate::rotation::desired::Timings;

/// The operator's own settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a service may refuse a fresh token before the refusal counts.
    pub token_settle: Duration,
    /// The time between each two deadlines of the protocol.
    pub margin: Duration,
    /// The first delay of every back-off.
    pub first_retry: Duration,
    /// A token that worked and is refused is asked about again after this time, at the earliest.
    pub refusal_settle: Duration,
    /// The overlap where neither the object nor its service sets one.
    pub default_overlap: Duration,
    /// How long, at least, a token must be without an object before a sweep revokes it.
    pub orphan_grace: Duration,
    /// The namespace in which this operator runs: the only one whose Secrets a `ClusterTokenService` may name.
    pub operator_namespace: Option<String>,
    /// Whether the operator handles `ClusterTokenService`s, too.
    pub cluster_services: bool,
    /// How often each Secret is read again where Secrets are not watched; `None` where they are.
    pub secret_reread: Option<Duration>,
    /// The election that it stands for, so that of several processes one keeps the tokens. `None`: it does so in any case.
    pub election: Option<Election>,
}

/// An election by a Lease.
#[derive(Clone, Debug)]
pub struct Election {
    /// Where the Lease is.
    pub namespace: String,
    /// The name of the Lease. Operators that keep different tokens need different ones.
    pub name: String,
    /// What the Lease calls this process. No other process may have it, not even an earlier one of the same pod.
    pub identity: String,
}

/// The Lease.
impl fmt::Display for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Settings {
    /// The overlap of an object that asks for `of_object`, at a service whose default is `of_service`.
    pub fn overlap(&self, of_object: Option<GoDuration>, of_service: Option<GoDuration>) -> Duration {
        of_object.or(of_service).map_or(self.default_overlap, |overlap| overlap.0)
    }

    /// The protocol's times for a service whose *generate* may take `generate_timeout`.
    pub fn timings(&self, generate_timeout: Duration) -> Timings {
        let derived = Timings::derive(generate_timeout, self.token_settle, self.margin, self.first_retry);
        Timings { refusal_settle: self.refusal_settle, ..derived }
    }
}
