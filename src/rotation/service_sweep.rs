//! The sweep of a whole service: which object does each listed token belong to? Pure.
//!
//! The operator listed the service first and read the objects live after that. An object is created before its tokens, so a row without
//! an object belongs to a deleted one.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::api::ids::TokenId;
use crate::api::ledger::Ledger;
use crate::api::time::Time;
use crate::api::token_service::sweep::Orphan;

use super::identity;

/// A listed token with the operator's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedToken {
    /// Its id; `None` if it is none that the operator could have recorded.
    pub id: Option<TokenId>,
    /// Its name.
    pub name: String,
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Tokens that are in use.
    pub managed: u32,
    /// Tokens that their object is about to revoke.
    pub pending: u32,
    /// Tokens of deleted objects; `None` if the operator could not see all objects and so cannot know.
    pub ownerless: Option<Vec<NamedToken>>,
    /// Uids of objects whose ledgers lack a listed token. They look for it themselves.
    pub suspects: BTreeSet<String>,
    /// Objects of this service in an identity conflict. Another cluster uses the same identities; its objects are not visible here, but
    /// its tokens must stay alive.
    pub disputed: u32,
    /// Objects of this service that no pass has looked at yet. The Secret of such a name may hold a token that has no other owner.
    pub unseen: u32,
}

/// An object that may have tokens of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Its ledger.
    pub ledger: Ledger,
    /// Its overlap: consumers of a token that it replaces may hold that token for so long.
    pub overlap: Duration,
    /// Its tokens are of this service.
    pub concerned: bool,
    /// No pass has looked at it yet, so nobody knows what the Secret of its name holds.
    pub unseen: bool,
}

impl Findings {
    /// Whether every listed token has an owner that knows of it.
    pub fn all_have_owners(&self) -> bool {
        self.suspects.is_empty() && self.ownerless.as_ref().is_some_and(Vec::is_empty)
    }

    /// The tokens that may be revoked: sweeps have found no owner of them for at least `grace`. `recorded` says since when.
    pub fn revocable(&self, recorded: &[Orphan], grace: Duration, now: Time) -> Vec<NamedToken> {
        let since = |id: &TokenId| recorded.iter().find(|orphan| orphan.id == *id).and_then(|orphan| orphan.since_time);
        let due = |orphan: &&NamedToken| {
            let since = orphan.id.as_ref().and_then(since);
            since.is_some_and(|since| since.plus(grace) <= now)
        };
        self.ownerless
            .iter()
            .flatten()
            .filter(|_| self.disputed == 0 && self.unseen == 0)
            .filter(due)
            .cloned()
            .collect()
    }
}

/// How long a token must be without an owner before it is revoked: the longest overlap of all objects after the last deadline for a
/// publish, and at least `minimum`. A cache or a restore may hide an object for a while, and consumers of a deleted one may not have
/// moved on. A process that does not know yet that its object is gone may replace the token in the Secret until its deadline, so that
/// the consumers of that token begin to move only then.
pub fn grace(owners: &HashMap<String, Owner>, publish_deadline: Duration, minimum: Duration) -> Duration {
    let overlaps = owners.values().filter(|owner| owner.concerned).map(|owner| owner.overlap);
    overlaps.max().map(|overlap| overlap.saturating_add(publish_deadline)).unwrap_or_default().max(minimum)
}

