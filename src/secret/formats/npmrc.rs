//! `Npmrc`: the file that npm and pnpm read.
//!
//! npm reads it in three steps, and each would change some values (seen in npm 11: `ini/lib/ini.js`,
//! `@npmcli/config/lib/env-replace.js` and `parse-field.js`): `ini` takes quotes off, ends a value at `;` or `#` and
//! unescapes; then the words `true`, `false`, `null` and `undefined` stop being text; then `${NAME}` becomes the
//! environment's value. The writer quotes values against the first step, and refuses values that the others would change.

use data_encoding::BASE64;

use super::npm_registry::NpmRegistry;
use super::refusal::Refusal;
use super::values::{Data, Files, Values, file, text};
use super::{ini, two_keys};
use crate::api::secret_template::{DataEntry, NpmAuth};

/// Words that npm does not read as text, quoted or not.
const WORDS: [&str; 4] = ["true", "false", "null", "undefined"];

/// A key with this ending has a bearer token.
const BEARER: &str = ":_authToken";

/// A key with this ending has a password in base64.
const PASSWORD: &str = ":_password";

pub(super) fn render(entry: &DataEntry, values: &Values<'_>) -> Result<Files, Refusal> {
    let url = entry.registry.as_deref().unwrap_or_default();
    let registry = NpmRegistry::parse(url).map_err(|reason| Refusal::entry("registry", reason))?;
    let prefix = registry.key_prefix();
    let mut lines = registry_lines(entry, &registry)?;
    match entry.auth.unwrap_or_default() {
        NpmAuth::Bearer => {
            obstacle(values.token).map_or(Ok(()), |reason| Err(Refusal::token(reason)))?;
            lines.push(ini::line(&format!("{prefix}{BEARER}"), values.token));
        }
        NpmAuth::Basic => {
            let (username, password) = two_keys::credentials(entry, values.token)?;
            let refused = |reason| Refusal::entry("username", format!("{reason}: use another one"));
            obstacle(username).map_or(Ok(()), |reason| Err(refused(reason)))?;
            lines.push(ini::line(&format!("{prefix}:username"), username));
            lines.push(ini::line(&format!("{prefix}{PASSWORD}"), &BASE64.encode(password.as_bytes())));
        }
    }
    Ok(file(entry, lines.concat()))
}

/// Which packages come from the registry: those of the scopes, or all.
fn registry_lines(entry: &DataEntry, registry: &NpmRegistry) -> Result<Vec<String>, Refusal> {
    let Some(scopes) = &entry.scopes else {
        return Ok(vec![ini::line("registry", &registry.url())]);
    };
    let line = |scope: &String| {
        let plain = |sign: char| sign.is_ascii_alphanumeric() || "-._~".contains(sign);
        match scope.strip_prefix('@') {
            Some(name) if !name.is_empty() && name.chars().all(plain) => {
                Ok(ini::line(&format!("{scope}:registry"), &registry.url()))
            }
            _ => Err(Refusal::entry("scopes", "write each scope like @payments")),
        }
    };
    scopes.iter().map(line).collect()
}

/// Why npm would read another text than `value`; `None` if it reads `value`.
fn obstacle(value: &str) -> Option<&'static str> {
    if value.chars().any(|sign| !sign.is_ascii() || sign.is_ascii_control()) {
        Some("it has a line break, another control character or a character that is not ASCII")
    } else if value.trim() != value {
        Some("it begins or ends with a space")
    } else if WORDS.contains(&value) {
        Some("it is a word that npm does not read as text")
    } else if value.contains("${") {
        Some("it has ${, which npm replaces by an environment variable")
    } else {
        None
    }
}

/// The only token in the file, as npm would read it.
///
/// Registry, user name and kind of authentication do not matter, so that a change of any keeps the token.
pub(super) fn read_back(key: &str, data: &Data) -> Option<String> {
    let values = ini::read(text(data, key)?);
    let mut tokens = values.iter().filter(|(key, _)| key.starts_with("//")).filter_map(|(key, value)| {
        if key.ends_with(BEARER) {
            Some(value.clone().filter(|value| obstacle(value).is_none()))
        } else if key.ends_with(PASSWORD) {
            Some(value.as_ref().and_then(|value| decode(value)))
        } else {
            None
        }
    });
    match (tokens.next(), tokens.next()) {
        (Some(token), None) => token,
        _ => None,
    }
}

fn decode(value: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(value.as_bytes()).ok()?).ok()
}
