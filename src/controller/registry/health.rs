//! Whether the operations of each service work (`rotation/service_health.rs`).

use std::time::Duration;

use crate::api::condition::Condition;
use crate::api::time::Time;
use crate::rotation::desired::Halt;
use crate::service::client::heard::Heard;

use super::Services;
use super::entry::ServiceEntry;
use super::key::Key;

impl Services {
    /// Where the clients of a service note what they hear. It outlives the clients.
    pub(crate) fn heard(&self, entry: &ServiceEntry) -> Heard {
        self.at_object(entry, |slot| slot.listening.heard.clone()).unwrap_or_default()
    }

    /// Takes what was heard since the last time. Where that changes what is to be told or asked, the service is checked.
    pub(crate) fn listen(&self, key: &Key, now: Time) {
        if self.at(key, |slot| slot.listening.listen(now)).unwrap_or_default() {
            self.check_again(key.clone());
        }
    }

    /// The same for a check, which also reads what the status tells. Returns how soon the service is to be asked because of a suspicion.
    pub(crate) fn listen_for_check(&self, key: &Key, told: &[Condition], now: Time) -> Option<Duration> {
        self.at(key, |slot| {
            let declaration = slot.entry.as_ref().and_then(|entry| entry.declaration.as_ref());
            slot.listening.read(told, declaration, now);
            slot.listening.listen(now);
            slot.listening.ask_at().map(|at| at.since(now))
        })?
    }

    /// How soon the service is to be asked because of a suspicion, or time alone changes what is told.
    pub(crate) fn next_change_in(&self, key: &Key, now: Time) -> Option<Duration> {
        self.at(key, |slot| {
            let times = [slot.listening.ask_at(), slot.listening.changes_at(now)];
            times.into_iter().flatten().min().map(|at| at.since(now))
        })?
    }

    /// Counts a question to the service, and what came of it. After one that a suspicion led to, suspicions are quiet for a while.
    pub(crate) fn asked(&self, key: &Key, suspected: bool, halt: Option<&Halt>, now: Time) {
        self.at(key, |slot| {
            if suspected {
                slot.listening.asked(now);
            }
            let refused = halt.is_some_and(|halt| halt.stalled);
            slot.listening.refusals = if refused { slot.listening.refusals.saturating_add(1) } else { 0 };
        });
    }

    /// How often in a row the service answered with a definite no to a check.
    pub(crate) fn refusals(&self, key: &Key) -> u32 {
        self.at(key, |slot| slot.listening.refusals).unwrap_or_default()
    }

    /// What its status tells while nothing halts it: an operation that its tokens need does not work.
    pub(crate) fn trouble(&self, key: &Key, now: Time) -> Option<Halt> {
        self.at(key, |slot| slot.listening.trouble(now))?
    }
}
