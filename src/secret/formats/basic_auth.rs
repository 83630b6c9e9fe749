//! `BasicAuth`: the keys `username` and `password`, as Tekton and the Secret type `kubernetes.io/basic-auth` have them.

use super::refusal::Refusal;
use super::values::{Data, Files, Values, text};
use crate::api::secret_template::DataEntry;

/// The key of the user name.
pub const USERNAME_KEY: &str = "username";

/// The key of the token.
pub const PASSWORD_KEY: &str = "password";

pub(super) fn render(entry: &DataEntry, values: &Values<'_>) -> Result<Files, Refusal> {
    let (username, password) = credentials(entry, values.token)?;
    if entry.key != PASSWORD_KEY {
        return Err(Refusal::entry(
            "key",
            "set it to password: format BasicAuth writes the keys username and password",
        ));
    }
    Ok(vec![
        (USERNAME_KEY.to_owned(), username.as_bytes().to_vec()),
        (PASSWORD_KEY.to_owned(), password.as_bytes().to_vec()),
    ])
}

pub(super) fn read_back(_: &str, data: &Data) -> Option<String> {
    text(data, PASSWORD_KEY).map(str::to_owned)
}

/// User name and password that HTTP's Basic scheme can carry (RFC 7617): no control characters, and no colon in the
/// user name, since the first one ends it.
pub(super) fn credentials<'a>(entry: &'a DataEntry, token: &'a str) -> Result<(&'a str, &'a str), Refusal> {
    let username = entry.username.as_deref().unwrap_or_default();
    if username.is_empty() {
        return Err(Refusal::entry("username", format!("set it: format {} needs a user name", entry.format)));
    }
    if username.contains(':') || username.chars().any(char::is_control) {
        return Err(Refusal::entry("username", "it has a colon or a control character: remove that"));
    }
    if token.chars().any(char::is_control) {
        return Err(Refusal::token("it has a line break or another control character"));
    }
    Ok((username, token))
}
