//! The sweep of a whole service: whose are the listed tokens? Pure.
//!
//! The service was listed first and the objects were read after that, live: an object is created before its tokens, so a row
//! without an object has none any more.

use std::collections::{BTreeSet, HashMap};

use crate::api::ledger::Ledger;

use super::identity;

/// A listed token with the operator's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Tokens that are in use.
    pub managed: u32,
    /// Tokens that their object is about to revoke.
    pub pending: u32,
    /// Tokens of objects that are no more; `None` where not all objects could be seen, so that nobody knows.
    pub ownerless: Option<Vec<Listed>>,
    /// Uids of objects whose ledgers do not know a listed token: they look for themselves.
    pub suspects: BTreeSet<String>,
    /// A twin is at work. Its new objects are none of ours, and its tokens must not die for that.
    pub disputed: bool,
}

impl Found {
    /// What may be revoked: what had no owner at the sweep before either, and stands written down since.
    pub fn revocable(&self, recorded: &[String]) -> Vec<Listed> {
        let without_owner = self.ownerless.iter().flatten().filter(|_| !self.disputed);
        without_owner.filter(|orphan| recorded.contains(&orphan.id)).cloned().collect()
    }
}

/// Sorts the rows of a list that carry this prefix. `owners` are the objects that may have tokens of the service, by uid; `all` says
/// whether these are all that there are.
pub fn sort(
    prefix: &str,
    rows: impl IntoIterator<Item = Listed>,
    owners: &HashMap<String, Ledger>,
    all: bool,
) -> Found {
    let by_name: HashMap<String, (&String, &Ledger)> =
        owners.iter().map(|(uid, ledger)| (identity::uid16(uid), (uid, ledger))).collect();
    let disputed = owners.values().any(|ledger| ledger.conflict.is_some());
    let (mut found, mut ownerless) = (Found { disputed, ..Found::default() }, Vec::new());
    for row in rows {
        let Some(name) = identity::parse(prefix, &row.name) else { continue };
        match by_name.get(&name.uid16) {
            None => ownerless.push(row),
            Some((_, ledger)) if ledger.current.as_ref().is_some_and(|current| current.id == row.id) => {
                found.managed += 1;
            }
            Some((_, ledger)) if ledger.knows(&row.id) => found.pending += 1,
            // Its own process has it in hand, or its object waits until it must show.
            Some((_, ledger)) if awaited(ledger, &name) => {}
            Some((uid, _)) => {
                found.suspects.insert((*uid).clone());
            }
        }
    }
    found.ownerless = all.then_some(ownerless);
    found
}

/// The newest claim is undecided: an empty ledger's is the one of the finalizer.
fn awaited(ledger: &Ledger, name: &identity::Name) -> bool {
    match &ledger.claim {
        Some(claim) => claim.outcome.is_none() && (claim.attempt, &claim.nonce) == (name.attempt, &name.nonce),
        None => name.nonce == identity::FIRST_NONCE,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::ledger::{Claim, Conflict, Superseded};
    use crate::api::time::Time;

    fn listed(id: &str, uid: &str, attempt: u32, nonce: &str) -> Listed {
        let name = identity::Name { uid16: identity::uid16(uid), attempt, nonce: nonce.to_owned() };
        Listed { id: id.to_owned(), name: identity::format("prod", &name, "", 255) }
    }

    fn ledger() -> Ledger {
        let old = Superseded {
            attempt: 3,
            id: "old".into(),
            nonce: String::new(),
            claimed_time: None,
            revoke_after_time: Time::from_millis(0),
            unpublished: false,
            held: false,
            tries: 0,
            next_try_time: None,
        };
        let claim = Claim {
            attempt: 4,
            nonce: "aaaaaaaa".into(),
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
            Listed { id: "stranger".into(), name: "somebody's".into() },
            Listed { id: "other prefix".into(), ..listed("", "c", 7, "dddddddd") },
        ];
        let mut rows = rows.to_vec();
        rows[6].name = rows[6].name.replace("prod", "test");
        let found = sort("prod", rows.clone(), &owners, true);
        assert_eq!((found.managed, found.pending), (0, 1));
        assert_eq!(found.ownerless, Some(vec![listed("gone", "c", 7, "dddddddd")]));
        assert_eq!(found.suspects, BTreeSet::from(["a".to_owned()]));
        assert_eq!(sort("prod", rows, &owners, false).ownerless, None, "whose it is, an unseen object may say");
    }

    #[test]
    fn only_what_was_written_down_is_revoked_and_nothing_beside_a_twin() {
        let rows = [listed("new", "c", 7, "dddddddd"), listed("old", "c", 6, "cccccccc")];
        let recorded = ["old".to_owned(), "somebody's".to_owned()];
        let mut owners = HashMap::from([("a".to_owned(), Ledger::default())]);
        let revocable =
            |owners: &HashMap<_, _>, all: bool| sort("prod", rows.clone(), owners, all).revocable(&recorded);
        assert_eq!(revocable(&owners, true), [listed("old", "c", 6, "cccccccc")]);
        assert!(revocable(&owners, false).is_empty());
        owners.get_mut("a").unwrap().conflict = Some(Conflict { attempt: 9, id: "twin".into() });
        assert!(revocable(&owners, true).is_empty());
    }
}
