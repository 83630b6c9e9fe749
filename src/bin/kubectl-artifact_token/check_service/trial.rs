//! The life of one token at the service, a step at a time, each as far as the steps before it allow.
//!
//! **Invariant:** a revoke goes only to an id that is that of the trial's own token, as far as the service's list shows it (S3).

mod begin;
mod end;
mod listed;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use artifact_token_operator::api::operation::Operation;
use artifact_token_operator::api::token_service::HintPolicy;
use artifact_token_operator::service::client::answers::{GenerateRequest, VerifyAnswer};
use artifact_token_operator::service::client::{Places, ServiceClient};
use artifact_token_operator::service::errors::ServiceError;
use secrecy::SecretString;
use tokio::time::Instant;

use super::report::Report;
use super::witness::{Witness, hidden, sketch};

/// How long a call waits for its place in the rate limit, and how long a service that asks to wait is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How often a service is asked that may take a moment to know or to forget a token.
const PAUSE: Duration = Duration::from_millis(500);
/// A token that no service has issued.
const WRONG_TOKEN: &str = "artifact-token-operator.this-token-was-never-issued";
const NO_CONNECTION: &str = "there is no connection to the service";

/// Whether there is a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// None was asked for, or the service says that it made none.
    No,
    /// The service may have made one.
    Perhaps,
    /// The service has made one.
    Yes,
    /// It is known to be dead.
    Dead,
}

/// What is known of the trial so far.
pub(super) struct Trial {
    pub client: ServiceClient,
    witness: Arc<Witness>,
    pub report: Report,
    /// How long the service may take to know a new token, and to forget a revoked one.
    settle: Duration,
    pub hint: HintPolicy,
    /// The most tokens that may live at the service at a time.
    pub most: Option<usize>,
    pub wanted: Option<GenerateRequest>,
    /// The operator's own part of the wanted name, where tokens have names.
    own_part: Option<String>,
    /// Generate was sent, and is not to be sent again.
    asked: bool,
    /// The place of generate in the rate limit.
    places: Option<Places>,
    /// How long the service asked to wait before generate is sent again, and how long that was in all.
    pause: Duration,
    waited: Duration,
    pub value: Option<SecretString>,
    pub made: Made,
    id: Option<String>,
    /// The id that the list has in another form than the answer to generate.
    listed_id: Option<String>,
    /// The ids that the list had before the trial; `None` if it could not be read.
    before: Option<HashSet<String>>,
    /// The id is that of another token, so that no revoke may go to it.
    not_ours: bool,
    /// The service accepted the token.
    accepted: bool,
    /// The service refuses a request without a token, and one with a wrong token.
    verify_proves: bool,
    /// The list had the token.
    listed: bool,
    /// A revoke was sent, and the service answered as declared.
    revoked: bool,
    /// Whether the token is dead was looked at to the end.
    judged: bool,
    unreachable: bool,
}

impl Trial {
    /// A trial that makes the `wanted` token, or one that asks about this `value`.
    pub fn new(
        client: ServiceClient,
        witness: Arc<Witness>,
        report: Report,
        settle: Duration,
        (wanted, value): (Option<GenerateRequest>, Option<SecretString>),
    ) -> Self {
        let own_part = |wanted: &GenerateRequest| wanted.name.as_deref()?.split(' ').next().map(str::to_owned);
        Self {
            client,
            witness,
            report,
            settle,
            hint: HintPolicy::default(),
            most: None,
            own_part: wanted.as_ref().and_then(own_part),
            wanted,
            asked: false,
            places: None,
            pause: Duration::ZERO,
            waited: Duration::ZERO,
            value,
            made: Made::No,
            id: None,
            listed_id: None,
            before: None,
            not_ours: false,
            accepted: false,
            verify_proves: false,
            listed: false,
            revoked: false,
            judged: false,
            unreachable: false,
        }
    }

    /// All that comes after generate, as far as it can be tried.
    pub async fn rest(&mut self) {
        self.verify_fresh().await;
        self.verify_refuses().await;
        if !self.client.declaration().has(Operation::List) {
            self.report.not_tried("list", "the declaration has no spec.operations.list");
        } else if self.unreachable {
            self.report.not_tried("list", NO_CONNECTION);
        } else {
            self.list().await;
        }
        self.revoke_and_prove().await;
    }

