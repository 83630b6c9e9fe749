//! Wrong input leads to the right condition, with a message that says what to do, before any token is made.
//!
//! | module | what is wrong |
//! |---|---|
//! | `spec` | the spec of an `ArtifactToken` |
//! | `service` | the spec of a `TokenService`, or the service behind it |
//! | `answer` | a declaration that does not fit the service's answers |
//! | `place` | the Secret or the namespace that the token should go to |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod answer;
mod place;
mod service;
mod spec;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use support::{World, condition};

/// The object needs a person: Ready is False and Stalled is True, both with this reason and these words, and an event warns.
async fn stalls(world: &World, name: &str, reason: Reason, words: &[&str]) {
    let ready = world.until_reason(name, ConditionType::Ready, reason).await;
    assert_eq!(ready.status, ConditionStatus::False);
    let stalled = world.until_reason(name, ConditionType::Stalled, reason).await;
    says(&stalled.message, words);
    let token = world.token(name).await;
    assert_eq!(condition(&token, ConditionType::Reconciling), None, "{:#?}", token.status);
    let (type_, note) = world.until_event(name, &reason.to_string()).await;
    assert_eq!(type_, "Warning");
    says(&note, words);
}

/// The object waits, and needs nobody: Ready is False and Reconciling is True, and Stalled is absent.
async fn waits(world: &World, name: &str, reason: Reason, words: &[&str]) {
    let waiting = |token: &ArtifactToken| {
        let said = |found: &Condition| found.reason == reason && words.iter().all(|word| found.message.contains(word));
        [ConditionType::Ready, ConditionType::Reconciling]
            .iter()
            .all(|type_| condition(token, *type_).is_some_and(said))
    };
    let token = world.until(name, &format!("{name} waits with {reason} and {words:?}"), waiting).await;
    assert_eq!(condition(&token, ConditionType::Ready).unwrap().status, ConditionStatus::False);
    assert_eq!(condition(&token, ConditionType::Stalled), None);
}

fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}
