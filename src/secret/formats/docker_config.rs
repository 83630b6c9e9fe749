//! `DockerConfigJson`: the `config.json` of Docker, as `imagePullSecrets` and OCI tools read it.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::two_keys::credentials;
use super::values::{Data, Files, Values, file, text};
use crate::api::secret_template::DataEntry;

/// The content without any login. The API server accepts it as valid.
pub const EMPTY: &str = r#"{"auths":{}}"#;

pub(super) fn render(entry: &DataEntry, values: &Values<'_>) -> Result<Files, Refusal> {
    let (username, password) = credentials(entry, values.token)?;
    let registry = entry.registry.as_deref().unwrap_or_default();
    if registry.is_empty() {
        return Err(Refusal::entry(
            "registry",
            "set it to the host that the tool looks up, such as registry.example:5000",
        ));
    }
    let login = json!({"username": username, "password": password, "auth": auth(username, password)});
    Ok(file(entry, json!({"auths": {registry: login}}).to_string()))
}

/// The token of the only login. `auth` must agree with `username` and `password`: some tools use one, some the others.
///
/// Registry and user name do not matter, so that a change of either keeps the token.
pub(super) fn read_back(key: &str, data: &Data) -> Option<String> {
    let config: Value = serde_json::from_str(text(data, key)?).ok()?;
    let mut logins = config.get("auths")?.as_object()?.values();
    let (login, None) = (logins.next()?, logins.next()) else {
        return None;
    };
    let field = |name| login.get(name).and_then(Value::as_str);
    let (username, password) = (field("username")?, field("password")?);
    (field("auth")? == auth(username, password)).then(|| password.to_owned())
}

fn auth(username: &str, password: &str) -> String {
    BASE64.encode(format!("{username}:{password}").as_bytes())
}