    /// The service accepts the token.
    async fn verify_fresh(&mut self) {
        let Some(value) = self.value.clone() else {
            self.report.not_tried("verify", "no value of a token is known");
            return;
        };
        self.report.step("verify");
        self.draw_verify(true).await;
        // What a person hands over is no new token.
        let until = Instant::now() + if self.wanted.is_some() { self.settle } else { Duration::ZERO };
        loop {
            let answer = self.ask(Some(&value)).await;
            let again = matches!(answer, Ok(VerifyAnswer::Refused { .. })) && Instant::now() < until;
            if again {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            self.show_answers();
            match answer {
                Ok(VerifyAnswer::Accepted) => {
                    self.accepted = true;
                    self.report.good("the service accepts the token");
                }
                Ok(VerifyAnswer::Refused { .. }) if self.wanted.is_some() => self.report.bad(&format!(
                    "the service refuses the token that it has just made, also {} s later: look whether \
                     spec.operations.generate.response.value is the token, how spec.operations.verify.request sends it, and what \
                     spec.operations.verify.accepted and refused say of this answer",
                    self.settle.as_secs()
                )),
                Ok(VerifyAnswer::Refused { .. }) => self.report.bad(
                    "the service refuses the token: look whether it is a valid one, how spec.operations.verify.request sends it, and what \
                     spec.operations.verify.accepted and refused say of this answer",
                ),
                Err(error) => self.failed(&error),
            }
            return;
        }
    }

    /// The service refuses what is no token. A verify that accepts everything proves nothing.
    async fn verify_refuses(&mut self) {
        let wrong = SecretString::from(WRONG_TOKEN);
        let mut refusals = 0;
        for (name, token) in [("verify without a token", None), ("verify with a wrong token", Some(&wrong))] {
            if self.unreachable {
                self.report.not_tried(name, NO_CONNECTION);
                continue;
            }
            self.report.step(name);
            self.draw_verify(token.is_some()).await;
            let answer = self.ask(token).await;
            self.show_answers();
            match answer {
                Ok(VerifyAnswer::Refused { .. }) => {
                    refusals += 1;
                    self.report.good("the service refuses it");
                }
                Ok(VerifyAnswer::Accepted) => self.report.bad(
                    "the declared verify request is accepted all the same, so it proves nothing: declare one in \
                     spec.operations.verify.request that needs a valid token, or a condition on the body in \
                     spec.operations.verify.accepted.body",
                ),
                Err(error) => self.failed(&error),
            }
        }
        self.verify_proves = refusals == 2;
    }

    async fn draw_verify(&self, with_token: bool) {
        let token = with_token.then(hidden);
        let drawn = sketch(self.client.declaration(), Vec::new(), async |client, mut places| {
            let _ = client.verify(token.as_ref(), &mut places).await;
        });
        self.report.request(&drawn.await);
    }

    async fn ask(&mut self, token: Option<&SecretString>) -> Result<VerifyAnswer, ServiceError> {
        let client = self.client.clone();
        self.patiently(async |places| client.verify(token, places).await).await
    }

    /// Makes a call again when the service or its rate limit asks for a wait, and nothing was executed.
    async fn patiently<T>(
        &self,
        mut call: impl AsyncFnMut(&mut Places) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let mut waited = Duration::ZERO;
        loop {
            let answer = call(&mut Places::one_by_one(LONGEST_WAIT)).await;
            let wait = answer.as_ref().err().and_then(asks_to_wait).filter(|wait| waited + *wait <= LONGEST_WAIT);
            let Some(wait) = wait else { return answer };
            waited += wait;
            self.tell_wait(wait);
            tokio::time::sleep(wait).await;
        }
    }

    fn tell_wait(&self, wait: Duration) {
        self.report.line(&format!("the service asks to wait: asked again in {} s", wait.as_secs_f32().ceil()));
    }

    /// Shows what came back since the last time; of many answers to the same question, the last one.
    fn show_answers(&self) {
        let seen = self.witness.take();
        if let Some(last) = seen.last() {
            if seen.len() > 1 {
                self.report.line(&format!("{} answers; the last one:", seen.len()));
            }
            self.report.answer(last);
        }
    }

    fn failed(&mut self, error: &ServiceError) {
        // Without a connection, and where the address is forbidden, nothing can be sent at all.
        let elsewhere = |text: &str| {
            let of_verify = text.starts_with("verify: ") && self.client.declaration().verify_elsewhere().is_some();
            of_verify && self.client.declaration().proxy_url().is_none()
        };
        self.unreachable |= match error {
            ServiceError::Retry { asked, what, .. } => !asked && !elsewhere(what),
            ServiceError::Refused { status: None, message, .. } => {
                [": spec.baseURL: ", ": spec.connection.proxy.url: "].iter().any(|field| message.contains(field))
            }
            ServiceError::Refused { .. } | ServiceError::Throttled { .. } | ServiceError::Unknown { .. } => false,
        };
        self.report.bad(&error.to_string());
    }
}

/// How long to wait before the same call, where nothing was executed because of a limit.
fn asks_to_wait(error: &ServiceError) -> Option<Duration> {
    match error {
        ServiceError::Throttled { after, .. } | ServiceError::Retry { after, asked: true, .. } => {
            Some((*after).max(PAUSE))
        }
        ServiceError::Retry { .. } | ServiceError::Refused { .. } | ServiceError::Unknown { .. } => None,
    }
}
