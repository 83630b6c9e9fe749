//! The whole content of a Secret: what it should be, and the token that it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

use super::applied::Applied;
use super::formats::{self, Facts, Unrenderable, docker_config};
use super::metadata::{self, Marks, Owner};
use crate::api::secret_template::{FixedKeys, Format, SecretTemplate, SecretType, rules};

/// The most bytes of all values together: the API server's own limit (`MaxSecretSize`).
pub const MAX_SECRET_BYTES: usize = 1024 * 1024;

/// The key that the API server asks for in a Secret of type `kubernetes.io/dockerconfigjson`.
const DOCKER_CONFIG_KEY: &str = ".dockerconfigjson";

/// The one of the token, of the two that it knows in a Secret of type `kubernetes.io/basic-auth`.
const PASSWORD_KEY: &str = FixedKeys::BASIC_AUTH.token;

/// The content that a Secret should have.
#[derive(Clone, PartialEq)]
pub struct DesiredSecret {
    /// Its type on the wire.
    pub type_: SecretType,
    /// The template's labels and the operator's own.
    pub labels: BTreeMap<String, String>,
    /// The template's annotations and the operator's marks.
    pub annotations: BTreeMap<String, String>,
    /// The rendered entries. The values are secret.
    pub data: BTreeMap<String, ByteString>,
}

impl fmt::Debug for DesiredSecret {
    /// The keys of the data, never the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DesiredSecret")
            .field("type_", &self.type_)
            .field("labels", &self.labels)
            .field("annotations", &self.annotations)
            .field("data", &self.data.keys())
            .finish()
    }
}

/// Why an existing Secret cannot take the content, whoever owns it: these fields can only be changed by a new Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Somebody set `immutable: true`.
    #[error("the Secret is immutable")]
    Immutable,
    /// It was created with another type.
    #[error("the Secret has type {found}, not {wanted}")]
    Type {
        /// Its type.
        found: String,
        /// The template's type.
        wanted: &'static str,
    },
}

/// Checks everything that can be checked without a token, so that the user learns of a bad template before a token is
/// generated.
///
/// It repeats rules of the schema, because an object may be older than they are. The error is a sentence for the user.
pub fn check(template: &SecretTemplate) -> Result<(), String> {
    let mut keys = BTreeSet::new();
    for entry in &template.data {
        for key in formats::check(entry)? {
            if let Some(key) = keys.replace(key) {
                return Err(format!("spec.secret.data: two entries write the key {key}: give one of them another key"));
            }
        }
    }
    if !template.data.iter().any(|entry| formats::is_readable(entry.format)) {
        return Err(format!("spec.secret.data: {}", rules::add_readable()));
    }
    check_type(template)?;
    check_keys(template)
}

fn check_type(template: &SecretTemplate) -> Result<(), String> {
    let has = |format, key| template.data.iter().any(|entry| entry.format == format && entry.key == key);
    let (enough, need) = match template.type_ {
        SecretType::Opaque => (true, ""),
        SecretType::DockerConfigJson => {
            (has(Format::DockerConfigJson, DOCKER_CONFIG_KEY), "key .dockerconfigjson and format DockerConfigJson")
        }
        SecretType::BasicAuth => (has(Format::BasicAuth, PASSWORD_KEY), "key password and format BasicAuth"),
    };
    if enough {
        return Ok(());
    }
    Err(format!("spec.secret.data: add an entry with {need}, which type {} needs", template.type_.as_str()))
}

fn check_keys(template: &SecretTemplate) -> Result<(), String> {
    let label = template.labels.keys().find(|key| !metadata::may_be_label(key)).map(|key| ("labels", key));
    let annotation = || template.annotations.keys().find(|key| !metadata::may_be_annotation(key));
    match label.or_else(|| annotation().map(|key| ("annotations", key))) {
        Some((field, key)) => Err(format!("spec.secret.{field}: {key} is reserved: use a key of your own")),
        None => Ok(()),
    }
}

