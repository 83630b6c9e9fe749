//! What goes into a format and what comes out of it.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use secrecy::SecretString;

use crate::api::secret_template::DataEntry;
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

/// The same with the token out of its wrapper: what a format sees. It cannot be printed.
pub(super) struct Values<'a> {
    pub(super) token: &'a str,
    pub(super) id: Option<&'a str>,
    pub(super) expiration_time: Option<Time>,
}

/// What one entry writes: keys of the Secret with their contents, which are secret.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// The data of a Secret.
pub(super) type Data = BTreeMap<String, ByteString>;

/// One file, under the entry's key.
pub(super) fn file(entry: &DataEntry, content: impl Into<Vec<u8>>) -> Files {
    vec![(entry.key.clone(), content.into())]
}

/// The file under `key`; `None` if there is none, or if it is not text.
pub(super) fn text<'a>(data: &'a Data, key: &str) -> Option<&'a str> {
    std::str::from_utf8(&data.get(key)?.0).ok()
}
