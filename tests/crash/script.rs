//! The steps of a scenario. Each begins with a request, and is settled when the service, the Secret and the ledger agree.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::ledger::Current;
use serde_json::json;
use testbed::fault_proxy::{Fault, Kind, Planned, Request, Side};
use testbed::poll;

use crate::person::{COMPANION, HAND_OVER};
use crate::scenario::{Hands, Scenario};
use support::acts::ledger;
use support::{is_ready, token_yaml};

pub const TOKEN: &str = "ci";
pub const SECRET: &str = "ci-secret";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The first token.
    Issue,
    /// A replacement.
    Rotate,
    /// A replacement; the service refuses its first attempts before they are published.
    RefusedBefore,
    /// A replacement; the service refuses its first attempts after they are published, so they are rolled back.
    RefusedAfter,
    /// A token leaked: it is revoked first and replaced after that.
    Leak,
    /// The object is deleted.
    Delete,
}

/// The steps of a whole scenario.
pub const SCRIPT: [Step; 6] =
    [Step::Issue, Step::Rotate, Step::RefusedBefore, Step::RefusedAfter, Step::Leak, Step::Delete];

/// Limit for a step to be settled: many scenarios share the machine, and it may be slow.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// Pause between two looks at whether a step is settled, on top of the pause of `poll`.
const PAUSE: Duration = Duration::from_millis(75);

impl Scenario {
    /// Performs one step, and waits until it is settled.
    pub async fn perform(&self, step: Step) {
        match step {
            Step::Issue => {
                self.begin().await;
                self.world.apply(&token_yaml(TOKEN)).await;
                self.settled(None, 0).await;
            }
            Step::Rotate => {
                self.request_rotation("rotate").await;
                self.settled(Some("rotate"), 0).await;
            }
            Step::RefusedBefore if self.hands == Hands::Person => {
                self.request_rotation("refused-before").await;
                self.hand_over_a_wrong_one().await;
                self.settled(Some("refused-before"), 0).await;
            }
            Step::RefusedBefore => {
                let known = self.world.value(SECRET, "token").await;
                let note = self.recorder.note_refused();
                let rule = self.refuse(move |request| fresh(request, &known).inspect(|value| note(value)).is_some());
                self.refused("refused-before", rule).await;
            }
            Step::RefusedAfter => {
                let known = self.world.value(SECRET, "token").await;
                let (note, writes) = (self.recorder.note_refused(), Arc::new(Mutex::new(Vec::new())));
                let rule =
                    self.refuse(move |request| published(request, &known, &writes).inspect(|v| note(v)).is_some());
                self.refused("refused-after", rule).await;
            }
            Step::Leak => {
                self.excuse();
                self.leaked().await;
                self.count_again();
            }
            Step::Delete => {
                self.excuse();
                self.world.delete(TOKEN).await;
                match self.hands {
                    Hands::Operator => self.world.until_gone(TOKEN).await,
                    Hands::Person => self.until_gone_by_hand().await,
                }
            }
        }
        self.awake().await;
    }

    /// The service answers 401 to each *verify* for which `wanted` is true.
    fn refuse(&self, wanted: impl FnMut(&Request) -> bool + Send + 'static) -> Planned {
        self.proxy.always(Fault::Answer { status: 401, body: "{}".to_owned() }, wanted)
    }

    /// Requests a rotation, ends the refusals once an attempt has failed because of them, and waits until the request is fulfilled.
    /// A fault may have hit the verification that was to be refused; then that attempt fulfils the request.
    async fn refused(&self, request: &str, rule: Planned) {
        self.request_rotation(request).await;
        let fulfilled = |token: &ArtifactToken| ledger(token).handled_requests.rotate.as_deref() == Some(request);
        let failed = |token: &ArtifactToken| ledger(token).failures.is_some() || fulfilled(token);
        let look = || async {
            self.act_by_hand().await;
            let token = self.world.token(TOKEN).await;
            if failed(&token) { Ok(()) } else { Err(format!("{:#?}", token.status)) }
        };
        poll("an attempt failed", SETTLED_WITHIN, look).await.unwrap_or_else(|error| panic!("{error:#}"));
        rule.withdraw();
        self.settled(Some(request), 0).await;
    }

    /// Declares every token up to now as leaked, and waits for its replacement.
    async fn leaked(&self) {
        let before = ledger(&self.world.token(TOKEN).await);
        let leaked = before.current.expect("a token").attempt;
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        self.world.patch(TOKEN, json!({"spec": {"rotation": {"revokeIssuedBefore": now}}})).await;
        self.settled(before.handled_requests.rotate.as_deref(), leaked).await;
    }

