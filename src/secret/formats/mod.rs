//! The token in the forms that tools read: one file per format, and the table of all formats in `family`.

pub mod docker_config;
mod ini;
mod npm_registry;
mod npmrc;
mod raw;
mod refusal;
mod template;
mod template_language;
mod two_keys;
mod values;

use secrecy::{ExposeSecret, SecretString};

use self::refusal::Refusal;
use self::values::{Data, Files, Values};
use crate::api::ids::MAX_TOKEN_BYTES;
use crate::api::secret_template::{DataEntry, Format};

pub use refusal::Unrenderable;
pub use values::Facts;

/// How the entries of one format are written, read and checked.
struct Family {
    /// Writes the token.
    render: fn(&DataEntry, &Values<'_>) -> Result<Files, Refusal>,
    /// Finds the token by the entry's key, whatever else the entry says, so that a change of the rest keeps the token.
    /// `None` where nobody could tell the token from the text around it.
    read_back: Option<fn(&str, &Data) -> Option<String>>,
    /// Finds mistakes that it explains better than the rendering of a sample does.
    check: Option<Check>,
}

type Check = fn(&DataEntry) -> Result<(), Refusal>;

/// The table of formats: a row each.
const fn family(format: Format) -> Family {
    match format {
        Format::Raw => Family { render: raw::render, read_back: Some(raw::read_back), check: None },
        Format::BasicAuth => Family { render: two_keys::basic_auth, read_back: Some(two_keys::read_back), check: None },
        Format::SealEnv => Family { render: two_keys::seal_env, read_back: Some(two_keys::read_back), check: None },
        Format::Npmrc => Family { render: npmrc::render, read_back: Some(npmrc::read_back), check: None },
        Format::DockerConfigJson => {
            Family { render: docker_config::render, read_back: Some(docker_config::read_back), check: None }
        }
        Format::Template => Family { render: template::render, read_back: None, check: Some(template::check) },
    }
}

/// Checks one entry without a token: renders it for a sample. Returns the keys that it writes.
///
/// # Errors
/// A sentence for the user.
pub fn check(entry: &DataEntry) -> Result<Vec<String>, String> {
    let checked = family(entry.format).check.map_or(Ok(()), |check| check(entry));
    checked.map_err(|refusal| refusal.of(entry).to_string())?;
    let sample = SecretString::from("sample");
    let facts = Facts { token: &sample, id: None, expiration_time: None };
    let files = render(entry, &facts).map_err(|error| error.to_string())?;
    Ok(files.into_iter().map(|(key, _)| key).collect())
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
    let values = Values { token, id: facts.id, expiration_time: facts.expiration_time };
    (family(entry.format).render)(entry, &values).map_err(|refusal| refusal.of(entry))
}

/// Whether the token can be read back from what `format` writes.
pub fn is_readable(format: Format) -> bool {
    family(format).read_back.is_some()
}

/// The token that `data` holds under `key` in this format; `None` if it holds none, or in another form.
pub(super) fn read_back(format: Format, key: &str, data: &Data) -> Option<String> {
    let token = family(format).read_back?(key, data)?;
    (!token.is_empty() && token.len() <= MAX_TOKEN_BYTES).then_some(token)
}

#[cfg(test)]
mod tests;
