//! The connection to one service. It fills in requests, sends them only below `baseURL`, and waits when an answer asks for
//! that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::failure::{asks_to_wait, pause_of};
use crate::api::operation::Operation;
use crate::service::declaration::Declaration;
use crate::service::errors::{ConnectError, ServiceError};
use crate::service::extraction::JsonPath;
use crate::service::limits::{Places, RateLimit};
use crate::service::mask::Mask;
use crate::service::request::{AuthenticationTemplate, Call, RequestTemplate};
use crate::service::transport::{Answer, Bound, Exchange, SendError, Transport};

/// When to try again after a failed connection.
const RECONNECT: Duration = Duration::from_secs(5);

/// The longest text of a service that a message shows, in characters.
const MAX_WORDS: usize = 200;

#[derive(Debug)]
pub struct Connection {
    pub(super) declaration: Declaration,
    credentials: BTreeMap<String, SecretString>,
    transport: Arc<dyn Transport>,
    pub(super) rate_limit: RateLimit,
}

impl Connection {
    pub(super) fn new(
        declaration: Declaration,
        credentials: BTreeMap<String, SecretString>,
        rate_limit: RateLimit,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, ConnectError> {
        let given = |name: &&str| credentials.get(*name).is_some_and(|value| !value.expose_secret().is_empty());
        if let Some(name) = declaration.used_credentials().find(|name| !given(name)) {
            return Err(ConnectError::MissingCredential { name: name.to_owned() });
        }
        Ok(Self { declaration, credentials, transport, rate_limit })
    }

    /// Takes the place of one request.
    pub(super) async fn take_place(&self, operation: Operation, places: &mut Places) -> Result<(), ServiceError> {
        let throttled = |after| ServiceError::Throttled { after, operation: operation.name() };
        // A place may be from before the service asked for a pause. *generate* says by itself that nothing was sent.
        if let Some(after) = self.paused().filter(|_| operation != Operation::Generate) {
            return Err(throttled(after));
        }
        places.next(&self.rate_limit).await.map_err(throttled)
    }

    /// How long nothing may be sent yet, because the service asked for a pause.
    pub(super) fn paused(&self) -> Option<Duration> {
        self.rate_limit.paused()
    }

    pub(super) fn authentication(&self) -> Option<&AuthenticationTemplate> {
        self.declaration.authentication.as_ref()
    }

    /// The values that every template but that of *verify* may use.
    pub(super) fn values(&self) -> Value {
        let credentials = self.credentials.iter().map(|(name, value)| (name.clone(), json!(value.expose_secret())));
        json!({
            "credentials": Value::Object(credentials.collect()),
            "variables": self.declaration.variables,
        })
    }

    pub(super) fn fill(
        &self,
        asked: Operation,
        request: &RequestTemplate,
        authentication: Option<&AuthenticationTemplate>,
        values: Value,
    ) -> Result<Call, ServiceError> {
        request.fill(authentication, &values).map_err(|error| asked.not_sent(&error.to_string()))
    }

    /// The URL of a call. **Invariant:** whatever the values are, it is below `baseURL`, or below that of *verify* for this operation: no
    /// other one goes there, and its request has no credential.
    pub(super) fn url(&self, asked: Operation, call: &Call) -> Result<Url, ServiceError> {
        let base = self.base(asked).0;
        let path = format!("{}{}", base.path().trim_end_matches('/'), call.path);
        let mut url = base.clone();
        url.set_path(&path);
        url.set_query((!call.query.is_empty()).then_some(&call.query));
        if url.path() != path || url.origin() != base.origin() {
            return Err(asked.not_sent("path: a value would lead to another address"));
        }
        Ok(url)
    }

    /// Where the requests of an operation go, and which field says so.
    fn base(&self, asked: Operation) -> (&Url, &'static str) {
        match &self.declaration.verify.base_url {
            Some(elsewhere) if asked == Operation::Verify => (elsewhere, "spec.operations.verify.baseURL"),
            _ => (&self.declaration.base_url, "spec.baseURL"),
        }
    }

    /// Which field has the name that is looked up for an operation.
    fn looked_up(&self, asked: Operation) -> &'static str {
        if self.declaration.proxy.is_some() { "spec.connection.proxy.url" } else { self.base(asked).1 }
    }

    /// The error with the service's own words, if its answer has any. One that means success may have a token in it.
    pub(super) fn explained(&self, error: ServiceError, answer: &Answer, token: Option<&SecretString>) -> ServiceError {
        let words = self.declaration.error_message.as_ref().filter(|_| answer.status >= 400);
        let words = words.and_then(|path| self.words(path, &answer.json().ok()?, token));
        match words {
            Some(words) => error.explained(&words),
            None => error,
        }
    }

    /// The text at `path`, without secrets. **Invariant:** nothing else of an answer gets into a message.
    fn words(&self, path: &JsonPath, body: &Value, token: Option<&SecretString>) -> Option<String> {
        let mask = Mask::default();
        self.credentials.values().chain(token).for_each(|value| mask.hide(value));
        let generate = self.declaration.generate.as_ref();
        let fresh = generate.and_then(|generate| generate.value.scalar(body).ok());
        fresh.into_iter().for_each(|value| mask.hide(&SecretString::from(value)));
        // First hidden, then cut: of a secret that is cut, a part would be left.
        let shown = mask.of_service(&path.scalar(body).ok()?).replace('"', "'");
        Some(shown.chars().take(MAX_WORDS).collect())
    }

    /// Sends one request. An answer that asks for a pause pauses all calls to the service.
    pub(super) async fn send(
        &self,
        asked: Operation,
        call: &Call,
        url: &Url,
        timeout: Duration,
    ) -> Result<Answer, ServiceError> {
        let exchange = Exchange {
            method: call.method,
            url,
            headers: &call.headers,
            body: call.body.as_deref(),
            timeout,
            bound: if asked == Operation::List { Bound::Page } else { Bound::One },
        };
        let answer = match self.transport.exchange(exchange).await {
            Ok(answer) => answer,
            Err(SendError::NotSent(what)) => {
                let what = what.replace("spec.baseURL", self.base(asked).1);
                return Err(asked.not_connected(&what, RECONNECT));
            }
            Err(SendError::Forbidden(what)) => return Err(asked.forbidden(self.looked_up(asked), &what)),
            Err(SendError::Lost(what)) => return Err(asked.lost(&what)),
        };
        if asks_to_wait(&answer) {
            self.rate_limit.pause(pause_of(&answer));
        }
        Ok(answer)
    }
}
