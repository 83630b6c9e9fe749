//! The person at a service whose tokens only a person makes and revokes: does what the object says, at once, and nothing else.

use std::time::Duration;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use serde_json::json;
use testbed::poll;

use crate::scenario::{Hands, Scenario};
use crate::script::TOKEN;
use support::acts::ledger;
use support::condition;

/// The Secret with which a token is handed over.
pub const HAND_OVER: &str = "ci-hand-over";
/// The Secret that keeps the values of tokens that were replaced.
pub const COMPANION: &str = "ci-artifact-token-previous";
/// Limit for the object to go, as for a step to be settled.
const GONE_WITHIN: Duration = Duration::from_secs(120);

impl Scenario {
    /// Does what the object asks a person for, where there is one.
    pub async fn act_by_hand(&self) {
        if self.hands == Hands::Operator {
            return;
        }
        // What is missing now and asked for after that is due indeed: nobody else writes this Secret.
        let offered = self.world.secret(HAND_OVER).await.is_some();
        let Some(token) = self.world.tokens().get_opt(TOKEN).await.expect("read the object") else { return };
        match condition(&token, ConditionType::HandOverDue) {
            Some(_) if !offered => self.make_by_hand().await,
            // The object may say it still when the next token is there.
            Some(due) if refused_for_good(&due.message).is_some_and(|why| self.hears(why)) => {
                self.world.delete_secret(HAND_OVER).await;
            }
            Some(_) | None => {}
        }
        for attempt in to_revoke(&token) {
            self.revoke_by_hand(attempt).await;
        }
    }

    async fn make_by_hand(&self) {
        let name = format!("made by hand, number {}", self.recorder.values().len());
        let (id, value) = self.world.generate_as(&name).await;
        self.recorder.add(value.clone(), id);
        self.hand_over(&value).await;
    }

    /// Hands over this value.
    pub async fn hand_over(&self, value: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": HAND_OVER, "labels": {"artifact-token.dev/hand-over": TOKEN}},
            "stringData": {"token": value},
        });
        self.world.apply(&secret.to_string()).await;
    }

    /// Hands over a value that no service has issued, until the object says that it is wrong, and takes it back.
    pub async fn hand_over_a_wrong_one(&self) {
        let wrong = "ref_never-issued-0123456789";
        self.recorder.note_refused()(wrong);
        let due = |token: &ArtifactToken| condition(token, ConditionType::HandOverDue).is_some();
        self.world.until(TOKEN, "a token is due", due).await;
        self.hand_over(wrong).await;
        let told = |token: &ArtifactToken| {
            condition(token, ConditionType::HandOverDue).is_some_and(|due| due.message.contains("is not taken up"))
        };
        self.world.until(TOKEN, "it is refused", told).await;
        self.world.delete_secret(HAND_OVER).await;
    }

    /// Waits until the object is gone, and does meanwhile what it asks for.
    pub async fn until_gone_by_hand(&self) {
        let look = || async {
            self.act_by_hand().await;
            let token = self.world.tokens().get_opt(TOKEN).await.map_err(|error| error.to_string())?;
            token.map_or(Ok(()), |token| Err(format!("{:#?}", token.status)))
        };
        poll("the object is gone", GONE_WITHIN, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    }

    async fn revoke_by_hand(&self, attempt: u32) {
        let published = self.recorder.versions().into_iter().find(|version| version.attempt == attempt);
        // The recorder may be behind; the object still asks at the next look.
        let Some(value) = published.map(|version| version.value) else { return };
        let id = self.recorder.values().get(&value).cloned().expect("a token that a person made");
        if !self.world.is_dead(&id).await {
            self.recorder.revoked_by_hand(attempt).await;
            self.world.revoke_by_person(&id).await;
        }
    }
}

/// Why a token is not taken up, now or later: a new one must be made.
fn refused_for_good(message: &str) -> Option<&str> {
    let (_, why) = message.split_once("is not taken up: ")?;
    Some(why.split_once("make a new one")?.0)
}

/// The attempts whose tokens a person must revoke, as the object says it.
fn to_revoke(token: &ArtifactToken) -> Vec<u32> {
    let pending = condition(token, ConditionType::RevocationPending);
    let asked = pending.filter(|pending| pending.reason == Reason::RevokeByHand).map(|pending| pending.message.clone());
    let named = |attempt: &u32| asked.as_ref().is_some_and(|asked| asked.contains(&format!("of attempt {attempt},")));
    let ledger = ledger(token);
    let superseded = ledger.superseded.iter().map(|old| old.attempt);
    superseded.chain(ledger.current.iter().map(|current| current.attempt)).filter(named).collect()
}
