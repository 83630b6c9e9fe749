//! The calls that the service received: counters, and the last calls in detail.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::books::Caller;

/// How many calls are kept in detail. A test looks at hundreds; a benchmark of a thousand objects
/// makes some thousands; more would only cost memory.
const LOG_LIMIT: usize = 10_000;

/// The four verbs of a token service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    Generate,
    Verify,
    List,
    Revoke,
}

/// The credential that a caller showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Credential {
    Admin,
    Token,
    None,
    Wrong,
}

impl From<Caller> for Credential {
    fn from(caller: Caller) -> Self {
        match caller {
            Caller::Admin => Self::Admin,
            Caller::Token(_) => Self::Token,
            Caller::Nobody => Self::None,
            Caller::Stranger => Self::Wrong,
        }
    }
}

/// One call as the service saw it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub operation: Operation,
    /// When it arrived.
    pub time: DateTime<Utc>,
    /// The status that the client got; 0 if the answer was lost or cut.
    pub status: u16,
    pub token_id: Option<String>,
    pub credential: Credential,
}

/// How often each verb was called.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    generate: u64,
    verify: u64,
    list: u64,
    revoke: u64,
}

/// The counters and the log. In memory: they are about this process, not about the tokens.
#[derive(Default)]
pub struct Calls {
    counts: Counts,
    log: VecDeque<Entry>,
    /// Entries that have left the front of the log, so that a number keeps naming its entry.
    gone: u64,
}

/// Names an entry of the log.
#[derive(Clone, Copy, Debug)]
pub struct EntryNumber(u64);

impl Calls {
    /// The counters.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The log, oldest first.
    pub fn log(&self) -> &VecDeque<Entry> {
        &self.log
    }

    /// Counts a call when it arrives, so that a call that still waits is counted, too.
    pub fn count(&mut self, operation: Operation) {
        let counter = match operation {
            Operation::Generate => &mut self.counts.generate,
            Operation::Verify => &mut self.counts.verify,
            Operation::List => &mut self.counts.list,
            Operation::Revoke => &mut self.counts.revoke,
        };
        *counter += 1;
    }

    /// Adds an entry.
    pub fn record(&mut self, entry: Entry) -> EntryNumber {
        self.log.push_back(entry);
        if self.log.len() > LOG_LIMIT {
            self.log.pop_front();
            self.gone += 1;
        }
        EntryNumber(self.gone + self.log.len() as u64 - 1)
    }

    /// Records that the client left before the answer.
    pub fn lose_answer(&mut self, number: EntryNumber) {
        if let Some(entry) = self.entry(number) {
            entry.status = 0;
        }
    }

    /// Records the token that a late effect was about.
    pub fn name_token(&mut self, number: EntryNumber, token_id: String) {
        if let Some(entry) = self.entry(number) {
            entry.token_id = Some(token_id);
        }
    }

    /// Forgets all calls. Older numbers name no entry any more.
    pub fn reset(&mut self) {
        self.counts = Counts::default();
        self.gone += self.log.len() as u64;
        self.log.clear();
    }

    fn entry(&mut self, number: EntryNumber) -> Option<&mut Entry> {
        let position = number.0.checked_sub(self.gone)?;
        self.log.get_mut(usize::try_from(position).ok()?)
    }
}