/// Sorts the listed rows that have this prefix. `owners` are the objects that may have tokens of the service, by uid; `all` says
/// whether these are all such objects.
pub fn sort(
    prefix: &str,
    rows: impl IntoIterator<Item = NamedToken>,
    owners: &HashMap<String, Owner>,
    all: bool,
    now: Time,
) -> Findings {
    let by_name: HashMap<String, (&String, &Ledger)> =
        owners.iter().map(|(uid, owner)| (identity::uid16(uid), (uid, &owner.ledger))).collect();
    let count = |of: fn(&Owner) -> bool| {
        let count = owners.values().filter(|owner| owner.concerned && of(owner)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let (disputed, unseen) = (count(|owner| owner.ledger.conflict.is_some()), count(|owner| owner.unseen));
    let is_spared = |id: &TokenId| owners.values().any(|owner| owner.ledger.spares(id, now));
    let (mut found, mut ownerless) = (Findings { disputed, unseen, ..Findings::default() }, Vec::new());
    for row in rows {
        let Some(name) = identity::parse(prefix, &row.name) else { continue };
        match by_name.get(&name.uid16) {
            // Its object is gone, but the Secret of an object that took its place may hold it.
            None if row.id.as_ref().is_some_and(is_spared) => found.managed += 1,
            None => ownerless.push(row),
            Some((_, ledger))
                if ledger.current.as_ref().is_some_and(|current| Some(&current.id) == row.id.as_ref()) =>
            {
                found.managed += 1;
            }
            Some((_, ledger)) if row.id.as_ref().is_some_and(|id| ledger.knows(id)) => found.pending += 1,
            // It is in flight in its own process, or its object waits until the service must list it.
            Some((_, ledger)) if is_open(ledger, &name) => {}
            Some((uid, _)) => {
                found.suspects.insert((*uid).clone());
            }
        }
    }
    found.ownerless = all.then_some(ownerless);
    found
}

/// Whether this name is that of the newest claim, and that claim is undecided. An empty ledger implies the finalizer's claim.
fn is_open(ledger: &Ledger, name: &identity::Name) -> bool {
    match &ledger.claim {
        Some(claim) => claim.outcome.is_none() && claim.key() == name.key(),
        None => name.nonce.is_first(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::ids::{Nonce, samples};
    use crate::api::ledger::{Claim, Conflict, Superseded};
    use crate::api::time::Time;

    fn listed(id: &str, uid: &str, attempt: u32, nonce: &str) -> NamedToken {
        let name = identity::Name { uid16: identity::uid16(uid), attempt, nonce: samples::nonce(nonce) };
        NamedToken { id: Some(samples::id(id)), name: identity::format("prod", &name, "", 255) }
    }

    fn ledger() -> Ledger {
        let old = Superseded {
            attempt: 3,
            id: samples::id("old"),
            nonce: Nonce::default(),
            credentials_revision: String::new(),
            claimed_time: None,
            revoke_after_time: Time::from_millis(0),
            unpublished: false,
            held: false,
            rejected_time: None,
            handed_over: false,
            hint: None,
            tries: 0,
            next_try_time: None,
            failure: String::new(),
        };
        let claim = Claim {
            attempt: 4,
            nonce: samples::nonce("aaaaaaaa"),
            time: Time::from_millis(0),
            request_digest: String::new(),
            request: None,
            hand_over: None,
            outcome: None,
        };
        Ledger { claim: Some(claim), superseded: vec![old], ..Ledger::default() }
    }

    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_800_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn owner(ledger: Ledger) -> Owner {
        Owner { ledger, overlap: Duration::ZERO, concerned: true, unseen: false }
    }

    fn recorded(id: &str, since: Option<Time>) -> Orphan {
        Orphan { id: samples::id(id), name: String::new(), since_time: since }
    }

    fn ids(tokens: &[NamedToken]) -> Vec<&str> {
        tokens.iter().map(|token| token.id.as_ref().unwrap().as_str()).collect()
    }

    #[test]
    fn a_sweep_needs_no_live_read_while_every_token_has_an_owner_that_knows_it() {
        let owners = HashMap::from([("uid".to_owned(), owner(ledger()))]);
        let needs = |rows: Vec<NamedToken>| !sort("prod", rows, &owners, true, at(0)).all_have_owners();
        assert!(!needs(vec![]));
        assert!(!needs(vec![listed("old", "uid", 3, "bbbbbbbb"), listed("new", "uid", 4, "aaaaaaaa")]));
        assert!(needs(vec![listed("other", "uid", 2, "bbbbbbbb")]), "its owner does not know it");
        assert!(needs(vec![listed("other", "gone", 2, "bbbbbbbb")]), "it has no owner here");
    }

    #[test]
    fn each_row_goes_to_its_object_and_what_has_none_is_ownerless() {
        let owners = HashMap::from([("a".to_owned(), owner(ledger())), ("b".to_owned(), Owner::default())]);
        let rows = [
            listed("old", "a", 3, "bbbbbbbb"),
            listed("in flight", "a", 4, "aaaaaaaa"),
            listed("unknown", "a", 2, "cccccccc"),
            listed("first", "b", 1, "0"),
            listed("gone", "c", 7, "dddddddd"),
            NamedToken { id: Some(samples::id("stranger")), name: "somebody's".into() },
            NamedToken { id: Some(samples::id("other prefix")), ..listed("?", "c", 7, "dddddddd") },
        ];
        let mut rows = rows.to_vec();
        rows[6].name = rows[6].name.replace("prod", "test");
        let found = sort("prod", rows.clone(), &owners, true, at(0));
        assert_eq!((found.managed, found.pending), (0, 1));
        assert_eq!(found.ownerless, Some(vec![listed("gone", "c", 7, "dddddddd")]));
        assert_eq!(found.suspects, BTreeSet::from(["a".to_owned()]));
        let hidden = sort("prod", rows, &owners, false, at(0)).ownerless;
        assert_eq!(hidden, None, "it may belong to an object that was not seen");
    }

    #[test]
    fn a_token_is_revoked_once_it_had_no_owner_for_long_enough() {
        let rows = ["new", "old", "of an older version", "unrecorded"].map(|id| listed(id, "c", 7, "dddddddd"));
        let recorded = [
            recorded("new", Some(at(1))),
            recorded("old", Some(at(0))),
            recorded("of an older version", None),
            recorded("somebody's", Some(at(0))),
        ];
        let found = sort("prod", rows, &HashMap::new(), true, at(3600));
        assert_eq!(ids(&found.revocable(&recorded, HOUR, at(3600))), ["old"]);
        assert!(found.revocable(&recorded, HOUR, at(3599)).is_empty());
    }

    #[test]
    fn consumers_of_the_longest_overlap_are_waited_for() {
        let long = Owner { overlap: 3 * HOUR, ..owner(Ledger::default()) };
        let of_another_service = Owner { overlap: 9 * HOUR, concerned: false, ..Owner::default() };
        let mut owners =
            HashMap::from([("a".to_owned(), owner(Ledger::default())), ("b".to_owned(), of_another_service)]);
        assert_eq!(grace(&owners, MINUTE, HOUR), HOUR);
        owners.insert("c".to_owned(), long);
        assert_eq!(
            grace(&owners, MINUTE, HOUR),
            3 * HOUR + MINUTE,
            "the publish of an object that is gone comes before it"
        );
    }

    #[test]
    fn a_token_that_a_taken_over_secret_holds_is_spared_until_its_consumers_have_moved_on() {
        let mut ledger = Ledger::default();
        ledger.will_replace(samples::id("theirs"));
        let rows = || [listed("theirs", "gone", 7, "dddddddd")];
        let ownerless = |ledger: &Ledger, now: Time| {
            let owners = HashMap::from([("a".to_owned(), owner(ledger.clone()))]);
            sort("prod", rows(), &owners, true, now).ownerless.unwrap().len()
        };
        assert_eq!(ownerless(&ledger, at(90 * 3600)), 0, "no replacement is verified");
        ledger.replaced.as_mut().unwrap().until_time = Some(at(600));
        assert_eq!((ownerless(&ledger, at(599)), ownerless(&ledger, at(600))), (0, 1));
    }

    #[test]
    fn an_object_that_nobody_looked_at_yet_may_have_taken_a_token_over() {
        let old = [recorded("old", Some(at(0)))];
        let revocable = |unseen: bool| {
            let owners = HashMap::from([("a".to_owned(), Owner { unseen, ..owner(Ledger::default()) })]);
            let found = sort("prod", [listed("old", "c", 6, "cccccccc")], &owners, true, at(9000));
            found.revocable(&old, HOUR, at(9000)).len()
        };
        assert_eq!((revocable(true), revocable(false)), (0, 1));
    }

    #[test]
    fn a_dispute_stops_the_sweep_of_its_own_service_only() {
        let conflict = Some(Conflict { attempt: 9, id: samples::id("other-cluster") });
        let disputed = owner(Ledger { conflict, ..Ledger::default() });
        let old = [recorded("old", Some(at(0)))];
        let revocable = |owner: Owner| {
            let owners = HashMap::from([("a".to_owned(), owner)]);
            let found = sort("prod", [listed("old", "c", 6, "cccccccc")], &owners, true, at(9000));
            (found.disputed, found.revocable(&old, HOUR, at(9000)).len())
        };
        assert_eq!(revocable(disputed.clone()), (1, 0));
        assert_eq!(revocable(Owner { concerned: false, ..disputed }), (0, 1));
    }
}