    async fn request_rotation(&self, request: &str) {
        self.world.annotate(TOKEN, ROTATE_REQUESTED_AT, request).await;
    }

    /// Waits until the request is fulfilled by a later attempt than this one, one token lives at the service, the ledger and the Secret have
    /// it, and nothing is left to do. A person does meanwhile what the object asks for.
    async fn settled(&self, request: Option<&str>, later_than: u32) {
        let tokens = self.world.tokens();
        let look = || async {
            // Many scenarios look at the same time.
            tokio::time::sleep(PAUSE).await;
            self.act_by_hand().await;
            let token = tokens.get(TOKEN).await.map_err(|error| error.to_string())?;
            let ledger = ledger(&token);
            let decided = ledger.claim.as_ref().is_none_or(|claim| claim.outcome.is_some());
            let fulfilled = ledger.handled_requests.rotate.as_deref() == request;
            // One of two operators may revoke a token that the other one already recorded as dead. A single operator knows.
            let dead: BTreeSet<&str> = ledger.history.iter().map(|dead| dead.id.as_str()).collect();
            let once = self.second.initialized() || dead.len() == ledger.history.len();
            assert!(once, "a token died twice: {:#?}", ledger.history);
            let current = ledger.current.as_ref().filter(|_| decided && fulfilled && is_ready(&token));
            let current = current.filter(|current| ledger.superseded.is_empty() && current.attempt > later_than);
            let Some(current) = current else { return Err(format!("{:#?}", token.status)) };
            match self.hands {
                Hands::Operator => self.agree(current.id.as_str()).await,
                Hands::Person => self.agree_by_hand(current).await,
            }
        };
        poll(&format!("{request:?} is settled"), SETTLED_WITHIN, look)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"));
    }

    async fn agree(&self, id: &str) -> Result<(), String> {
        let mut live = self.world.service.live().await.map_err(|error| error.to_string())?;
        live.retain(|row| !self.is_strangers(row));
        if live.len() != 1 || live[0].id != id {
            return Err(format!("the ledger has {id}, and these live: {live:#?}"));
        }
        let value = self.world.value(SECRET, "token").await;
        if self.recorder.values().get(&value).map(String::as_str) != Some(id) {
            return Err(format!("the ledger has {id}, and the Secret another token"));
        }
        Ok(())
    }

    /// The Secret holds the only living token of those that a person made, and the two Secrets beside it are gone.
    async fn agree_by_hand(&self, current: &Current) -> Result<(), String> {
        let value = self.world.value(SECRET, "token").await;
        self.agree(self.recorder.values().get(&value).ok_or("the Secret has no token that a person made")?).await?;
        let mark = format!("hand-over-{}", current.attempt);
        if current.id.as_str() != mark {
            return Err(format!("attempt {} is {}", current.attempt, current.id));
        }
        for name in [HAND_OVER, COMPANION] {
            if self.world.secret(name).await.is_some() {
                return Err(format!("{name} is still there"));
            }
        }
        Ok(())
    }

    /// Waits until no operator of this scenario sleeps any more.
    async fn awake(&self) {
        let look = || std::future::ready(if self.is_asleep() { Err("one is asleep".to_owned()) } else { Ok(()) });
        poll("all are awake", Duration::from_secs(60), look).await.unwrap_or_else(|error| panic!("{error:#}"));
    }
}

/// The value that this request verifies, if it is not the one from before this step.
fn fresh(request: &Request, known: &str) -> Option<String> {
    let verifies = request.call.side == Side::Service && request.call.route() == "/v1/whoami";
    request.bearer.clone().filter(|value| verifies && value != known && value.starts_with("ref_"))
}

/// The same, if a write of the Secret had that value before.
fn published(request: &Request, known: &str, writes: &Mutex<Vec<String>>) -> Option<String> {
    let mut writes = writes.lock().unwrap();
    let call = &request.call;
    if call.kind == Kind::Write && call.resource() == "secrets" && !call.path.contains("dryRun") {
        writes.push(String::from_utf8_lossy(&request.body).into_owned());
    }
    let value = fresh(request, known)?;
    let encoded = data_encoding::BASE64.encode(value.as_bytes());
    writes.iter().any(|body| body.contains(&encoded)).then_some(value)
}
