//! For half a minute, the answers to *generate* do not say whether a token was made.
//!
//! Seen elsewhere: each try makes one more token, 7 in that time, and 6 of them live for ever.

use std::time::{Duration, Instant};

use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use serde_json::{Value, json};

use crate::fleet::{Fleet, set_flag};
use support::figures::figure;
use support::{condition, is_ready};

/// How long the service misbehaves.
const OUTAGE: Duration = Duration::from_secs(30);
const OBJECTS: usize = 10;

/// How long the operator waits for a claim of unknown outcome. By default it waits three minutes; both of these are shorter, so that
/// a test can wait for them.
#[derive(Clone, Copy)]
enum Settle {
    /// Longer than the outage, as with the defaults.
    Outlasts,
    /// Much shorter, so that several attempts fall into the outage.
    Short,
}

impl Settle {
    /// `--token-settle` and `--settle-margin`, and the wait in seconds: the time-out of 2 s, the first flag, and twice the second.
    fn flags(self) -> (&'static str, &'static str, u64) {
        match self {
            Self::Outlasts => ("15s", "8s", 33),
            Self::Short => ("1s", "1s", 5),
        }
    }
}

struct Seen {
    /// The smallest and the largest number of tokens made for one object.
    made: (usize, usize),
    /// Calls of *generate* for all objects together.
    calls: u64,
}

/// The service has `fault` for the time of [`OUTAGE`] while the objects get their first token. In the end each object has one token,
/// and no other token lives.
async fn outage(prefix: &str, what: &str, fault: Value, settle: Settle, cause: &str) -> Seen {
    let (token_settle, margin, seconds) = settle.flags();
    let flags = |options: &mut testbed::operator::Options| {
        set_flag(options, "--token-settle", token_settle);
        set_flag(options, "--settle-margin", margin);
    };
    let (fleet, _operator) = Fleet::waiting(prefix, OBJECTS, flags).await;
    fleet.world.faults(json!([fault])).await;
    let began = Instant::now();
    fleet.create().await;
    fleet
        .until_all("all say what is wrong", |token| {
            condition(token, ConditionType::Ready).is_some_and(|ready| {
                (ready.status, ready.reason) == (ConditionStatus::False, Reason::TokenGenerationFailed)
                    && ready.message.contains(cause)
            })
        })
        .await;
    let left = OUTAGE.checked_sub(began.elapsed()).expect("the objects spoke within the outage");
    tokio::time::sleep(left).await;
    fleet.world.service.clear_faults().await.unwrap();
    let ended = Instant::now();
    fleet.until_all("all are Ready", is_ready).await;
    let recovered = ended.elapsed();
    fleet.agrees().await;
    let (least, most) = fleet.made_per_object().await;
    let (calls, made) = (fleet.generates().await, fleet.world.count().await);
    figure(&format!(
        "{what} for {} s, {OBJECTS} objects, a claim settles in {seconds} s: {least} to {most} tokens made an object by {calls} \
         calls, {} revoked, {OBJECTS} live and in their Secrets, 0 orphans; all Ready {:.1} s after its end",
        OUTAGE.as_secs(),
        made - OBJECTS,
        recovered.as_secs_f64(),
    ));
    Seen { made: (least, most), calls }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_for_half_a_minute_leave_no_token_behind() {
    let fault = json!({"operation": "generate", "kind": "LoseAnswer"});
    let seen = outage("peer-lost", "answers lost", fault, Settle::Outlasts, "may live unseen").await;
    assert_eq!(seen.made, (2, 2), "the lost token, and one more after the lost one would have shown");
    assert_eq!(seen.calls, 2 * OBJECTS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_answers_for_half_a_minute_leave_no_token_behind() {
    let body = "<html><body>Welcome to the proxy</body></html>";
    let fault = json!({"operation": "generate", "kind": "GarbageBody", "body": body});
    let seen = outage("peer-html", "201 with HTML", fault, Settle::Short, "status 201, but").await;
    // Each claim settles in 5 s, and the delay grows from half a second by doubling. So within 30 s the tries are at 0, 5.5, 11.5,
    // 18.5 and 27.5 s; one more follows after the outage.
    assert!(seen.made.0 >= 2 && seen.made.1 <= 6, "{:?}", seen.made);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_500_after_the_effect_for_half_a_minute_leaves_no_token_behind() {
    let fault = json!({"operation": "generate", "kind": "Status", "status": 500, "when": "After"});
    let seen = outage("peer-after", "500 after the effect", fault, Settle::Short, "status 500").await;
    assert!(seen.made.0 >= 2 && seen.made.1 <= 6, "{:?}", seen.made);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_500_without_effect_for_half_a_minute_makes_one_token() {
    let fault = json!({"operation": "generate", "kind": "Status", "status": 500});
    let seen = outage("peer-before", "500 without effect", fault, Settle::Short, "status 500").await;
    assert_eq!(seen.made, (1, 1));
    assert!(seen.calls <= 6 * OBJECTS as u64, "{} calls", seen.calls);
}
