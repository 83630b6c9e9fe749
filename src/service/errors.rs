//! Errors that say what the caller must do next.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::api::condition::SERVICE_SAYS;
use crate::api::reason::Reason;

/// Why a call to a service failed. No message contains a body, a value or a credential.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ServiceError {
    /// A definite no: stop, and tell the user.
    #[error("{message}")]
    Refused {
        /// The HTTP status; `None` if the request could not be built and was not sent.
        status: Option<u16>,
        /// What it means and what to do.
        message: String,
        /// Whether the service refused the operator's own credential.
        credential: bool,
    },
    /// Nothing was executed: the same call may be sent again, after this long at the earliest.
    #[error("{what}; nothing was executed")]
    Retry {
        /// How long to wait at least.
        after: Duration,
        /// Why it was not executed.
        what: String,
        /// Whether the service asked for the wait; else there was no connection to it.
        asked: bool,
    },
    /// The rate limit of the service object has no place soon enough; nothing was sent.
    #[error("{operation}: the service's rate limit (spec.limits.requestsPerMinute, or its Retry-After) is used up")]
    Throttled {
        /// When there will be a place.
        after: Duration,
        /// The operation that was not sent.
        operation: &'static str,
    },
    /// The call may have been executed: the caller must conclude nothing from this.
    #[error("{what}")]
    Unknown {
        /// What happened, and what to do.
        what: String,
        /// Why nobody knows.
        doubt: Doubt,
    },
}

/// Why nobody knows what a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No answer came.
    NoAnswer,
    /// An answer about one token came that the declaration does not name.
    Undeclared,
    /// An answer came that the service should not give, or that cannot be read.
    Faulty,
    /// The id in the answer is the token itself, or contains it, and ids can be read by everybody.
    TokenAsId,
}

impl ServiceError {
    pub(crate) fn unknown(what: impl Into<String>) -> Self {
        Self::Unknown { what: what.into(), doubt: Doubt::Faulty }
    }

    /// The same error with what the service itself says about it.
    pub(crate) fn explained(mut self, words: &str) -> Self {
        match &mut self {
            Self::Refused { message: text, .. } | Self::Retry { what: text, .. } | Self::Unknown { what: text, .. } => {
                text.push_str(&format!("{SERVICE_SAYS}{words}\""));
            }
            Self::Throttled { .. } => {}
        }
        self
    }

    /// How long to wait at least before the call is made again.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Retry { after, .. } | Self::Throttled { after, .. } => *after,
            Self::Refused { .. } | Self::Unknown { .. } => Duration::ZERO,
        }
    }
}

/// One thing that is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, for example `spec.operations.generate.request.path`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
    /// The word for the condition: `InvalidSpec`, or `NameTooShort`.
    pub reason: Reason,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// All that is wrong with a declaration; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", sentences(.problems))]
pub struct InvalidDeclaration {
    /// The problems in the order of the fields.
    pub problems: Vec<Problem>,
}

impl InvalidDeclaration {
    /// The word for the condition: that of the first problem.
    pub fn reason(&self) -> Reason {
        self.problems.first().map_or(Reason::InvalidSpec, |problem| problem.reason)
    }
}

fn sentences(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// Why there is no client for a checked declaration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// A credential that the declaration uses was not given.
    #[error(
        "the credential {name} of spec.credentials is missing: create its Secret with that key, and a non-empty value"
    )]
    MissingCredential {
        /// Its name in `spec.credentials`.
        name: String,
    },
    /// The additional certificate authorities cannot be read.
    #[error("spec.connection.caBundleRef: not a bundle of PEM certificates: {why}")]
    CaBundle {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The certificate that the operator shows cannot be read.
    #[error("spec.connection.clientCertificateRef: {why}")]
    ClientCertificate {
        /// What is wrong with it, and what to do.
        why: &'static str,
    },
    /// The values for the proxy cannot be sent.
    #[error("spec.connection.proxy.{why}")]
    Proxy {
        /// The part, and what is wrong with it.
        why: String,
    },
    /// The TLS client cannot be set up.
    #[error("the TLS client cannot be set up: the system's certificate authorities are unreadable")]
    Tls,
}
