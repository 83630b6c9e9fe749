//! The formats: one word each, and which fields an entry of it has.
//!
//! How a format writes the token stands in `crate::secret::formats`. What the API server must know of it stands here,
//! because the rules of the schema are generated from it and this room knows no other; a test in that room holds the two
//! against each other. A new format is one word here with its shape, one file there, and one row of the table there.

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
}

/// What an entry of a format says beside its key.
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
    /// It has `template`, always; the others never.
    pub template: bool,
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
    pub const ALL: [Self; 5] = [Self::Raw, Self::BasicAuth, Self::Npmrc, Self::DockerConfigJson, Self::Template];

    /// Which fields an entry of this format has.
    pub const fn shape(self) -> Shape {
        match self {
            Self::Raw => Shape::READABLE,
            Self::BasicAuth => Shape { username: Username::Required, ..Shape::READABLE },
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
    const READABLE: Self =
        Self { readable: true, username: Username::Refused, registry: Registry::Refused, npm: false, template: false };
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
