//! Performs the declared operations over HTTP.
//!
//! Each call is one request (a list: one per page), and the client never repeats it: the caller decides whether to send it
//! again, and `ServiceError` says all that it needs for that. Every call takes its place in the rate limit and is counted,
//! because there is no other way to reach a service. Only this folder exposes credentials, where it builds a
//! request, and `networks`, where it gives a proxy its password.

pub mod answers;
mod connection;
mod expiry;
mod failure;
pub mod heard;
mod lists;
pub mod meter;
mod pages;
mod requests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use self::answers::{GenerateRequest, Generated, Listing, RevokeAnswer, VerifyAnswer};
use self::connection::Connection;
use self::lists::Lists;
use self::meter::CallCounts;
use crate::api::operation::Operation;
use crate::service::declaration::Declaration;
use crate::service::errors::{ConnectError, Doubt, ServiceError};
use crate::service::limits::{Caller, RateLimit};
use crate::service::material::Material;
use crate::service::networks::Networks;
use crate::service::transport::Transport;

pub use crate::service::limits::Places;

/// How long each further page of a list may wait for its place in the rate limit.
const PAGE_WAIT: Duration = Duration::from_secs(120);

/// A client of one service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServiceClient {
    connection: Arc<Connection>,
    counts: CallCounts,
    lists: Arc<Lists>,
}

impl ServiceClient {
    /// A client for `declaration` over a network of its own. The caller passes `rate_limit`, so that it outlives a change of credentials.
    ///
    /// # Errors
    /// When a credential is missing or the CA bundle is unreadable.
    pub fn new(
        declaration: Declaration,
        credentials: BTreeMap<String, SecretString>,
        ca_bundle: Option<Vec<u8>>,
        rate_limit: RateLimit,
        counts: CallCounts,
    ) -> Result<Self, ConnectError> {
        let material = Material { ca_bundle, client_certificate: None };
        let network = Networks::default().of(&declaration, None, &credentials, &material)?;
        Self::through(network, declaration, credentials, rate_limit, counts)
    }

    /// The same through `transport`.
    ///
    /// # Errors
    /// When a credential is missing.
    pub fn through(
        transport: Arc<dyn Transport>,
        declaration: Declaration,
        credentials: BTreeMap<String, SecretString>,
        rate_limit: RateLimit,
        counts: CallCounts,
    ) -> Result<Self, ConnectError> {
        let connection = Connection::new(declaration, credentials, rate_limit, transport)?;
        Ok(Self { connection: Arc::new(connection), counts, lists: Arc::default() })
    }

    /// The declaration that this client performs.
    pub fn declaration(&self) -> &Declaration {
        &self.connection.declaration
    }

    /// Waits for the caller's turn, and takes places for `calls` requests. A caller takes the places for all calls of an issue before
    /// the claim: the time in the queue must not count against the claim.
    ///
    /// # Errors
    /// Fails at once, with the wait, if that is longer than `max_wait`. The caller keeps its place in the queue, and comes back then.
    pub async fn take_places(&self, caller: &Caller, calls: u32, max_wait: Duration) -> Result<Places, Duration> {
        self.connection.rate_limit.enter(caller, calls, max_wait).await
    }

    /// The rate limit of the service.
    pub fn rate_limit(&self) -> &RateLimit {
        &self.connection.rate_limit
    }

    /// Generates one token.
    ///
    /// # Errors
    /// See `ServiceError`; `Unknown` means that there may be a living token that nobody knows.
    pub async fn generate(&self, wanted: &GenerateRequest, places: &mut Places) -> Result<Generated, ServiceError> {
        self.call(Operation::Generate, places, requests::generate(&self.connection, wanted)).await
    }

    /// Asks whether `token` is valid; `None` asks without any token, which a service must refuse.
    ///
    /// # Errors
    /// `Throttled`, `Retry` or `Refused` if nothing was sent, `Unknown` for every answer that is neither accepted nor refused.
    pub async fn verify(
        &self,
        token: Option<&SecretString>,
        places: &mut Places,
    ) -> Result<VerifyAnswer, ServiceError> {
        self.call(Operation::Verify, places, requests::verify(&self.connection, token)).await
    }

    /// Fails if one of these ids, which a list gave, is a token: the service accepts it as one. Ids can be read by everybody.
    ///
    /// # Errors
    /// `Unknown` with `Doubt::TokenAsId`, or why the service could not be asked.
    pub async fn no_tokens<'a>(&self, ids: impl Iterator<Item = &'a str>, places: &Places) -> Result<(), ServiceError> {
        // The list before would be in vain if these calls waited for another turn.
        let mut places = places.none_of_these(PAGE_WAIT);
        for id in ids {
            match self.verify(Some(&SecretString::from(id)), &mut places).await {
                // A service that accepts anything for a moment says nothing of this id.
                Ok(VerifyAnswer::Accepted) => match self.verify(None, &mut places).await? {
                    VerifyAnswer::Refused { .. } => {
                        return Err(Operation::List.token_as_id("spec.operations.list.item.id"));
                    }
                    VerifyAnswer::Accepted => return Err(Operation::Verify.accepts_anything()),
                },
                Ok(VerifyAnswer::Refused { .. })
                | Err(ServiceError::Refused { .. } | ServiceError::Unknown { doubt: Doubt::Undeclared, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The complete list, or an error. All who ask for it before it begins share one, and one list is read at a time: who asks later
    /// shares the next one. Its first page uses a place, each further page waits for its own.
    ///
    /// # Errors
    /// `Refused`, `Throttled`, `Retry` or `Unknown`; an incomplete list is no list.
    pub async fn list(&self, places: &mut Places) -> Result<Arc<Listing>, ServiceError> {
        self.lists.share(|| self.clone().read_list(places.split_one())).await
    }

    async fn read_list(self, places: Places) -> lists::Answer {
        // Others share it, whoever began it: it waits as long for its first page as for the others.
        let mut places = places.with_max_wait(PAGE_WAIT);
        let mut further = places.none_of_these(PAGE_WAIT);
        let list = pages::list(&self.connection, &mut further);
        self.call(Operation::List, &mut places, list).await.map(Arc::new)
    }

    /// Asks the service to revoke the token with this id.
    ///
    /// # Errors
    /// Every answer but success and gone.
    pub async fn revoke(&self, id: &str, places: &mut Places) -> Result<RevokeAnswer, ServiceError> {
        self.call(Operation::Revoke, places, requests::revoke(&self.connection, id)).await
    }

    /// Takes the place of a call, makes it, and counts it. Every call comes through here.
    async fn call<T>(
        &self,
        operation: Operation,
        places: &mut Places,
        made: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        self.connection.take_place(operation, places).await?;
        let sent = Instant::now();
        let answer = made.await;
        self.counts.count(operation, &answer, places.caller(), sent.elapsed());
        answer
    }
}
