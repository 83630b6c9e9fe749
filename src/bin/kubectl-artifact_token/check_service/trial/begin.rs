//! The beginning of the token: what is there before it, and generate.

use std::collections::HashSet;

use artifact_token_operator::api::ids::TokenId;
use artifact_token_operator::api::operation::Operation;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::api::token_service::HintPolicy;
use artifact_token_operator::rotation::identity;
use artifact_token_operator::service::client::answers::{Generated, Listing};
use artifact_token_operator::service::errors::ServiceError;
use artifact_token_operator::service::limits::Caller;

use super::{LONGEST_WAIT, Made, Trial, asks_to_wait};
use crate::check_service::shape::hint;
use crate::check_service::wanted::IDENTITY;
use crate::check_service::witness::sketch;

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
        let trials = identity::uid16(IDENTITY);
        for name in names {
            if identity::parse(prefix, name).is_some_and(|name| name.uid16 == trials) {
                let own = name.split(' ').next().unwrap_or_default();
                self.report
                    .say(&format!("The token {own} is of another trial: revoke it by hand, unless that still runs."));
            }
        }
    }

    /// Whether generate is to be sent, or to be sent again.
    pub fn is_to_generate(&self) -> bool {
        self.wanted.is_some() && !self.asked
    }

    /// Waits until generate may be sent: for its place in the rate limit, and for as long as the service asked.
    pub async fn wait_for_turn(&mut self) {
        let Some(wanted) = &mut self.wanted else { return };
        if self.waited.is_zero() {
            // The list before may have taken minutes.
            wanted.now = Time::from(chrono::Utc::now());
            wanted.claimed = wanted.now;
            let wanted = wanted.clone();
            self.report.step("generate");
            let drawn = sketch(self.client.declaration(), Vec::new(), async |client, mut places| {
                let _ = client.generate(&wanted, &mut places).await;
            });
            self.report.request(&drawn.await);
        }
        tokio::time::sleep(self.pause).await;
        let name = "check-service".to_owned();
        let caller = Caller { id: name.clone(), shown: name, namespace: String::new(), class: 1 };
        match self.client.take_places(&caller, 1, LONGEST_WAIT).await {
            Ok(places) => self.places = Some(places),
            Err(wait) => {
                self.asked = true;
                self.report.bad(&format!("not sent: the rate limit asks to wait {} s", wait.as_secs()));
            }
        }
    }

    /// Sends generate once. Nothing may end this before the answer is there: it says what is to be revoked.
    pub async fn generate(&mut self) {
        let (Some(wanted), Some(mut places)) = (self.wanted.clone(), self.places.take()) else { return };
        (self.made, self.asked) = (Made::Perhaps, true);
        let answer = self.client.generate(&wanted, &mut places).await;
        if let Ok(Generated { value, .. }) = &answer {
            self.report.mask().hide(value);
        }
        self.show_answers();
        match answer {
            Ok(generated) => self.take(generated),
            Err(error) => {
                if !matches!(error, ServiceError::Unknown { .. }) {
                    self.made = Made::No;
                }
                let wait = asks_to_wait(&error).filter(|wait| self.waited + *wait <= LONGEST_WAIT);
                let Some(wait) = wait else { return self.failed(&error) };
                (self.asked, self.pause) = (false, wait);
                self.waited += wait;
                self.tell_wait(wait);
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
}
