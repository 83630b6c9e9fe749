//! The requests to a service, and its answers.

use secrecy::SecretString;

use crate::api::parameters::{Lifetime, Parameters};
use crate::api::time::Time;

/// The token to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerateRequest {
    /// The whole name at the service; `None` where tokens have no names.
    pub name: Option<String>,
    /// The user's part of the name.
    pub display_name: Option<String>,
    /// How long the token is to live; checked by `Declaration::check_lifetime`.
    pub lifetime: Lifetime,
    /// The result of `Declaration::check_parameters`.
    pub parameters: Parameters,
    /// The time now; `expirationTime` counts from it.
    pub now: Time,
    /// The time of the claim, which is before the token: a lifetime that the answer does not confirm counts from it.
    pub claimed: Time,
}

/// A generated token.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its value.
    pub value: SecretString,
    /// Its id, where the service's answer has one.
    pub id: Option<String>,
    /// When it expires; `None` for never.
    pub expiration_time: Option<Time>,
    /// What the declaration promises about the expiry and the answer does not keep, and what to do; no part of the answer.
    pub doubt: Option<String>,
}

/// The service's answer about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyAnswer {
    /// It is valid.
    Accepted,
    /// It is not.
    Refused {
        /// The HTTP status of the answer.
        status: u16,
    },
}

/// All live tokens of the operator's account at the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The tokens, each id once.
    pub rows: Vec<ListedToken>,
}

/// One listed token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedToken {
    /// Its id.
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// When it was generated, if the service says so.
    pub created: Option<Time>,
    /// When it expires; `None` for never, or where the service does not say.
    pub expiration: Option<Time>,
    /// When it was last used, if the service says so.
    pub last_used: Option<Time>,
}

/// The service's answer to a revoke. Neither answer is proof: see P19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeAnswer {
    /// The service says that it ended the token.
    Success,
    /// The service says that there is no such token.
    Gone,
}
