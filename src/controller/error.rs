//! Why the operator cannot start, why a pass could not go on, and what may be shown of an error of the Kubernetes client.

use thiserror::Error;

/// Why a pass could not go on. The controller begins another pass after a wait that grows with each failure in a row.
#[derive(Debug, Error)]
pub(crate) enum PassError {
    /// The API server did not answer a read, or rejected it.
    #[error("read {what} failed: {why}")]
    Read {
        /// What was read.
        what: &'static str,
        /// What the client said, without any body.
        why: String,
    },
    /// The API server rejected a record, and nobody else wrote the object meanwhile.
    #[error("record in {what} failed: {why}")]
    Record {
        /// What was written.
        what: &'static str,
        /// What the client said, without any body.
        why: String,
    },
}

impl PassError {
    /// A read failed.
    pub(crate) fn read(what: &'static str, error: &kube::Error) -> Self {
        Self::Read { what, why: describe(error) }
    }

    /// A write failed.
    pub(crate) fn record(what: &'static str, error: &kube::Error) -> Self {
        Self::Record { what, why: describe(error) }
    }
}

/// The part of a client error that may be shown. The text of an answer that could not be parsed is never passed on: it may
/// hold a Secret's data.
pub(crate) fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}: {}", status.code, status.reason, status.message),
        kube::Error::SerdeError(_) => "the API server's answer is unreadable".to_owned(),
        _ => "the API server gave no answer".to_owned(),
    }
}

/// Why the operator cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The Kubernetes client could not be created.
    #[error("make the Kubernetes client: {0}")]
    Client(Box<kube::Error>),
    /// The first list failed.
    #[error("list {kind}: {why}: are the CRDs installed, and may this account list them?")]
    List {
        /// What was listed.
        kind: String,
        /// What the API server said.
        why: String,
    },
}
