//! What a complete list, read now, says about a token that is to die (P8, P9, P19). Pure.
//!
//! An id alone is not enough. A service may give the id of a dead token to a stranger's, and another account lists only its own tokens.

use crate::api::ids::{Nonce, TokenId};
use crate::api::time::Time;

use super::identity::parse;
use super::service_sweep::NamedToken;

/// A token that is to be revoked, as the ledger knows it.
#[derive(Clone, Debug)]
pub struct Doomed {
    /// The identity of its object.
    pub uid16: String,
    /// Its attempt.
    pub attempt: u32,
    /// The nonce of its claim, if it is known.
    pub nonce: Nonce,
    /// Its id.
    pub id: TokenId,
    /// The version of the credential that generated it; empty if that is not known.
    pub credentials_revision: String,
    /// When it was to be dead; `None` if it is still the current one.
    pub due: Option<Time>,
}

/// A complete list.
#[derive(Clone, Copy, Debug)]
pub struct Complete<'a> {
    /// Its rows.
    pub rows: &'a [NamedToken],
    /// What the names of our tokens begin with; `None` where tokens have no names.
    pub prefix: Option<&'a str>,
    /// The version of the credential that it was read with.
    pub credentials_revision: &'a str,
    /// The tokens of which one must be in it if it is the right list.
    pub living: &'a [&'a TokenId],
}

/// What the list says about the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Its row is there, under our own name: it lives, and its id is still ours.
    Ours,
    /// It is gone. Its id may stand for another token now.
    Gone,
    /// It is not there, but the list may be another account's.
    Unseen {
        /// Why.
        why: &'static str,
        /// The id stands for another token now, so nothing may be sent to it.
        taken: bool,
    },
    /// The list proves nothing, and why.
    Nothing(&'static str),
}

impl Complete<'_> {
    /// What it says about this token.
    pub fn says_of(&self, doomed: &Doomed) -> Listed {
        let row = self.row(&doomed.id);
        let ours = row.is_some_and(|row| self.prefix.is_none_or(|prefix| doomed.is_named(prefix, &row.name)));
        if ours {
            Listed::Ours
        } else if !self.living.is_empty() && self.living.iter().all(|living| self.row(living).is_none()) {
            Listed::Nothing(
                "the service's list does not show the current token either, so it proves nothing: is it another account's?",
            )
        } else if doomed.credentials_revision.is_empty() {
            let why = "the service's list does not have it, and nothing is known of the credential that generated it: it may be another \
                       account's. After a day it counts as revoked, unseen";
            Listed::Unseen { why, taken: row.is_some() }
        } else if doomed.credentials_revision == self.credentials_revision {
            Listed::Gone
        } else {
            let why = "the operator's credential is not the one that generated this token, and its list does not have it. If it is another \
                       account's, put the right one back, or revoke the token by hand. After a day it counts as revoked, unseen";
            Listed::Unseen { why, taken: row.is_some() }
        }
    }

    fn row(&self, id: &TokenId) -> Option<&NamedToken> {
        self.rows.iter().find(|row| row.id.as_ref() == Some(id))
    }
}

impl Doomed {
    /// Whether this attempt generated it with this id.
    pub fn is(&self, attempt: u32, id: &TokenId) -> bool {
        self.attempt == attempt && self.id == *id
    }

    /// Whether this is its own name.
    fn is_named(&self, prefix: &str, text: &str) -> bool {
        parse(prefix, text).is_some_and(|name| {
            let same = name.uid16 == self.uid16 && name.attempt == self.attempt;
            same && (self.nonce.is_unknown() || name.nonce == self.nonce)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::ids::samples::{id, nonce};
    use crate::rotation::identity::uid16;

    fn doomed(credential: &str) -> Doomed {
        Doomed {
            uid16: uid16("object"),
            attempt: 3,
            nonce: nonce("nnnnnnn3"),
            id: id("a4"),
            credentials_revision: credential.to_owned(),
            due: None,
        }
    }

    fn row(name: &str, of: &str) -> NamedToken {
        NamedToken { id: Some(id(of)), name: name.to_owned() }
    }

    fn says(rows: &[NamedToken], doomed: &Doomed) -> Listed {
        let (living, later) = (id("a5"), id("a6"));
        let list = Complete { rows, prefix: Some("prod"), credentials_revision: "r1", living: &[&living, &later] };
        list.says_of(doomed)
    }

    #[test]
    fn a_row_is_ours_only_under_our_name_with_that_attempt_and_nonce() {
        let own = uid16("object");
        let living = row("", "a5");
        for (name, expected) in [
            (format!("prod.{own}.3.nnnnnnn3 ci/token"), Listed::Ours),
            (format!("prod.{own}.4.nnnnnnn4 ci/token"), Listed::Gone),
            (format!("prod.{own}.3.xxxxxxx3 ci/token"), Listed::Gone),
            (format!("prod.{}.3.nnnnnnn3 ci/token", uid16("other")), Listed::Gone),
            (format!("qa.{own}.3.nnnnnnn3 ci/token"), Listed::Gone),
            ("alice's own laptop".to_owned(), Listed::Gone),
        ] {
            assert_eq!(says(&[living.clone(), row(&name, "a4")], &doomed("r1")), expected, "{name}");
        }
        let unknown = Doomed { nonce: Nonce::default(), ..doomed("r1") };
        assert_eq!(says(&[row(&format!("prod.{own}.3.xxxxxxx3"), "a4")], &unknown), Listed::Ours);
    }

    #[test]
    fn a_list_proves_nothing_without_the_living_token_or_of_another_credential() {
        let living = [row("", "a5")];
        assert!(matches!(says(&[], &doomed("r1")), Listed::Nothing(_)));
        assert!(matches!(says(&living, &doomed("r0")), Listed::Unseen { taken: false, .. }));
        assert!(matches!(says(&living, &doomed("")), Listed::Unseen { taken: false, .. }));
        let stranger = [row("", "a5"), row("alice's own laptop", "a4")];
        assert!(matches!(says(&stranger, &doomed("")), Listed::Unseen { taken: true, .. }));
        assert_eq!(says(&living, &doomed("r1")), Listed::Gone);
        assert_eq!(says(&[row("", "a6")], &doomed("r1")), Listed::Gone, "the other one that must live");
    }

    #[test]
    fn where_tokens_have_no_names_the_id_decides() {
        let rows = [row("", "a4")];
        let list = Complete { rows: &rows, prefix: None, credentials_revision: "r1", living: &[] };
        assert_eq!(list.says_of(&doomed("r1")), Listed::Ours);
    }
}
