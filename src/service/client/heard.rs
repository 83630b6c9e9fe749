//! What a service said to the calls that were made anyway, for whoever judges whether it works.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::api::operation::{Operation, Outcome};
use crate::service::errors::{Doubt, ServiceError};

/// The most calls that are kept until somebody takes them.
const MAX_CALLS: usize = 256;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub operation: Operation,
    /// How long it took.
    pub took: Duration,
    /// What it says.
    pub outcome: Outcome,
}

/// The calls to one service, until somebody takes them. All clones share them.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<Mutex<VecDeque<Call>>>);

impl Heard {
    /// Notes a call that ended.
    pub(super) fn note(&self, call: Call) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() == MAX_CALLS {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    /// Takes what was noted since the last time.
    pub fn take(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

/// What an answer to this caller says about the operation; `None` where it is about one token, or asks to wait.
pub(super) fn outcome<T>(operation: Operation, answer: &Result<T, ServiceError>, caller: &str) -> Option<Outcome> {
    let failed_for = |error| Some(Outcome::FailedFor { caller: caller.to_owned(), what: what(error) });
    match answer {
        Ok(_) => Some(Outcome::Worked),
        Err(ServiceError::Throttled { .. } | ServiceError::Retry { asked: true, .. }) => None,
        Err(ServiceError::Unknown { doubt: Doubt::Undeclared | Doubt::TokenAsId, .. }) => None,
        Err(error @ (ServiceError::Retry { .. } | ServiceError::Unknown { doubt: Doubt::NoAnswer, .. })) => {
            Some(Outcome::Unanswered(what(error)))
        }
        // One token may ask for what the service does not give to it, or breaks on.
        Err(
            error @ (ServiceError::Refused { credential: true, .. }
            | ServiceError::Refused { status: Some(404 | 405), .. }),
        ) if operation.changes() => failed_for(error),
        Err(error @ ServiceError::Unknown { doubt: Doubt::Faulty, .. }) if operation.changes() => failed_for(error),
        // And its parameters or its id may be wrong.
        Err(ServiceError::Refused { .. }) if operation != Operation::List => None,
        Err(error) => Some(Outcome::Failed(what(error))),
    }
}

/// The error without what follows from it for the call.
fn what(error: &ServiceError) -> String {
    match error {
        ServiceError::Retry { what, .. } | ServiceError::Unknown { what, .. } => what.clone(),
        ServiceError::Refused { .. } | ServiceError::Throttled { .. } => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_something_about_the_operation_counts() {
        let said = |operation, error: ServiceError| outcome::<()>(operation, &Err(error), "t1");
        let one = |what: &str| Some(Outcome::FailedFor { caller: "t1".to_owned(), what: what.to_owned() });
        let refused = || ServiceError::Refused { status: Some(403), message: "no".to_owned(), credential: true };
        let retry = |asked| ServiceError::Retry { after: Duration::ZERO, what: "x".to_owned(), asked };
        let unknown = |doubt| ServiceError::Unknown { what: "x".to_owned(), doubt };
        let wrong = || ServiceError::Refused { status: Some(422), message: "no".to_owned(), credential: false };
        assert_eq!(outcome(Operation::List, &Ok(()), "t1"), Some(Outcome::Worked));
        assert_eq!(said(Operation::List, refused()), Some(Outcome::Failed("no".to_owned())));
        assert_eq!(
            said(Operation::Generate, refused()),
            one("no"),
            "the account may have no right to it, or for this token"
        );
        assert_eq!(said(Operation::Generate, wrong()), None, "the parameters of one object");
        assert_eq!(said(Operation::Verify, refused()), None);
        assert_eq!(said(Operation::Verify, unknown(Doubt::Undeclared)), None);
        assert_eq!(said(Operation::Verify, unknown(Doubt::Faulty)), Some(Outcome::Failed("x".to_owned())));
        assert_eq!(said(Operation::Revoke, unknown(Doubt::Faulty)), one("x"), "it may break on this token");
        assert_eq!(said(Operation::Verify, unknown(Doubt::NoAnswer)), Some(Outcome::Unanswered("x".to_owned())));
        assert_eq!(said(Operation::List, retry(true)), None, "it is there");
        assert_eq!(said(Operation::List, retry(false)), Some(Outcome::Unanswered("x".to_owned())));
    }

    #[test]
    fn the_newest_calls_are_kept_and_taken_once() {
        let heard = Heard::default();
        for number in 0..MAX_CALLS + 2 {
            let took = Duration::from_secs(number.try_into().unwrap_or_default());
            heard.note(Call { operation: Operation::List, took, outcome: Outcome::Worked });
        }
        let taken = heard.take();
        assert_eq!((taken.len(), taken[0].took.as_secs()), (MAX_CALLS, 2));
        assert!(heard.take().is_empty());
    }
}
