//! Permanent quirks of the service, as real services have them.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// How the service behaves until somebody changes it. Counts and ids are those of one system; `revoke_always_succeeds` is about this
/// program's own service alone. Kept in memory: a restart brings the defaults back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// The list shows the tokens as they were this long ago.
    pub list_lag_milliseconds: u32,
    /// A fresh token is refused for this long.
    pub settle_milliseconds: u32,
    /// A revoked token is still accepted for this long.
    pub revoke_lag_milliseconds: u32,
    /// Generating is refused while this many tokens live.
    pub token_limit: Option<usize>,
    /// The service silently drops the oldest live tokens while more than this many live.
    pub drop_oldest_above: Option<usize>,
    /// A revoke answers that it succeeded, whatever its id is.
    pub revoke_always_succeeds: bool,
    /// The id of the newest token is given again once that token is gone, as SQLite does with row numbers.
    pub reuse_ids: bool,
    /// Each admin key is an account of its own: it lists and revokes the tokens that it generated.
    pub accounts: bool,
    /// A requested lifetime is accepted and not kept: tokens never expire.
    pub ignore_lifetime: bool,
}

impl Settings {
    /// [`Settings::list_lag_milliseconds`] as a span of time.
    pub fn list_lag(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.list_lag_milliseconds.into())
    }

    /// [`Settings::settle_milliseconds`] as a span of time.
    pub fn settle(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.settle_milliseconds.into())
    }

    /// [`Settings::revoke_lag_milliseconds`] as a span of time.
    pub fn revoke_lag(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.revoke_lag_milliseconds.into())
    }
}
