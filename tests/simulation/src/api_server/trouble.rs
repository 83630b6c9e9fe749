//! What an API server refuses for a while, although it works as such.

use std::time::Duration;

use super::store::LEASES;
use super::write::Refusal;
use super::{ApiServer, Place};
use crate::objects;

/// The longest pause before a watch that broke begins again.
const RECONNECTS: Duration = Duration::from_secs(60);

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody reaches it.
    Down,
    /// The quota of the namespace has no room for another Secret.
    Quota,
    /// An admission webhook refuses each write of a Secret (403), or does not answer itself (500).
    Admission(u16),
    /// The operator may not read Secrets.
    NoSecretReads,
    /// The operator may do nothing with Secrets.
    NoSecrets,
    /// The operator may not write the status of an `ArtifactToken`.
    NoStatus,
    /// The operator may do nothing at all.
    NoRights,
    /// The operator may not write Leases. No random life draws it among the others: it is for those with an election.
    NoLeases,
}

/// All of them.
pub const TROUBLES: [Trouble; 8] = [
    Trouble::Down,
    Trouble::Quota,
    Trouble::Admission(403),
    Trouble::Admission(500),
    Trouble::NoSecretReads,
    Trouble::NoSecrets,
    Trouble::NoStatus,
    Trouble::NoRights,
];

impl Trouble {
    /// The answer to a request that it concerns: status, reason, message. A dry run is judged like the write itself.
    fn answer(self, method: &str, place: Place<'_>) -> Option<(u16, &'static str, &'static str)> {
        let (of_secret, writes) = (place.plural == "secrets", method != "GET");
        let forbidden = |what| Some((403, "Forbidden", what));
        match self {
            Self::Quota if of_secret && method == "POST" => forbidden("exceeded quota: secrets, requested: secrets=1"),
            Self::Admission(code) if of_secret && writes && method != "DELETE" => match code {
                403 => forbidden("admission webhook \"policy.sim\" denied the request"),
                _ => Some((code, "InternalError", "failed calling webhook \"policy.sim\": no endpoints available")),
            },
            Self::NoSecretReads if of_secret && !writes => {
                forbidden("secrets is forbidden: the operator cannot read it")
            }
            Self::NoSecrets if of_secret => forbidden("secrets is forbidden: the operator cannot touch it"),
            Self::NoStatus if writes && place.plural == "artifacttokens" && place.status => {
                forbidden("artifacttokens/status is forbidden: the operator cannot update it")
            }
            Self::NoRights => forbidden("the operator may do nothing"),
            Self::NoLeases if writes && place.plural == LEASES => {
                forbidden("leases.coordination.k8s.io is forbidden: the operator cannot update it")
            }
            _ => None,
        }
    }
}

impl ApiServer {
    /// From now on this is wrong, until it is [`right`](Self::right) again; the number ends it.
    pub fn wrong(&self, trouble: Trouble) -> u64 {
        let now = self.world.elapsed();
        let number = self.store().troubles.begin((now, trouble));
        // Who began to watch when it was allowed goes on; only a server that goes away breaks that.
        if trouble == Trouble::Down {
            self.break_watches();
        }
        number
    }

    /// It is over.
    pub fn right(&self, number: u64) {
        let mut store = self.store();
        store.troubles.end(number);
        store.silent = self.world.elapsed();
    }

    /// Whether something kept news of changes away from processes at some time since then. A watch that broke begins again after
    /// a pause.
    pub fn keeps_news_since(&self, then: Duration) -> bool {
        let lags = self.world.lag.lock().unwrap().newest().is_some();
        let store = self.store();
        lags || store.troubles.newest().is_some() || store.silent + RECONNECTS >= then
    }

    /// Nothing is wrong any more.
    pub fn all_right(&self) {
        self.store().troubles.clear();
    }

    fn has(&self, trouble: Trouble) -> bool {
        self.store().troubles.iter().any(|(_, wrong)| *wrong == trouble)
    }

    /// Since when it refuses to have an object's Secret written, if it does.
    pub fn refuses_secret_since(&self, index: usize) -> Option<Duration> {
        let (namespace, name) = (self.layout().namespace(index), objects::secret_of(index));
        let method = if self.secret(index).is_some() { "PATCH" } else { "POST" };
        let place = Place { plural: "secrets", namespace, name: Some(&name), status: false };
        let store = self.store();
        let refused = store.troubles.iter().filter(|(_, trouble)| trouble.answer(method, place).is_some());
        refused.map(|(since, _)| *since).min()
    }

    /// Whether nobody reaches it.
    pub fn is_down(&self) -> bool {
        self.has(Trouble::Down)
    }

    /// Whether whoever starts now may be told that it may not list anything.
    pub fn refuses_everything(&self) -> bool {
        self.has(Trouble::NoRights)
    }

    /// What it refuses of an operator's requests.
    pub(super) fn refusal(&self, method: &str, place: Place<'_>) -> Option<Refusal> {
        let answer = self.store().troubles.iter().find_map(|(_, trouble)| trouble.answer(method, place));
        answer.map(|(code, reason, message)| Refusal(code, reason, message.to_owned()))
    }
}
