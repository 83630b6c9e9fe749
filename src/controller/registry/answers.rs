//! Reviews of services: after its credential has changed, the tokens of a service are verified before a refusal counts (P20).

use crate::api::time::Time;
use crate::rotation::service_review::{Judgement, Review};

use super::Services;
use super::entry::ServiceEntry;
use super::key::{Change, Key};

impl Services {
    /// Begins a review after a change of the credential: each token is verified, and no refusal counts before most have been.
    pub(crate) fn review(&self, entry: &ServiceEntry, now: Time) {
        self.at_object(entry, |slot| {
            if slot.review.as_ref().is_none_or(|review| review.revision != entry.revision) {
                slot.review = Some(Review::begin(entry.revision.clone(), now));
            }
        });
    }

    /// The result of the review of a service: `None` without a review, `Some(None)` while it goes on.
    pub(crate) fn judgement(&self, key: &Key) -> Option<Option<Judgement>> {
        self.at(key, |slot| slot.review.as_ref().map(|review| review.judgement))?
    }

    /// Stops waiting for objects that have not answered in time.
    pub(crate) fn settle(&self, key: &Key, now: Time) {
        if self.at(key, |slot| slot.review.as_mut()?.settle(now)).flatten().is_some() {
            self.notify(Change::Service(key.clone()));
        }
    }

    /// Whether the refusals of a service count.
    pub(crate) fn trusts(&self, key: &Key) -> bool {
        matches!(self.judgement(key), None | Some(Some(Judgement::Trusted)))
    }

    /// Lets refusals count from now on, because a person said so.
    pub(crate) fn trust(&self, key: &Key) {
        self.at(key, |slot| {
            if let Some(review) = &mut slot.review {
                review.judgement = Some(Judgement::Trusted);
            }
        });
    }

    /// Whether the review still waits for the token of this object to be verified.
    pub(crate) fn awaits(&self, key: &Key, uid: &str) -> bool {
        self.at(key, |slot| slot.review.as_ref().is_some_and(|review| review.awaits(uid))).unwrap_or_default()
    }

    /// Records whether the service accepted the token of this object, which is one of `objects`.
    pub(crate) fn answered(&self, key: &Key, uid: &str, accepted: bool, objects: usize, now: Time) {
        let judged = self.at(key, |slot| slot.review.as_mut()?.answer(uid, accepted, objects, now));
        if judged.flatten().is_some() {
            self.check_again(key.clone());
            self.notify(Change::Service(key.clone()));
        }
    }
}
