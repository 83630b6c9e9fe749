//! Which versions of a service's credential have the same values. A version is that of its Secrets, and each label makes another one.
//! The values are compared as digests, in memory only: a digest in a status would help whoever guesses a password.

use std::collections::VecDeque;

use crate::controller::value_digest::ValueDigest;

use super::Services;
use super::entry::ServiceEntry;
use super::key::Key;

/// How many versions are remembered; tokens of older ones are of an unknown credential.
const MOST: usize = 64;

/// The versions that this process has read.
#[derive(Debug, Default)]
pub(super) struct Versions(VecDeque<(String, ValueDigest)>);

impl Versions {
    fn read(&mut self, revision: &str, values: ValueDigest) {
        if self.of(revision).is_some() {
            return;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((revision.to_owned(), values));
    }

    fn of(&self, revision: &str) -> Option<ValueDigest> {
        self.0.iter().find(|(known, _)| known == revision).map(|(_, values)| *values)
    }
}

impl Services {
    /// Remembers which values this version of the credential has.
    pub(crate) fn credential_read(&self, entry: &ServiceEntry, values: ValueDigest) {
        self.at_object(entry, |slot| slot.versions.read(&entry.revision, values));
    }

    /// Whether two versions of the credential have the same values, as far as this process has read both.
    pub(crate) fn same_credential(&self, key: &Key, one: &str, other: &str) -> bool {
        let same = |versions: &Versions| versions.of(one).is_some_and(|values| versions.of(other) == Some(values));
        self.at(key, |slot| same(&slot.versions)).unwrap_or_default()
    }
}
