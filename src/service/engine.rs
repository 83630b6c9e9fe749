//! Performs the declared operations over HTTP.
//!
//! Each call is one request (a list: one a page), never repeated here: whether it may be sent again is the caller's
//! decision, and `ServiceError` is all that it needs for it. Credentials are exposed here alone, where a request is built.

mod failure;
mod pages;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use self::failure::Deed;

use crate::api::ids::MAX_TOKEN_BYTES;
use crate::api::parameters::{Lifetime, Parameters};
use crate::api::time::Time;
use crate::service::declaration::Declaration;
use crate::service::errors::{ConnectError, ServiceError};
use crate::service::http::{self, Answer, Exchange, SendError};
use crate::service::limits::{RateLimit, retry_after};
use crate::service::request::{AuthenticationTemplate, Call, RequestTemplate};
use crate::service::resolver::Resolver;

/// The answer of a service that has a token of this name.
const NAME_TAKEN: u16 = 409;

/// When to try again after a connection could not be made.
const RECONNECT: Duration = Duration::from_secs(5);

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerateRequest {
    /// The whole name at the service; `None` where tokens have no names.
    pub name: Option<String>,
    /// The user's part of the name.
    pub display_name: Option<String>,
    /// How long the token is to live; checked by `Declaration::check_lifetime`.
    pub lifetime: Lifetime,
    /// What `Declaration::check_parameters` returned.
    pub parameters: Parameters,
    /// Now, which `expirationTime` is counted from.
    pub now: Time,
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
}

/// What the service says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is valid.
    Accepted,
    /// It is not.
    Refused,
}

/// All live tokens of the operator's account at the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The tokens, each id once.
    pub rows: Vec<Row>,
}

/// One listed token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
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

/// How a revoke was answered. Neither is proof: see P19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The service says that it ended the token.
    Success,
    /// The service says that there is no such token.
    Gone,
}

/// One service, ready to be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    declaration: Declaration,
    credentials: BTreeMap<String, SecretString>,
    client: Client,
    rate_limit: RateLimit,
}

impl Service {
    /// A client for `declaration`. `rate_limit` is given so that it outlives a change of credentials.
    ///
    /// # Errors
    /// When a credential is missing or the CA bundle is unreadable.
    pub fn new(
        declaration: Declaration,
        credentials: BTreeMap<String, SecretString>,
        ca_bundle: Option<Vec<u8>>,
        rate_limit: RateLimit,
    ) -> Result<Self, ConnectError> {
        let given = |name: &&str| credentials.get(*name).is_some_and(|value| !value.expose_secret().is_empty());
        if let Some(name) = declaration.used_credentials().find(|name| !given(name)) {
            return Err(ConnectError::MissingCredential { name: name.to_owned() });
        }
        let https_only = declaration.base_url.scheme() == "https";
        let resolver = Resolver::system(declaration.allow_link_local);
        let client = http::client(declaration.timeout, https_only, ca_bundle.as_deref(), resolver)?;
        Ok(Self { inner: Arc::new(Inner { declaration, credentials, client, rate_limit }) })
    }

    /// The declaration that this client performs.
    pub fn declaration(&self) -> &Declaration {
        &self.inner.declaration
    }

    /// Waits until `calls` requests may be sent. To be awaited before a claim for all the calls of an issue, and before
    /// each other call: the time in this queue must not count against a claim.
    ///
    /// # Errors
    /// At once, with the wait, if that is longer than `longest_wait`.
    pub async fn acquire(&self, calls: u32, longest_wait: Duration) -> Result<(), Duration> {
        self.inner.rate_limit.acquire(calls, longest_wait).await
    }

    /// Generates one token.
    ///
    /// # Errors
    /// See `ServiceError`; `Unknown` means that a token may live that nobody knows.
    pub async fn generate(&self, wanted: &GenerateRequest) -> Result<Generated, ServiceError> {
        let deed = Deed::Generate;
        // Whoever passed the queue before the service asked to wait is held back here.
        if let Some(after) = self.inner.rate_limit.paused() {
            return Err(deed.held_back(after));
        }
        let operation = self.declaration().generate.as_ref().ok_or_else(|| deed.not_declared())?;
        let call = self.fill(deed, &operation.request, self.authentication(), self.generate_values(wanted))?;
        let answer = self.send(deed, &call, &self.url(deed, &call)?, operation.timeout).await?;
        if operation.not_executed.contains(answer.status) {
            return Err(deed.not_executed(answer.status, pause_of(&answer)));
        }
        if answer.status == NAME_TAKEN && wanted.name.is_some() {
            return Err(deed.taken(answer.status));
        }
        if !operation.success.contains(answer.status) {
            return Err(deed.failure(answer.status));
        }
        let body = answer.json().map_err(|what| deed.unreadable(answer.status, what))?;
        let wrong = |field: &str| {
            let field = format!("response.{field}");
            move |error| deed.misdeclared(&field, &error)
        };
        let value = operation.value.scalar(&body).map_err(wrong("value"))?;
        if value.len() > MAX_TOKEN_BYTES {
            return Err(deed.unreadable(answer.status, "the value is longer than the 16 KiB that can be published"));
        }
        let id = operation.id.as_ref().map(|path| path.scalar(&body).map_err(wrong("id"))).transpose()?;
        let expiration_time = operation
            .expiration_time
            .as_ref()
            .map(|path| path.time(&body).map_err(wrong("expirationTime")))
            .transpose()?;
        Ok(Generated { value: SecretString::from(value), id, expiration_time: expiration_time.flatten() })
    }