/// The content for the token of `facts`.
///
/// Fails if a format cannot carry the token, or if the API server would not take so much data.
pub fn desired(
    template: &SecretTemplate,
    owner: &Owner,
    marks: &Marks,
    facts: &Facts<'_>,
) -> Result<DesiredSecret, Unrenderable> {
    let mut data = BTreeMap::new();
    for entry in &template.data {
        for (key, content) in formats::render(entry, facts)? {
            data.insert(key, ByteString(content));
        }
    }
    let bytes = data.values().map(|content| content.0.len()).sum();
    if bytes > MAX_SECRET_BYTES {
        return Err(Unrenderable::SecretTooLarge { bytes, limit: MAX_SECRET_BYTES });
    }
    Ok(with_metadata(data, template, owner, marks))
}

/// Our Secret without a token (P5). It has only the keys that its type needs, so that the API server accepts it.
pub fn placeholder(template: &SecretTemplate, owner: &Owner, marks: &Marks) -> DesiredSecret {
    let data = match template.type_ {
        SecretType::Opaque => BTreeMap::new(),
        SecretType::DockerConfigJson => {
            BTreeMap::from([(DOCKER_CONFIG_KEY.to_owned(), ByteString(docker_config::EMPTY.into()))])
        }
        SecretType::BasicAuth => BTreeMap::from([(PASSWORD_KEY.to_owned(), ByteString(Vec::new()))]),
    };
    with_metadata(data, template, owner, marks)
}

/// `data` with the labels and annotations that belong to it.
fn with_metadata(
    data: BTreeMap<String, ByteString>,
    template: &SecretTemplate,
    owner: &Owner,
    marks: &Marks,
) -> DesiredSecret {
    let mut labels = template.labels.clone();
    labels.insert(metadata::MANAGED.to_owned(), "true".to_owned());
    let mut annotations = template.annotations.clone();
    annotations.extend(metadata::annotations(marks, owner));
    annotations.extend(Applied::of(template).annotation());
    DesiredSecret { type_: template.type_, labels, annotations, data }
}

/// What keeps `secret` from taking the content of `template`, if anything.
pub fn obstacle(template: &SecretTemplate, secret: &Secret) -> Option<Obstacle> {
    let wanted = template.type_.as_str();
    // The API server stores an absent type as Opaque.
    let found = secret.type_.as_deref().unwrap_or(SecretType::Opaque.as_str());
    if secret.immutable == Some(true) {
        Some(Obstacle::Immutable)
    } else if found != wanted {
        Some(Obstacle::Type { found: found.to_owned(), wanted })
    } else {
        None
    }
}

/// The token that `secret` holds, read back through the readable entries of `template`.
///
/// Entries whose key is missing do not count. All others must agree; otherwise the result is `None`.
pub fn token_in(template: &SecretTemplate, secret: &Secret) -> Option<SecretString> {
    let data = secret.data.as_ref()?;
    let mut token: Option<String> = None;
    for entry in template.data.iter().filter(|entry| formats::is_readable(entry.format)) {
        if !data.contains_key(&entry.key) {
            continue;
        }
        let read = formats::read_back(entry.format, &entry.key, data)?;
        if token.as_ref().is_some_and(|token| *token != read) {
            return None;
        }
        token = Some(read);
    }
    token.map(SecretString::from)
}

/// Every text in `secret` that an entry of some readable format could have as its token, whatever the template says. If the
/// template changed after the Secret was written, the token is one of them.
pub fn tokens_in(secret: &Secret) -> impl Iterator<Item = SecretString> {
    let data = secret.data.iter();
    let entries = data.flat_map(|data| data.keys().flat_map(move |key| Format::ALL.map(|format| (format, key, data))));
    entries.filter_map(|(format, key, data)| formats::read_back(format, key, data).map(SecretString::from))
}
