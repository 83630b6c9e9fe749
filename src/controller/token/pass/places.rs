//! Places in the rate limit of the service that a pass took for the calls that come next.

use super::Pass;
use crate::service::client::Places;

impl Pass<'_> {
    /// Keeps places in the rate limit for the claim that comes next.
    pub(crate) fn keep_places(&mut self, places: Places) {
        self.places = Some(places);
    }

    pub(crate) fn has_places(&self) -> bool {
        self.places.is_some()
    }

    pub(crate) fn take_kept_places(&mut self) -> Option<Places> {
        self.places.take()
    }

    /// Keeps the turn of a list for the question about the token in the Secret.
    pub(crate) fn keep_question(&mut self, places: Places) {
        self.question = Some(places);
    }

    pub(crate) fn take_kept_question(&mut self) -> Option<Places> {
        self.question.take()
    }

    /// Keeps places for the revoke that comes next.
    pub(crate) fn keep_turn(&mut self, places: Places) {
        self.turn = Some(places);
    }

    pub(crate) fn has_turn(&self) -> bool {
        self.turn.is_some()
    }

    pub(crate) fn take_kept_turn(&mut self) -> Option<Places> {
        self.turn.take()
    }
}
