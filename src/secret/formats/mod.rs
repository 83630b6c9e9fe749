//! The token in the forms that tools read: one file a format family.

pub mod basic_auth;
pub mod docker_config;
mod ini;
mod npm_registry;
mod npmrc;
mod template;
mod template_language;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use secrecy::{ExposeSecret, SecretString};

use crate::api::ids::MAX_TOKEN_BYTES;
use crate::api::secret_template::{DataEntry, Format};
use crate::api::time::Time;

/// What is known of the token that is rendered.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The token.
    pub token: &'a SecretString,
    /// Its id at the service, if it has one.
    pub id: Option<&'a str>,
    /// When it expires; `None` if never.
    pub expiration_time: Option<Time>,
}

/// Why a token cannot be written as asked. No text contains the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrenderable {
    /// The token has no characters.
    #[error("the token is empty")]
    Empty,
    /// The token is longer than what is published.
    #[error("the token has {bytes} bytes, more than the {MAX_TOKEN_BYTES} that may be published")]
    TokenTooLong {
        /// Its length.
        bytes: usize,
    },
    /// All entries together are longer than what the API server takes.
    #[error("the Secret would have {bytes} bytes of data, more than the {limit} that the API server takes")]
    SecretTooLarge {
        /// Their length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The format has no way to write this token.
    #[error("entry {key}: format {format} cannot carry this token: {reason}")]
    Token {
        /// The entry's key.
        key: String,
        /// The entry's format.
        format: Format,
        /// What is in the way.
        reason: String,
    },
    /// The entry is wrong whatever the token is.
    #[error("entry {key}: {reason}")]
    Entry {
        /// The entry's key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// Why one format refuses; `render` adds the entry.
enum Refusal {
    /// This token cannot be written.
    Token(String),
    /// The entry is wrong whatever the token is.
    Entry(String),
}

impl Refusal {
    fn token(reason: impl Into<String>) -> Self {
        Self::Token(reason.into())
    }

    fn entry(reason: impl Into<String>) -> Self {
        Self::Entry(reason.into())
    }
}

/// Checks one entry without a token: it is rendered for a sample. The error is a sentence for the user.
pub fn check(entry: &DataEntry) -> Result<(), String> {
    if entry.format == Format::Template {
        return template::check(entry).map_err(|reason| format!("entry {}: {reason}", entry.key));
    }
    let sample = SecretString::from("sample");
    let facts = Facts { token: &sample, id: None, expiration_time: None };
    render(entry, &facts).map(drop).map_err(|error| error.to_string())
}

/// The keys and values that `entry` writes into the Secret. The values are secret.
pub fn render(entry: &DataEntry, facts: &Facts<'_>) -> Result<Vec<(String, Vec<u8>)>, Unrenderable> {
    let token = facts.token.expose_secret();
    if token.is_empty() {
        return Err(Unrenderable::Empty);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Unrenderable::TokenTooLong { bytes: token.len() });
    }
    let file = |content| vec![(entry.key.clone(), content)];
    let rendered = match entry.format {
        Format::Raw => Ok(file(token.as_bytes().to_vec())),
        Format::Template => template::render(entry, token, facts).map(file),
        Format::BasicAuth => basic_auth::render(entry, token),
        Format::DockerConfigJson => docker_config::render(entry, token).map(file),
        Format::Npmrc => npmrc::render(entry, token).map(file),
    };
    rendered.map_err(|refusal| match refusal {
        Refusal::Token(reason) => Unrenderable::Token { key: entry.key.clone(), format: entry.format, reason },
        Refusal::Entry(reason) => Unrenderable::Entry { key: entry.key.clone(), reason },
    })
}

/// Whether the token can be read back from what `format` writes.
pub fn is_readable(format: Format) -> bool {
    match format {
        Format::Raw | Format::BasicAuth | Format::DockerConfigJson | Format::Npmrc => true,
        Format::Template => false,
    }
}

/// The token that `data` holds under `entry`; `None` if it holds none, or in another form.
pub(super) fn read_back(entry: &DataEntry, data: &BTreeMap<String, ByteString>) -> Option<String> {
    let content = text(data, &entry.key);
    let token = match entry.format {
        Format::Raw => content.map(str::to_owned),
        Format::Template => None,
        Format::BasicAuth => basic_auth::read_back(data),
        Format::DockerConfigJson => content.and_then(docker_config::read_back),
        Format::Npmrc => content.and_then(npmrc::read_back),
    };
    token.filter(|token| !token.is_empty() && token.len() <= MAX_TOKEN_BYTES)
}

fn text<'a>(data: &'a BTreeMap<String, ByteString>, key: &str) -> Option<&'a str> {
    std::str::from_utf8(&data.get(key)?.0).ok()
}

#[cfg(test)]
mod tests;
