//! Failures as the caller needs them: the kinds of `ServiceError`, with sentences that say what to do.

use std::fmt;
use std::time::Duration;

use crate::api::operation::Operation;
use crate::service::errors::{Doubt, ServiceError};
use crate::service::extraction::ExtractionError;
use crate::service::limits::{rate_limit_reset, retry_after};
use crate::service::transport::Answer;

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Operation {
    /// The service has no such operation. A caller that checks the capabilities never sees this.
    pub fn not_declared(self) -> ServiceError {
        let message = format!(
            "{self}: the service object has no such operation: declare spec.operations.{self}, or do it by hand"
        );
        ServiceError::Refused { status: None, message, credential: false }
    }

    /// The request could not be built from these values. For *verify*, this says nothing about the token.
    pub fn not_sent(self, what: &str) -> ServiceError {
        let message = format!("{self} was not sent: spec.operations.{self}.request.{what}");
        match self {
            Self::Verify => ServiceError::unknown(message),
            Self::Generate | Self::List | Self::Revoke => {
                ServiceError::Refused { status: None, message, credential: false }
            }
        }
    }

    /// The service has a forbidden address. The message is about the service object, whatever the operation is.
    pub fn forbidden(self, field: &str, what: &str) -> ServiceError {
        ServiceError::Refused { status: None, message: format!("{self}: {field}: {what}"), credential: false }
    }

    /// No connection.
    pub fn not_connected(self, what: &str, after: Duration) -> ServiceError {
        ServiceError::Retry { after, what: format!("{self}: {what}"), asked: false }
    }

    /// The service asked for a pause, and the pause is not over.
    pub fn held_back(self, after: Duration) -> ServiceError {
        ServiceError::Retry { after, what: format!("{self}: the service asked to wait"), asked: true }
    }

    /// The service says that it did nothing.
    pub fn not_executed(self, status: u16, after: Duration) -> ServiceError {
        ServiceError::Retry { after, what: format!("{self}: the service asks to wait (status {status})"), asked: true }
    }

    /// No answer to a request that was sent.
    pub fn lost(self, what: &str) -> ServiceError {
        ServiceError::Unknown {
            what: format!("{self}: {what}; whether it happened is not known"),
            doubt: Doubt::NoAnswer,
        }
    }

    /// There is a token of this name. Nobody guesses its nonce, so this request itself arrived twice.
    pub fn taken(self, status: u16) -> ServiceError {
        ServiceError::unknown(format!("{self}: the service has a token of this name already (status {status})"))
    }

    /// An answer that cannot be read.
    pub fn unreadable(self, status: u16, what: &str) -> ServiceError {
        ServiceError::unknown(format!("{self}: status {status}, but {what}"))
    }

    /// An answer without what the declaration promises.
    pub fn misdeclared(self, field: &str, error: &ExtractionError) -> ServiceError {
        ServiceError::unknown(format!("{self}: the answer has {error}: correct spec.operations.{self}.{field}"))
    }

    /// It accepts a request without a token, so nothing that it accepts means anything now.
    pub fn accepts_anything(self) -> ServiceError {
        ServiceError::unknown(format!(
            "{self}: the service accepts a request without a token, so its answers say nothing"
        ))
    }

    /// The field gives the token where it should give an id.
    pub fn token_as_id(self, field: &str) -> ServiceError {
        let what = format!(
            "{self}: the id at {field} is the token itself, or contains it, and ids can be read by everybody: name another field"
        );
        ServiceError::Unknown { what, doubt: Doubt::TokenAsId }
    }

    /// An answer that neither accepts nor refuses.
    pub fn no_verdict(self, status: u16) -> ServiceError {
        let what = format!(
            "{self}: status {status} is declared neither as accepted nor as refused, so it says nothing about the token; if it has a meaning, declare it in spec.operations.verify"
        );
        ServiceError::Unknown { what, doubt: if status < 500 { Doubt::Undeclared } else { Doubt::Faulty } }
    }

    /// An answer that accepts and refuses.
    pub fn two_verdicts(self, status: u16) -> ServiceError {
        let what = format!(
            "{self}: the answer (status {status}) is declared both as accepted and as refused, so it says nothing about the token: tell the two apart in spec.operations.verify, by the same body.path with another equals"
        );
        ServiceError::Unknown { what, doubt: Doubt::Undeclared }
    }

    /// The failure for an answer, which may ask for a pause.
    pub fn failure_of(self, answer: &Answer) -> ServiceError {
        match answer.status {
            429 => self.not_executed(429, pause_of(answer)),
            status => self.definite_failure_of(status, answer),
        }
    }

    /// The same where 429 does not say that nothing was executed.
    pub fn definite_failure_of(self, status: u16, answer: &Answer) -> ServiceError {
        match status {
            408 | 425 | 429 => self.failure(status),
            400..500 if asks_to_wait(answer) => self.not_executed(status, pause_of(answer)),
            _ => self.failure(status),
        }
    }

    /// The failure for a status.
    pub fn failure(self, status: u16) -> ServiceError {
        match status {
            401 | 403 => self.refused(
                status,
                true,
                &format!("does not accept the operator's credential; check spec.credentials, and that this account may {self} tokens"),
            ),
            404 | 405 => self.refused(
                status,
                false,
                &format!("does not know this address; check spec.baseURL and spec.operations.{self}.request"),
            ),
            407 => self.refused(
                status,
                false,
                "is behind a proxy that wants a password: name that proxy in spec.connection.proxy, with its user and password, or let the operator's pod reach the service directly",
            ),
            // A request that the service gave up on, or a status that says "not now", may have been executed.
            408 | 425 | 429 => self.undecided(status),
            400..500 => self.refused(
                status,
                false,
                &format!("refuses the request; compare the token's spec and spec.operations.{self}.request with the service's documentation"),
            ),
            200..300 => ServiceError::unknown(format!(
                "{self}: status {status} is not one of spec.operations.{self}.success: add it there if it means success; whether it happened is not known"
            )),
            300..400 => ServiceError::unknown(format!(
                "{self}: status {status} is a redirect, and the operator follows none: set spec.baseURL to the final address"
            )),
            _ => self.undecided(status),
        }
    }

    fn refused(self, status: u16, credential: bool, what: &str) -> ServiceError {
        ServiceError::Refused {
            status: Some(status),
            message: format!("{self}: the service {what} (status {status})"),
            credential,
        }
    }

    fn undecided(self, status: u16) -> ServiceError {
        ServiceError::unknown(format!("{self}: status {status}; whether it happened is not known"))
    }
}

/// Whether the service asks for a pause. Some say so by 401 or 403 with Retry-After, or by 403 to a caller that has no request left: that
/// says nothing about a token or a credential.
pub(super) fn asks_to_wait(answer: &Answer) -> bool {
    let told = answer.status >= 300 && answer.header("retry-after").is_some();
    answer.status == 429 || told || (answer.status == 403 && none_left(answer))
}

/// Whether the caller has no request left.
fn none_left(answer: &Answer) -> bool {
    answer.header("x-ratelimit-remaining") == Some("0")
}

/// The pause that an answer asks for.
pub(super) fn pause_of(answer: &Answer) -> Duration {
    match (answer.header("retry-after"), answer.header("x-ratelimit-reset")) {
        (None, Some(reset)) if none_left(answer) => rate_limit_reset(reset, answer.time()),
        (header, _) => retry_after(header, answer.time()),
    }
}
