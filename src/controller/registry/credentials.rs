//! Which versions of a service's credential have the same values. A version is that of its Secrets, and each label makes another one.
//! The values are compared as digests, in memory only: a digest in a status would help whoever guesses a password.

use std::collections::VecDeque;

/// How many versions are remembered; tokens of older ones are of an unknown credential.
const MOST: usize = 64;

/// A digest of the values.
type Digest = [u8; 32];

/// The versions that this process has read.
#[derive(Debug, Default)]
pub(super) struct Versions(VecDeque<(String, Digest)>);

impl Versions {
    pub(super) fn read(&mut self, revision: &str, values: Digest) {
        if self.of(revision).is_some() {
            return;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((revision.to_owned(), values));
    }

    /// Whether both have the same values, as far as both were read.
    pub(super) fn are_alike(&self, one: &str, other: &str) -> bool {
        self.of(one).is_some_and(|values| self.of(other) == Some(values))
    }

    fn of(&self, revision: &str) -> Option<Digest> {
        self.0.iter().find(|(known, _)| known == revision).map(|(_, values)| *values)
    }
}
