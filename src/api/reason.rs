//! The one list of words for conditions, events and metric labels.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why something is in its state. A condition's reason, an event's reason and a metric's label come only from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Reason {
    /// The service accepted the current token.
    TokenValid,
    /// The current token was published without a probe, because `verification.probe` is `Disabled`.
    TokenUnverified,
    /// The operator is issuing the first token.
    Issuing,
    /// The operator is replacing the token.
    Rotating,
    /// The object is being deleted, and its tokens are being revoked.
    Deleting,
    /// A superseded token lives on until its overlap is over.
    OverlapActive,
    /// `spec.suspend` is set.
    Suspended,
    /// The referenced service object does not exist.
    ServiceNotFound,
    /// The service object is not Ready, or the service does not answer.
    ServiceNotReady,
    /// Of a service object: an operation that its tokens need does not work.
    OperationFailing,
    /// The service's answer about the current token is one that the declaration does not name.
    AnswerUndeclared,
    /// The service refuses the operator's own credential.
    CredentialRejected,
    /// A referenced credential Secret or key does not exist.
    CredentialMissing,
    /// The service accepts the operator's credential.
    CredentialsAccepted,
    /// The service asked for fewer requests, or our own rate limit delays them.
    Throttled,
    /// A parameter is not declared, or its value is not allowed by the service's constraints.
    ParameterNotAllowed,
    /// The service cannot issue tokens of this lifetime.
    UnsupportedLifetime,
    /// The service, or this object, has as many live tokens as it may have.
    TokenLimitReached,
    /// A quota of the namespace refuses the Secret.
    QuotaExceeded,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// The service lists a token under this object's identity that this cluster never claimed.
    IdentityConflict,
    /// The service refuses most of its tokens since the operator's credential changed.
    OriginDoubtful,
    /// The service refuses most of its tokens: that is the service's state, and says nothing about the tokens.
    TokensRefused,
    /// The service refused the current token, and nothing else says yet that it is dead.
    RefusalUnconfirmed,
    /// The service object does not allow this namespace.
    NamespaceNotAllowed,
    /// Names at the service are too short to carry the operator's own part.
    NameTooShort,
    /// The Secret belongs to somebody else, has another type, or is immutable.
    SecretConflict,
    /// Somebody else keeps changing the Secret.
    SecretContested,
    /// The API server refuses the write of the Secret.
    SecretWriteForbidden,
    /// The service did not accept a fresh token.
    VerificationFailed,
    /// The service accepts the declared verify request without a token.
    VerifyProvesNothing,
    /// A revoke did not succeed yet; it is retried.
    RevocationFailed,
    /// A superseded token must be revoked by a person, at the service's own pages.
    RevokeByHand,
    /// A person must make a token at the service's own pages, and hand it over.
    HandOverDue,
    /// A token that was handed over is not taken up.
    HandOverRefused,
    /// The token's expiry has passed.
    TokenExpired,
    /// The service refuses the current token.
    TokenRejected,
    /// The spec is wrong in a way that only a person can fix.
    InvalidSpec,
    /// The service did not issue a token.
    TokenGenerationFailed,
    /// Event: a first token was issued.
    TokenIssued,
    /// Event: a token that was handed over stands in the Secret.
    HandOverAccepted,
    /// Event: the token expires soon, and only a person can make the next one.
    TokenExpiringSoon,
    /// Event: a rotation is complete.
    RotationCompleted,
    /// Event: leaked tokens were revoked, and the Secret holds a replacement.
    EmergencyRotationCompleted,
    /// Event: a token was revoked on deletion.
    TokenRevoked,
    /// Event: a revoke failed and is retried.
    TokenRevocationFailed,
    /// Event: on request, tokens were left alive at the service.
    TokenRevocationSkipped,
    /// Event: the previous token was put back after a failed verification.
    RotationRolledBack,
    /// Event: a Secret that was changed or deleted by hand was repaired.
    SecretDriftCorrected,
    /// Event: the Secret could not be written.
    SecretUpdateFailed,
    /// Event: the service did not accept a fresh token.
    TokenVerificationFailed,
    /// Event: the answer did not have the expiry of the token that the declaration promised.
    ExpiryNotAnswered,
    /// Event: the service stopped accepting the current token.
    TokenInvalidatedExternally,
    /// Event: the service has a token of this object that nobody needs.
    OrphanedTokenFound,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