    /// Asks whether `token` is valid; `None` asks without any token, which a service must refuse.
    ///
    /// # Errors
    /// `Retry` or `Refused` if nothing was sent, `Unknown` for every answer that is neither accepted nor refused.
    pub async fn verify(&self, token: Option<&SecretString>) -> Result<Verdict, ServiceError> {
        let deed = Deed::Verify;
        let operation = &self.declaration().verify;
        let token = token.map(ExposeSecret::expose_secret);
        let values = json!({"token": token, "variables": self.declaration().variables});
        let call = self.fill(deed, &operation.request, None, values)?;
        let answer = self.send(deed, &call, &self.url(deed, &call)?, self.declaration().timeout).await?;
        answer.body().map_err(|what| deed.unreadable(answer.status, what))?;
        let body = answer.json().ok();
        let matches = [&operation.accepted, &operation.refused].map(|part| part.matches(answer.status, body.as_ref()));
        match matches {
            [true, false] => Ok(Verdict::Accepted),
            [false, true] => Ok(Verdict::Refused),
            [true, true] | [false, false] => Err(deed.no_verdict(answer.status)),
        }
    }

    /// The complete list, or an error.
    ///
    /// # Errors
    /// `Refused`, `Retry` or `Unknown`; a list that broke off is no list.
    pub async fn list(&self) -> Result<Listing, ServiceError> {
        pages::list(self).await
    }

    /// Tells the service to end the token with this id.
    ///
    /// # Errors
    /// Everything but success and gone.
    pub async fn revoke(&self, id: &str) -> Result<Revoked, ServiceError> {
        let deed = Deed::Revoke;
        let operation = self.declaration().revoke.as_ref().ok_or_else(|| deed.not_declared())?;
        let mut values = self.values();
        values["id"] = json!(id);
        let call = self.fill(deed, &operation.request, self.authentication(), values)?;
        let answer = self.send(deed, &call, &self.url(deed, &call)?, self.declaration().timeout).await?;
        if operation.success.contains(answer.status) {
            return Ok(Revoked::Success);
        }
        if operation.gone.contains(answer.status) {
            return Ok(Revoked::Gone);
        }
        Err(deed.failure_of(&answer))
    }

    fn authentication(&self) -> Option<&AuthenticationTemplate> {
        self.declaration().authentication.as_ref()
    }

    /// What every template but that of *verify* may use.
    fn values(&self) -> Value {
        let credentials =
            self.inner.credentials.iter().map(|(name, value)| (name.clone(), json!(value.expose_secret())));
        json!({
            "credentials": Value::Object(credentials.collect()),
            "variables": self.declaration().variables,
        })
    }

    fn generate_values(&self, wanted: &GenerateRequest) -> Value {
        let mut values = self.values();
        let length = wanted.lifetime.length();
        let days =
            length.filter(|length| length.as_secs().is_multiple_of(86_400)).map(|length| length.as_secs() / 86_400);
        values["name"] = json!(wanted.name);
        values["displayName"] = json!(wanted.display_name);
        values["lifetimeSeconds"] = json!(length.map(|length| length.as_secs()));
        values["lifetimeDays"] = json!(days);
        values["expirationTime"] = json!(length.map(|length| wanted.now.plus(length).to_string()));
        values["parameters"] = self.declaration().parameter_values(&wanted.parameters);
        values
    }

    fn fill(
        &self,
        deed: Deed,
        request: &RequestTemplate,
        authentication: Option<&AuthenticationTemplate>,
        values: Value,
    ) -> Result<Call, ServiceError> {
        request.fill(authentication, &values).map_err(|error| deed.not_sent(&error.to_string()))
    }

    /// The URL of a call. **Invariant:** it is below `baseURL`, whatever the values are.
    fn url(&self, deed: Deed, call: &Call) -> Result<Url, ServiceError> {
        let base = &self.declaration().base_url;
        let path = format!("{}{}", base.path().trim_end_matches('/'), call.path);
        let mut url = base.clone();
        url.set_path(&path);
        url.set_query((!call.query.is_empty()).then_some(&call.query));
        if url.path() != path || url.origin() != base.origin() {
            return Err(deed.not_sent("path: a value would change which place is asked"));
        }
        Ok(url)
    }

    /// One exchange. An answer that asks for a pause pauses the whole service.
    async fn send(&self, deed: Deed, call: &Call, url: &Url, timeout: Duration) -> Result<Answer, ServiceError> {
        let exchange =
            Exchange { method: call.method, url, headers: &call.headers, body: call.body.as_deref(), timeout };
        let answer = match http::send(&self.inner.client, exchange).await {
            Ok(answer) => answer,
            Err(SendError::NotSent(what)) => return Err(deed.not_connected(&what, RECONNECT)),
            Err(SendError::Forbidden(what)) => return Err(deed.forbidden(&what)),
            Err(SendError::Lost(what)) => return Err(deed.lost(&what)),
        };
        if answer.status == 429 || (answer.status == 503 && answer.header("retry-after").is_some()) {
            self.inner.rate_limit.pause(pause_of(&answer));
        }
        Ok(answer)
    }
}

fn pause_of(answer: &Answer) -> Duration {
    retry_after(answer.header("retry-after"), answer.time())
}
