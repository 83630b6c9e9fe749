//! What the service said of a token that is to die, and that proves nothing yet.

use crate::api::time::Time;
use crate::service::client::answers::RevokeAnswer;

/// Each sign with the time when this process saw it first. All of them are void once the service accepts the token.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signs {
    /// The service refuses its value.
    pub refused: Option<Time>,
    /// A list does not have it, and *verify* says nothing.
    pub unlisted: Option<Time>,
    /// What the service answered to a revoke, after which its value could not be tried.
    pub ended: Option<(Time, RevokeAnswer)>,
}

impl Signs {
    /// Those from a time until `now`. A later one was stamped by a clock that was set back since, and would hold up a death until then.
    pub(crate) fn until(self, now: Time) -> Self {
        let Self { refused, unlisted, ended } = self;
        let past = |time: &Time| *time <= now;
        Self {
            refused: refused.filter(past),
            unlisted: unlisted.filter(past),
            // A new sign would need another revoke, and none is sent.
            ended: ended.map(|(at, answer)| (at.min(now), answer)),
        }
    }

    /// Adds what was seen now.
    pub(crate) fn add(&mut self, refused: bool, unlisted: bool, ended: Option<RevokeAnswer>, now: Time) {
        *self = self.until(now);
        self.refused = self.refused.or(refused.then_some(now));
        self.unlisted = self.unlisted.or(unlisted.then_some(now));
        self.ended = self.ended.or(ended.map(|answer| (now, answer)));
    }
}
