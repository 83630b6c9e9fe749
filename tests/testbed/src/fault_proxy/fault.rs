//! What can happen to a call.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::call::Request;

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The calling process is killed; the call is not passed on.
    KillBefore,
    /// The call takes effect; the process is killed before it gets the answer.
    KillAfter,
    /// The call takes effect; the connection ends without an answer.
    LoseAnswer,
    /// The connection ends without an answer; the call is not passed on.
    ErrorBefore,
    /// The caller gets this answer, with a JSON body; the call is not passed on.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The call is held for this time, then passed on. It lands even if its caller has given up.
    Delay(Duration),
    /// The call arrives twice, one after the other, and the caller gets the second answer. A proxy that retries a call after a lost
    /// answer does that. It is the harder case, because the second answer may be a refusal although the first call took effect.
    Duplicate,
    /// The process is stopped (SIGSTOP) for this time before its call is passed on, then goes on.
    StopBefore(Duration),
    /// The call takes effect; the process is stopped for this time before it gets the answer, then goes on.
    StopAfter(Duration),
    /// Nothing happens to the call: the test looks at the world before it is passed on.
    Look(Look),
}

impl Fault {
    /// An answer of the API server: its `Status` object.
    pub fn status(code: u16, reason: &str) -> Self {
        let body = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("fault: {reason}"), "reason": reason, "code": code,
        });
        Self::Answer { status: code, body: body.to_string() }
    }
}

type Looking = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Code of a test that runs before a call is passed on.
#[derive(Clone)]
pub struct Look(pub(super) Arc<dyn Fn(Request) -> Looking + Send + Sync>);

impl Look {
    /// Calls `look` and waits for it.
    pub fn new<Looked>(look: impl Fn(Request) -> Looked + Send + Sync + 'static) -> Self
    where
        Looked: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(look(request))))
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Look")
    }
}

/// What happens to an event of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFault {
    /// It does not arrive.
    Drop,
    /// It arrives twice.
    Double,
}
