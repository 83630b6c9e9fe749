//! Formats that write a user name and the token under keys of their own: `BasicAuth` (Tekton, and the Secret type
//! `kubernetes.io/basic-auth`) and `SealEnv` (the environment of Seal's tools).

use super::refusal::Refusal;
use super::values::{Data, Files, Values, text};
use crate::api::secret_template::{DataEntry, FixedKeys};

pub(super) fn basic_auth(entry: &DataEntry, values: &Values<'_>) -> Result<Files, Refusal> {
    render(entry, values, FixedKeys::BASIC_AUTH)
}

pub(super) fn seal_env(entry: &DataEntry, values: &Values<'_>) -> Result<Files, Refusal> {
    render(entry, values, FixedKeys::SEAL_ENV)
}

fn render(entry: &DataEntry, values: &Values<'_>, keys: FixedKeys) -> Result<Files, Refusal> {
    let (username, password) = credentials(entry, values.token)?;
    let FixedKeys { token, username: beside } = keys;
    if entry.key != token {
        let why = format!("set it to {token}: format {} writes the keys {beside} and {token}", entry.format);
        return Err(Refusal::entry("key", why));
    }
    Ok(vec![(beside.to_owned(), username.as_bytes().to_vec()), (token.to_owned(), password.as_bytes().to_vec())])
}

pub(super) fn read_back(key: &str, data: &Data) -> Option<String> {
    text(data, key).map(str::to_owned)
}

/// User name and password that HTTP's Basic scheme can carry (RFC 7617): without control characters, and without a colon
/// in the user name, since the first colon ends it.
pub(super) fn credentials<'a>(entry: &'a DataEntry, token: &'a str) -> Result<(&'a str, &'a str), Refusal> {
    let username = entry.username.as_deref().unwrap_or_default();
    if username.is_empty() {
        return Err(Refusal::entry("username", format!("set it: format {} needs a user name", entry.format)));
    }
    if username.contains(':') || username.chars().any(char::is_control) {
        return Err(Refusal::entry("username", "it has a colon or a control character: remove it"));
    }
    if token.chars().any(char::is_control) {
        return Err(Refusal::token("it has a line break or another control character"));
    }
    Ok((username, token))
}
