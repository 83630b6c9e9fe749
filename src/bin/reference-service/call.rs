//! One call, from its arrival to its entry in the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SubsecRound, Utc};
use tokio::sync::oneshot;

use crate::answer::{Answer, Delivery};
use crate::books::{Books, Caller};
use crate::calls::{Calls, Credential, Entry, EntryNumber, Operation};
use crate::connection::Connection;
use crate::faults::{self, Course, Fault};

/// The state that the two listeners share.
pub struct Service {
    books: Mutex<Books>,
    calls: Mutex<Calls>,
    faults: Mutex<Vec<Fault>>,
}

impl Service {
    /// A service over these books, without faults.
    pub fn new(books: Books) -> Self {
        Self { books: Mutex::new(books), calls: Mutex::default(), faults: Mutex::default() }
    }

    /// The books, for one change or one read. They change in the store first, so that they are right
    /// even after a thread panicked.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters and the log.
    pub fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults.
    pub fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time now, to the millisecond: the service stores, shows and compares the same value.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// What an effect did.
pub struct Outcome {
    pub answer: Answer,
    /// The token it was about.
    pub token_id: Option<String>,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self { answer, token_id: None }
    }
}

/// A call that has arrived.
pub struct Call {
    service: Arc<Service>,
    connection: Connection,
    operation: Operation,
    caller: Caller,
    /// The token that the call names or shows.
    token_id: Option<String>,
    time: DateTime<Utc>,
}

impl Call {
    /// Identifies the caller by the credential that it shows, and counts the call.
    pub fn receive(
        service: Arc<Service>,
        connection: Connection,
        operation: Operation,
        credential: Option<&str>,
    ) -> Self {
        service.calls().count(operation);
        let books = service.books();
        let caller = books.identify(credential);
        let token_id = match operation {
            Operation::Verify => books.shown_by(caller).map(|token| token.id.clone()),
            Operation::Generate | Operation::List | Operation::Revoke => None,
        };
        drop(books);
        Self { service, connection, operation, caller, token_id, time: now() }
    }

    /// The same call about this token.
    pub fn about(mut self, token_id: String) -> Self {
        self.token_id = Some(token_id);
        self
    }

    /// Performs the call in a task of its own: the effect stays when a client hangs up, as it would
    /// at a real service.
    pub async fn answer<E>(self, effect: E) -> Response
    where
        E: FnOnce(&mut Books, Caller) -> Outcome + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let service = Arc::clone(&self.service);
            let (number, response) = self.carry_out(effect).await;
            if sender.send(response).is_err() {
                service.calls().lose_answer(number);
            }
        });
        receiver.await.unwrap_or_else(|_| internal_error().into_response())
    }

    async fn carry_out<E>(self, effect: E) -> (EntryNumber, Response)
    where
        E: FnOnce(&mut Books, Caller) -> Outcome + Send + 'static,
    {
        let kinds = faults::strike(&mut self.service.faults(), self.operation);
        let outcome = match faults::before_effect(&kinds).await {
            Course::Proceed => self.perform(effect).await,
            Course::Answer(answer) => answer.into(),
            Course::LandLate(after) => {
                let number = self.record(0, None);
                let connection = self.connection.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    let outcome = self.perform(effect).await;
                    if let Some(id) = outcome.token_id {
                        self.service.calls().name_token(number, id);
                    }
                });
                return (number, Delivery::Lost.over(&connection));
            }
        };
        let delivery = faults::after_effect(&kinds, outcome.answer).await;
        // Before the answer leaves, so that a client that has the answer finds the call in the log.
        let number = self.record(delivery.logged_status(), outcome.token_id);
        (number, delivery.over(&self.connection))
    }

    /// A write of the books keeps their lock and may wait for the disk. Threads that serve
    /// connections must not wait for that.
    async fn perform<E>(&self, effect: E) -> Outcome
    where
        E: FnOnce(&mut Books, Caller) -> Outcome + Send + 'static,
    {
        let service = Arc::clone(&self.service);
        let caller = self.caller;
        tokio::task::spawn_blocking(move || effect(&mut service.books(), caller))
            .await
            .unwrap_or_else(|_| internal_error().into())
    }

    fn record(&self, status: u16, token_id: Option<String>) -> EntryNumber {
        self.service.calls().record(Entry {
            operation: self.operation,
            time: self.time,
            status,
            token_id: token_id.or_else(|| self.token_id.clone()),
            credential: Credential::from(self.caller),
        })
    }
}

fn internal_error() -> Answer {
    Answer::message(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
}

/// The credential of an `Authorization: Bearer` header. Another scheme counts as a wrong credential.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?;
    let Ok(text) = value.to_str() else {
        return Some("");
    };
    match text.split_once(' ') {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") => Some(credential.trim()),
        Some(_) | None => Some(""),
    }
}
