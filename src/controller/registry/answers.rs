//! What each service said about its tokens (P20): whether it refuses one of them or most.

use std::time::Duration;

use crate::api::time::Time;
use crate::rotation::observed::Others;
use crate::rotation::service_answers::{Said, Standing};

use super::Services;
use super::entry::ServiceEntry;
use super::key::{Change, Key};

impl Services {
    /// Begins a review after a change of the credential: each token is asked about.
    pub(crate) fn review(&self, entry: &ServiceEntry, now: Time) {
        self.at_object(entry, |slot| slot.answers.review(&entry.revision, now));
    }

    /// Ends the review if all `holders` have answered or time is over.
    pub(crate) fn settle(&self, entry: &ServiceEntry, holders: impl FnOnce() -> usize, window: Duration, now: Time) {
        self.at_object(entry, |slot| slot.answers.settle(holders, window, now));
    }

    /// What the answers say of the service.
    pub(crate) fn standing(&self, key: &Key) -> Standing {
        self.at(key, |slot| slot.answers.standing()).unwrap_or_default()
    }

    /// Whether the service refuses most tokens, so that no refusal counts.
    pub(crate) fn refuses_most(&self, key: &Key) -> bool {
        matches!(self.standing(key), Standing::Refusing { .. })
    }

    /// Whether the token of this object must be asked about now, although it is not due.
    pub(crate) fn awaits(&self, key: &Key, uid: &str, pause: Duration, now: Time) -> bool {
        self.at(key, |slot| slot.answers.awaits(uid, pause, now)).unwrap_or_default()
    }

    /// What the service said about the tokens of other objects than this.
    pub(crate) fn others(&self, key: &Key, uid: &str) -> Others {
        self.at(key, |slot| slot.answers.others(uid)).unwrap_or_default()
    }

    /// Records what the service said. Where that changes anything for its other tokens, the service is checked, and passes over them
    /// begin.
    pub(crate) fn said(&self, entry: &ServiceEntry, said: Said<'_>, window: Duration) {
        let effect = self.at_object(entry, |slot| slot.answers.take(said, window)).unwrap_or_default();
        if effect.standing {
            self.check_again(entry.key.clone());
        }
        if effect.standing || effect.compares {
            self.notify(Change::Service(entry.key.clone()));
        }
    }

    /// Forgets what was said about the token of an object that is gone.
    pub(crate) fn forget_answers(&self, uid: &str, now: Time) {
        let changed: Vec<Key> = super::locked(&self.slots)
            .iter_mut()
            .filter_map(|(key, slot)| slot.answers.forget(uid, now).then(|| key.clone()))
            .collect();
        for key in changed {
            self.check_again(key.clone());
            self.notify(Change::Service(key));
        }
    }
}
