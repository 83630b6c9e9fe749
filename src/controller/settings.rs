//! The operator's own settings, as its arguments give them.

use std::time::Duration;

use crate::rotation::desired::Timings;

/// The operator's own settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a fresh token may be unknown to its service.
    pub token_settle: Duration,
    /// What lies between each two deadlines of the protocol.
    pub margin: Duration,
    /// The first delay of every back-off.
    pub first_retry: Duration,
    /// The overlap where neither token nor service says one.
    pub default_overlap: Duration,
    /// The namespace in which this operator runs: the only one whose Secrets a `ClusterTokenService` may name.
    pub operator_namespace: Option<String>,
    /// Whether `ClusterTokenService`s are kept, too.
    pub cluster_services: bool,
}

impl Settings {
    /// The protocol's times for a service whose *generate* may take so long.
    pub fn timings(&self, generate_timeout: Duration) -> Timings {
        Timings::derive(generate_timeout, self.token_settle, self.margin, self.first_retry)
    }
}
