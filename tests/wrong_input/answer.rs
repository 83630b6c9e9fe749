//! Declarations that do not fit the service's answers.

use std::time::Duration;

use artifact_token_operator::api::reason::Reason;
use serde_json::json;

use crate::says;
use crate::service::{Case, check};
use support::World;
use support::objects::{quick_generate, reference_operations};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_could_be_taken_for_another_one_is_reported_before_a_token_is_made() {
    let cases: [Case; 3] = [
        (
            "id",
            |spec| {
                let mut generate = quick_generate();
                generate["response"]["id"] = json!("$['token']");
                spec["operations"] = json!({"generate": generate});
            },
            Reason::InvalidSpec,
            &["spec.operations.generate.response.id", "name another field"],
        ),
        (
            "verdict",
            |spec| {
                let mut verify = reference_operations()["verify"].clone();
                verify["refused"] = json!({"statuses": [401], "or": [{"statuses": [200, 403]}]});
                spec["operations"] = json!({"verify": verify});
            },
            Reason::InvalidSpec,
            &["spec.operations.verify.refused.or[0]", "status 200"],
        ),
        (
            "expiry",
            |spec| spec["operations"] = json!({"lifetime": {"expiry": "Requested"}}),
            Reason::InvalidSpec,
            &["spec.operations.generate.response.expirationTime", "AnsweredSeconds"],
        ),
    ];
    check("answers", &cases).await;
}

/// The token is good, so it is used. Its end is known from what was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_promised_and_does_not_come_is_told_and_the_lifetime_counts_from_the_claim() {
    for (prefix, path, words) in [("unended", "$.end", "no time at $.end"), ("endless", "$.id", "a text at $.id")] {
        let world = World::quick(prefix).await;
        let mut generate = quick_generate();
        generate["response"]["expirationTime"] = json!(path);
        world.serve(|spec| spec["operations"]["generate"] = generate).await;
        let _operator = world.operator().await;
        world.create("ci", |spec| spec["lifetime"] = json!("24h")).await;
        let token = world.until_ready("ci").await;
        world.agrees("ci", "ci-secret").await;
        let current = token.status.unwrap().ledger.current.unwrap();
        let expected = current.claimed_time.plus(Duration::from_secs(86_400));
        assert_eq!(current.expiration_time, Some(expected));
        let (type_, note) = world.until_event("ci", "ExpiryNotAnswered").await;
        assert_eq!(type_, "Warning");
        says(&note, &["attempt 1", words, "spec.operations.generate.response.expirationTime"]);
        assert_eq!(world.made().await.len(), 1, "no token was thrown away");
    }
}
