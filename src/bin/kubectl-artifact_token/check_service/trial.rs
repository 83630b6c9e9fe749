//! The life of one token at the service, a step at a time, each as far as the steps before it allow.
//!
//! **Invariant:** a revoke goes only to an id that is that of the trial's own token, as far as the service's list shows it (S3).

mod end;
mod listed;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use artifact_token_operator::api::ids::TokenId;
use artifact_token_operator::api::operation::Operation;
use artifact_token_operator::api::token_service::HintPolicy;
use artifact_token_operator::rotation::identity;
use artifact_token_operator::service::client::answers::{GenerateRequest, Generated, Listing, VerifyAnswer};
use artifact_token_operator::service::client::{Places, ServiceClient};
use artifact_token_operator::service::errors::ServiceError;
use secrecy::SecretString;
use tokio::time::Instant;

use super::IDENTITY;
use super::mask::{Mask, hint};
use super::report::Report;
use super::witness::{Seen, Witness, hidden, sketch};

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
    pub witness: Arc<Witness>,
    pub mask: Mask,
    pub report: Report,
    /// How long the service may take to know a new token, and to forget a revoked one.
    pub settle: Duration,
    pub hint: HintPolicy,
    /// The most tokens that may live at the service at a time.
    pub most: Option<usize>,
    /// The operator's own part of the token's name, where tokens have names.
    pub own_part: Option<String>,
    pub wanted: Option<GenerateRequest>,
    pub value: Option<SecretString>,
    pub made: Made,
    pub id: Option<String>,
    /// The id that the list has in another form than the answer to generate.
    pub listed_id: Option<String>,
    /// The ids that the list had before the trial; `None` if it could not be read.
    pub before: Option<HashSet<String>>,
    /// The id is that of another token, so that no revoke may go to it.
    pub not_ours: bool,
    /// The service accepted the token.
    pub accepted: bool,
    /// The service refuses a request without a token, and one with a wrong token.
    pub verify_proves: bool,
    /// The list had the token.
    pub listed: bool,
    /// A revoke was sent, and the service answered as declared.
    pub revoked: bool,
    /// Whether the token is dead was looked at to the end.
    pub judged: bool,
    pub unreachable: bool,
}

impl Trial {
    /// Reads which tokens there are before the trial: an id that was there before is not that of the trial's token.
    pub async fn look_before(&mut self) {
        if self.wanted.is_none() || !self.client.declaration().has(Operation::List) {
            return;
        }
        let listing = self.read_list().await.ok();
        self.witness.take();
        self.tell_earlier(listing.as_deref());
        self.before = listing.map(|listing| listing.rows.iter().map(|row| row.id.clone()).collect());
        let count = self.before.as_ref().map(HashSet::len);
        if let Some(count) = count {
            self.report.say(&format!("The list has {count} tokens before the trial."));
        }
        // Some services end an old token for one too many.
        if let Some(most) = self.most.filter(|most| count.is_none_or(|count| count >= *most)) {
            self.wanted = None;
            self.report.step("generate");
            let has = count.map_or_else(|| "cannot be read".to_owned(), |count| format!("has {count} tokens"));
            self.report.bad(&format!(
                "not sent: the list {has}, and spec.limits.maximumLiveTokens is {most}, so one more could end a token in use"
            ));
        }
    }

    /// Tells of tokens that earlier trials made. Their names are the operator's own, whatever the service is.
    fn tell_earlier(&self, listing: Option<&Listing>) {
        let prefix = self.client.declaration().prefix().unwrap_or_default();
        let names = listing.iter().flat_map(|listing| &listing.rows).filter_map(|row| row.name.as_deref());
        for name in names {
            if identity::parse(prefix, name).is_some_and(|name| name.uid16 == identity::uid16(IDENTITY)) {
                let own = name.split(' ').next().unwrap_or_default();
                self.report
                    .say(&format!("The token {own} is of another trial: revoke it by hand, unless that still runs."));
            }
        }
    }

    /// Generates the token. Nothing may end this before the answer is there: it says what is to be revoked.
    pub async fn generate(&mut self) {
        let Some(wanted) = self.wanted.clone() else { return };
        self.report.step("generate");
        let drawn = sketch(self.client.declaration(), Vec::new(), async |client, mut places| {
            let _ = client.generate(&wanted, &mut places).await;
        });
        self.report.request(&drawn.await);
        self.made = Made::Perhaps;
        let client = self.client.clone();
        let answer = self.patiently(async |places| client.generate(&wanted, places).await).await;
        if let Ok(Generated { value, .. }) = &answer {
            self.mask.hide(value);
        }
        self.show_answers();
        match answer {
            Ok(generated) => self.take(generated),
            Err(error) => {
                if !matches!(error, ServiceError::Unknown { .. }) {
                    self.made = Made::No;
                }
                self.failed(&error);
            }
        }
    }

    fn take(&mut self, generated: Generated) {
        self.made = Made::Yes;
        let Generated { value, id, expiration_time, doubt } = generated;
        let shown = hint(&value).filter(|_| self.hint == HintPolicy::LastFour);
        self.value = Some(value);
        self.id = id.and_then(TokenId::new).map(|id| id.to_string());
        let end = expiration_time.map_or_else(|| "never".to_owned(), |end| end.to_string());
        let shown = shown.unwrap_or_else(|| "not shown".to_owned());
        match &self.id {
            Some(id) => self.report.good(&format!("the token {shown} has the id {id} and expires: {end}")),
            None => self.report.bad(
                "the id in the answer cannot be one (1 to 512 characters without line breaks): correct \
                 spec.operations.generate.response.id",
            ),
        }
        if let Some(doubt) = doubt {
            self.report.bad(&doubt);
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
        let mut left = LONGEST_WAIT;
        loop {
            let answer = call(&mut Places::one_by_one(LONGEST_WAIT)).await;
            let wait = match &answer {
                Err(ServiceError::Throttled { after, .. } | ServiceError::Retry { after, asked: true, .. }) => *after,
                Ok(_) | Err(_) => return answer,
            };
            let Some(rest) = left.checked_sub(wait.max(PAUSE)) else { return answer };
            left = rest;
            self.report.line(&format!("the service asks to wait: asked again in {} s", wait.as_secs_f32().ceil()));
            tokio::time::sleep(wait.max(PAUSE)).await;
        }
    }

    /// Shows what came back since the last time; of many answers to the same question, the last one.
    fn show_answers(&self) -> Vec<Seen> {
        let seen = self.witness.take();
        if let Some(last) = seen.last() {
            if seen.len() > 1 {
                self.report.line(&format!("{} answers; the last one:", seen.len()));
            }
            self.report.answer(last);
        }
        seen
    }

    fn failed(&mut self, error: &ServiceError) {
        // Without a connection, and where the address is forbidden, nothing can be sent at all.
        self.unreachable |= match error {
            ServiceError::Retry { asked, .. } => !asked,
            ServiceError::Refused { status: None, message, .. } => message.contains(": spec.baseURL: "),
            ServiceError::Refused { .. } | ServiceError::Throttled { .. } | ServiceError::Unknown { .. } => false,
        };
        self.report.bad(&error.to_string());
    }
}
