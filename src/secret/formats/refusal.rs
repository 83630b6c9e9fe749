//! Why an entry or a token is not written: the field, what is wrong with it, and what to do.

use crate::api::ids::MAX_TOKEN_BYTES;
use crate::api::secret_template::{DataEntry, Format};

/// Why a token cannot be written as asked. No text contains the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrenderable {
    /// The token has no characters.
    #[error("the service's token is empty: correct spec.operations.generate.response.value of the service")]
    Empty,
    /// The token is longer than what is published.
    #[error(
        "the service's token has {bytes} bytes, more than the {MAX_TOKEN_BYTES} that can be published: let it make shorter ones"
    )]
    TokenTooLong {
        /// Its length.
        bytes: usize,
    },
    /// All entries together are longer than what the API server takes.
    #[error(
        "spec.secret.data: the Secret would have {bytes} bytes of data, more than the {limit} that the API server takes: \
         write fewer entries, or shorter templates"
    )]
    SecretTooLarge {
        /// Their length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The format has no way to write this token.
    #[error("spec.secret.data[{key}]: format {format} cannot carry this token: {reason}; use another format")]
    Token {
        /// The entry's key.
        key: String,
        /// The entry's format.
        format: Format,
        /// What is in the way.
        reason: String,
    },
    /// The entry is wrong whatever the token is.
    #[error("spec.secret.data[{key}].{field}: {reason}")]
    Entry {
        /// The entry's key.
        key: String,
        /// The field of the entry.
        field: &'static str,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// Why one format refuses, without the entry that it was asked for.
pub(super) enum Refusal {
    /// This token cannot be written.
    Token(String),
    /// The entry is wrong whatever the token is.
    Entry {
        /// The field of the entry.
        field: &'static str,
        /// What is wrong, and what to do.
        reason: String,
    },
}

impl Refusal {
    pub(super) fn token(reason: impl Into<String>) -> Self {
        Self::Token(reason.into())
    }

    pub(super) fn entry(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Entry { field, reason: reason.into() }
    }

    /// The error for `entry`.
    pub(super) fn of(self, entry: &DataEntry) -> Unrenderable {
        let key = entry.key.clone();
        match self {
            Self::Token(reason) => Unrenderable::Token { key, format: entry.format, reason },
            Self::Entry { field, reason } => Unrenderable::Entry { key, field, reason },
        }
    }
}
