//! The sweep of a service: what the spec asks for, and what the operator found.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::GoDuration;
use crate::api::ids::TokenId;
use crate::api::time::Time;

/// How the operator treats tokens without an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sweep {
    /// How often the operator looks for them; less than `10s` counts as `10s`. Default `1h`. Example: `30m`.
    #[serde(default = "Sweep::default_interval")]
    pub interval: GoDuration,
    /// `Report`: the operator counts them in `status.lastSweep`. `Revoke`: it also revokes those that the previous sweep
    /// reported, too; only where it may list the ArtifactTokens of all namespaces, and no other cluster uses the same
    /// `naming.prefix`. A living object revokes its own tokens that it does not need, whatever this policy is. Default
    /// `Report`.
    #[serde(default)]
    pub policy: SweepPolicy,
}

impl Sweep {
    fn default_interval() -> GoDuration {
        GoDuration::from_secs(3600)
    }
}

impl Default for Sweep {
    fn default() -> Self {
        Self { interval: Self::default_interval(), policy: SweepPolicy::Report }
    }
}

/// What the operator does with tokens without an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SweepPolicy {
    /// They are reported.
    #[default]
    Report,
    /// They are revoked.
    Revoke,
}

/// The most entries of `status.lastSweep.orphans`.
pub const MAX_ORPHANS: usize = 64;

/// The most characters of the name of an orphan that are shown.
const MAX_NAME_CHARACTERS: usize = 256;

/// What the last sweep found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastSweep {
    /// When it was.
    pub time: Time,
    /// Tokens in use.
    pub managed: u32,
    /// Superseded tokens that their objects are about to revoke.
    pub pending_revocation: u32,
    /// Living objects with tokens that their ledgers did not know. Each object then looks for these tokens itself.
    pub suspected: u32,
    /// Objects of this service in an identity conflict. While there is one, `policy: Revoke` revokes nothing: another cluster may use
    /// the same names, and its objects are not visible here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub disputed: u32,
    /// Objects of this service that no operator has looked at yet. While there is one, `policy: Revoke` revokes nothing: the Secret of
    /// its name may hold a token of an object that is gone. In a namespace that no operator watches it stays so: delete it there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unseen: u32,
    /// Tokens in use that the service lists under another name than they were given. Absent for none. A lost token cannot be
    /// found by its name there; see `spec.operations.list.item.namePrefix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed: Option<u32>,
    /// Tokens with the operator's name whose object no longer exists, and that still lived when the sweep ended. Absent where
    /// the operator may not list the ArtifactTokens of all namespaces, and so cannot know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned: Option<u32>,
    /// The first of them. A sweep revokes only tokens that stood here long enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_ORPHANS))]
    pub orphans: Vec<Orphan>,
}

/// A token without an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// Its id at the service.
    pub id: TokenId,
    /// Its name there.
    #[schemars(length(max = MAX_NAME_CHARACTERS))]
    pub name: String,
    /// When a sweep first found it without an owner. With `policy: Revoke` it is revoked an hour or the longest overlap of the
    /// service's tokens later, whichever is longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_time: Option<Time>,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Orphan {
    /// The token with this id and name, which has had no owner since then.
    pub fn new(id: TokenId, name: &str, since: Time) -> Self {
        Self { id, name: name.chars().take(MAX_NAME_CHARACTERS).collect(), since_time: Some(since) }
    }
}
