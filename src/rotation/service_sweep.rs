//! The sweep of a whole service: which object does each listed token belong to? Pure.
//!
//! The operator listed the service first and read the objects live after that. An object is created before its tokens, so a row without
//! an object belongs to a deleted one.

use std::collections::{BTreeSet, HashMap};

use crate::api::ids::TokenId;
use crate::api::ledger::Ledger;

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
    /// Another cluster uses the same identities. Its objects are not visible here, but its tokens must stay alive.
    pub conflict: bool,
}

impl Findings {
    /// The tokens that may be revoked: the sweep before this one also found no owner and recorded them.
    pub fn revocable(&self, recorded: &[TokenId]) -> Vec<NamedToken> {
        let without_owner = self.ownerless.iter().flatten().filter(|_| !self.conflict);
        without_owner.filter(|orphan| orphan.id.as_ref().is_some_and(|id| recorded.contains(id))).cloned().collect()
    }
}

/// Sorts the listed rows that have this prefix. `owners` are the objects that may have tokens of the service, by uid; `all` says
/// whether these are all such objects.
pub fn sort(
    prefix: &str,
    rows: impl IntoIterator<Item = NamedToken>,
    owners: &HashMap<String, Ledger>,
    all: bool,
) -> Findings {
    let by_name: HashMap<String, (&String, &Ledger)> =
        owners.iter().map(|(uid, ledger)| (identity::uid16(uid), (uid, ledger))).collect();
    let conflict = owners.values().any(|ledger| ledger.conflict.is_some());
    let (mut found, mut ownerless) = (Findings { conflict, ..Findings::default() }, Vec::new());
    for row in rows {
        let Some(name) = identity::parse(prefix, &row.name) else { continue };
        match by_name.get(&name.uid16) {
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
            claimed_time: None,
            revoke_after_time: Time::from_millis(0),
            unpublished: false,
            held: false,
            tries: 0,
            next_try_time: None,
        };
        let claim = Claim {
            attempt: 4,
            nonce: samples::nonce("aaaaaaaa"),
            time: Time::from_millis(0),
            request_digest: String::new(),
            request: None,
            outcome: None,
        };
        Ledger { claim: Some(claim), superseded: vec![old], ..Ledger::default() }
    }

    #[test]
    fn each_row_goes_to_its_object_and_what_has_none_is_ownerless() {
        let owners = HashMap::from([("a".to_owned(), ledger()), ("b".to_owned(), Ledger::default())]);
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
        let found = sort("prod", rows.clone(), &owners, true);
        assert_eq!((found.managed, found.pending), (0, 1));
        assert_eq!(found.ownerless, Some(vec![listed("gone", "c", 7, "dddddddd")]));
        assert_eq!(found.suspects, BTreeSet::from(["a".to_owned()]));
        assert_eq!(sort("prod", rows, &owners, false).ownerless, None, "it may belong to an object that was not seen");
    }

    #[test]
    fn only_recorded_tokens_are_revoked_and_none_beside_another_cluster() {
        let rows = [listed("new", "c", 7, "dddddddd"), listed("old", "c", 6, "cccccccc")];
        let recorded = ["old", "somebody's"].map(samples::id);
        let mut owners = HashMap::from([("a".to_owned(), Ledger::default())]);
        let revocable =
            |owners: &HashMap<_, _>, all: bool| sort("prod", rows.clone(), owners, all).revocable(&recorded);
        assert_eq!(revocable(&owners, true), [listed("old", "c", 6, "cccccccc")]);
        assert!(revocable(&owners, false).is_empty());
        owners.get_mut("a").unwrap().conflict = Some(Conflict { attempt: 9, id: samples::id("other-cluster") });
        assert!(revocable(&owners, true).is_empty());
    }
}
