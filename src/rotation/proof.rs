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
    /// When its attempt was claimed, if that is known.
    pub claimed: Option<Time>,
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

/// A list in which not even a token is that lives.
const NOT_EVEN_THE_CURRENT_ONE: &str =
    "the service's list does not show the current token either, so it proves nothing: is it another account's?";

/// A list with names in another form.
const CHANGED_NAMES: &str = "the service's list shows tokens under other names than the operator gave, so it proves nothing: declare what the service puts \
     before names as spec.operations.list.item.namePrefix";

/// A row with the id, under a name that tells nothing.
const ANOTHER_NAME: &str = "the service's list has its id under another name, and no name that the operator gave: the id may stand for somebody else's token \
     now, so no revoke is sent to it. Look for the token there, and revoke it by hand. After a day it counts as revoked, unseen";

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
        } else if let Some(doubt) = self.doubt(doomed, row) {
            doubt
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

    /// What makes the list doubtful, although the token is not in it under its own name.
    fn doubt(&self, doomed: &Doomed, row: Option<&NamedToken>) -> Option<Listed> {
        let Some(prefix) = self.prefix else {
            let shows = self.living.is_empty() || self.controls().next().is_some();
            return (!shows).then_some(Listed::Nothing(NOT_EVEN_THE_CURRENT_ONE));
        };
        if row.is_some_and(|row| doomed.is_in(&row.name)) {
            Some(Listed::Nothing(CHANGED_NAMES))
        } else if self.living.is_empty() {
            // Its id may stand for another token now, unless the service shows each name in another form.
            let alike = self.rows.iter().any(|row| parse(prefix, &row.name).is_some());
            (row.is_some() && !alike).then_some(Listed::Unseen { why: ANOTHER_NAME, taken: true })
        } else if self.controls().next().is_none() {
            Some(Listed::Nothing(NOT_EVEN_THE_CURRENT_ONE))
        } else {
            (!self.controls().any(|row| row.name.contains(&doomed.uid16))).then_some(Listed::Nothing(CHANGED_NAMES))
        }
    }

    /// The rows of the tokens that must be in it.
    fn controls(&self) -> impl Iterator<Item = &NamedToken> {
        self.living.iter().filter_map(|living| self.row(living))
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

    /// Whether its own name is a part of this one: the service has put something before it, say.
    fn is_in(&self, text: &str) -> bool {
        text.contains(&format!("{}.{}.{}", self.uid16, self.attempt, self.nonce.as_str()))
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
            claimed: None,
            due: None,
        }
    }

    fn row(name: &str, of: &str) -> NamedToken {
        NamedToken { id: Some(id(of)), name: name.to_owned() }
    }

    /// A token of the object that lives, under its own name.
    fn living(of: &str) -> NamedToken {
        row(&format!("prod.{}.5.nnnnnnn5 ci/token", uid16("object")), of)
    }

    fn says(rows: &[NamedToken], doomed: &Doomed) -> Listed {
        let (living, later) = (id("a5"), id("a6"));
        let list = Complete { rows, prefix: Some("prod"), credentials_revision: "r1", living: &[&living, &later] };
        list.says_of(doomed)
    }

    #[test]
    fn a_row_is_ours_only_under_our_name_with_that_attempt_and_nonce() {
        let own = uid16("object");
        let living = living("a5");
        for (name, expected) in [
            (format!("prod.{own}.3.nnnnnnn3 ci/token"), Listed::Ours),
            (format!("prod.{own}.4.nnnnnnn4 ci/token"), Listed::Gone),
            (format!("prod.{own}.3.xxxxxxx3 ci/token"), Listed::Gone),
            (format!("prod.{}.3.nnnnnnn3 ci/token", uid16("other")), Listed::Gone),
            ("alice's own laptop".to_owned(), Listed::Gone),
        ] {
            assert_eq!(says(&[living.clone(), row(&name, "a4")], &doomed("r1")), expected, "{name}");
        }
        let unknown = Doomed { nonce: Nonce::default(), ..doomed("r1") };
        assert_eq!(says(&[row(&format!("prod.{own}.3.xxxxxxx3"), "a4")], &unknown), Listed::Ours);
    }

    #[test]
    fn a_list_proves_nothing_without_the_living_token_or_of_another_credential() {
        let living = [self::living("a5")];
        assert!(matches!(says(&[], &doomed("r1")), Listed::Nothing(_)));
        assert!(matches!(says(&living, &doomed("r0")), Listed::Unseen { taken: false, .. }));
        assert!(matches!(says(&living, &doomed("")), Listed::Unseen { taken: false, .. }));
        let stranger = [self::living("a5"), row("alice's own laptop", "a4")];
        assert!(matches!(says(&stranger, &doomed("")), Listed::Unseen { taken: true, .. }));
        assert_eq!(says(&living, &doomed("r1")), Listed::Gone);
        assert_eq!(says(&[self::living("a6")], &doomed("r1")), Listed::Gone, "the other one that must live");
    }

    #[test]
    fn a_list_that_shows_names_in_another_form_proves_nothing() {
        let named = |attempt: u32| format!("prod.{}.{attempt}.nnnnnnn{attempt} ci/token", uid16("object"));
        let otherwise = |attempt: u32, of: &str| row(&format!("user: {}", named(attempt)), of);
        let [control, renamed] = [living("a5"), row("token 5", "a5")];
        // The service object had another `naming.prefix` then.
        let elsewhere = row(&named(3).replace("prod", "qa"), "a4");
        for rows in [
            vec![renamed],
            vec![otherwise(5, "a5"), otherwise(3, "a4")],
            vec![control.clone(), otherwise(3, "a4")],
            vec![control, elsewhere],
        ] {
            assert!(
                matches!(says(&rows, &doomed("r1")), Listed::Nothing(why) if why.contains("namePrefix")),
                "{rows:?}"
            );
        }
        assert_eq!(
            says(&[otherwise(5, "a5")], &doomed("r1")),
            Listed::Gone,
            "a part of the name is the current token's"
        );
        let alone = |rows: &[NamedToken]| {
            let list = Complete { rows, prefix: Some("prod"), credentials_revision: "r1", living: &[] };
            list.says_of(&doomed("r1"))
        };
        assert!(matches!(alone(&[otherwise(3, "a4")]), Listed::Nothing(why) if why.contains("namePrefix")));
        assert!(matches!(alone(&[row("PROD-3", "a4")]), Listed::Unseen { taken: true, .. }));
        assert_eq!(
            alone(&[row("alice's own laptop", "a4"), row(&named(7), "a7")]),
            Listed::Gone,
            "the id was given again"
        );
        assert_eq!(alone(&[row("alice's own laptop", "a9")]), Listed::Gone);
    }

    #[test]
    fn where_tokens_have_no_names_the_id_decides() {
        let rows = [row("", "a4")];
        let list = Complete { rows: &rows, prefix: None, credentials_revision: "r1", living: &[] };
        assert_eq!(list.says_of(&doomed("r1")), Listed::Ours);
    }
}
