//! The formats: one word each, and which fields an entry of it has.
//!
//! `crate::secret::formats` writes the token in each format. The facts that the API server must know are here, because
//! the rules of the schema are generated from them and this module may use no other; a test there compares the two. A new
//! format needs one word here with its shape, one file there, and one row of the table there.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an entry writes the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// The token and nothing else.
    Raw,
    /// A text with holes.
    Template,
    /// The keys `username` and `password`.
    BasicAuth,
    /// Docker's `config.json`.
    DockerConfigJson,
    /// npm's `.npmrc`.
    Npmrc,
    /// The keys `SEAL_TOKEN` and `SEAL_PROJECT`.
    SealEnv,
}

/// Which fields an entry of a format has beside its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The operator can read the token back from what the format writes.
    pub readable: bool,
    /// Whether it has `username`.
    pub username: Username,
    /// Whether it has `registry`.
    pub registry: Registry,
    /// Whether it may have `scopes` and `auth`, as npm's files do.
    pub npm: bool,
    /// Whether it must have `template`; no other format may.
    pub template: bool,
    /// The two keys that it writes, whatever the entry says.
    pub keys: Option<FixedKeys>,
}

/// The keys of a format that writes two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedKeys {
    /// Of the token. The entry must have it, too, as its own.
    pub token: &'static str,
    /// Of the user name.
    pub username: &'static str,
}

impl FixedKeys {
    /// Of `BasicAuth`: those that a Secret of type `kubernetes.io/basic-auth` has.
    pub const BASIC_AUTH: Self = Self { token: "password", username: "username" };
    /// Of `SealEnv`: the environment variables of Seal's tools.
    pub const SEAL_ENV: Self = Self { token: "SEAL_TOKEN", username: "SEAL_PROJECT" };
}

/// What a format does with `username`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Username {
    /// Nothing would use it.
    Refused,
    /// It may have one.
    Optional,
    /// It needs one.
    Required,
    /// It needs one with `auth: Basic`, and nothing would use it otherwise.
    WithBasic,
}

/// What a format does with `registry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registry {
    /// Nothing would use it.
    Refused,
    /// It may have one.
    Optional,
    /// It needs one, in whatever way its tool looks it up.
    Required,
    /// It needs one, and that is a URL.
    Url,
}

impl Format {
    /// All of them, in the order in which messages name them.
    pub const ALL: [Self; 6] =
        [Self::Raw, Self::BasicAuth, Self::Npmrc, Self::DockerConfigJson, Self::SealEnv, Self::Template];

    /// Which fields an entry of this format has.
    pub const fn shape(self) -> Shape {
        match self {
            Self::Raw => Shape::READABLE,
            Self::BasicAuth => Shape::with_keys(FixedKeys::BASIC_AUTH),
            Self::SealEnv => Shape::with_keys(FixedKeys::SEAL_ENV),
            Self::Npmrc => {
                Shape { username: Username::WithBasic, registry: Registry::Url, npm: true, ..Shape::READABLE }
            }
            Self::DockerConfigJson => {
                Shape { username: Username::Required, registry: Registry::Required, ..Shape::READABLE }
            }
            Self::Template => Shape {
                readable: false,
                username: Username::Optional,
                registry: Registry::Optional,
                template: true,
                ..Shape::READABLE
            },
        }
    }
}

impl Shape {
    /// A format from which the token can be read back, and that needs nothing but the key.
    const READABLE: Self = Self {
        readable: true,
        username: Username::Refused,
        registry: Registry::Refused,
        npm: false,
        template: false,
        keys: None,
    };

    /// One that writes a user name and the token under keys of its own.
    const fn with_keys(keys: FixedKeys) -> Self {
        Self { username: Username::Required, keys: Some(keys), ..Self::READABLE }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
