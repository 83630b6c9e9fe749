//! Tokens from the first issue to the deletion, on a real control plane with the real operator process. The tests look at the
//! tokens that live at the service, and at the Secret.
//!
//! | module | what happens |
//! |---|---|
//! | `rotation` | rotations that are requested, and changes that request none |
//! | `drift` | somebody changes the Secret or the status by hand |
//! | `leak` | a token leaked |
//! | `logs` | one line for each act, for collectors |
//! | `lost` | the service's answer to *generate* is lost |
//! | `rate_limit` | a service that may be asked only a few times a minute |
//! | `slow` | many objects at a service that is slow, or has room for a few
//! | `refused` | the service refuses a new token, a revoke fails, the list lags |
//! | `deletion` | the object, its service or its credential is deleted |
//! | `finalizer` | somebody takes a finalizer off, and what is left behind is reported |
//! | `cluster_service` | many namespaces share a service |
//! | `hand_over` | services without an API for tokens: a person makes them and hands them over |
//! | `crash` | the operator is killed |
//! | `review` | the service refuses tokens: all since the credential changed, all for a while, or one |
//! | `ids` | the service gives ids again, or shows each account only its own tokens |
//! | `identity_conflict` | the same objects in another cluster, or back from a backup |
//! | `hostile` | names at the service that imitate the operator's |
//! | `formats` | the content of the Secret |
//! | `unwatched` | the operator may neither list nor watch Secrets |
//! | `messages` | what is said of a service and its tokens |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cluster_service;
mod crash;
mod deletion;
mod drift;
mod edits;
mod finalizer;
mod formats;
mod hand_over;
mod hostile;
mod identity_conflict;
mod ids;
mod leak;
mod logs;
mod lost;
mod messages;
mod rate_limit;
mod refused;
mod review;
mod rotation;
mod slow;
mod start;
mod unwatched;

use artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT;
use support::acts::ready;
use support::{World, attempt, token_yaml};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_generated_rotated_and_revoked_on_deletion() {
    let world = World::start("life").await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!(attempt(&token), 1);
    let first = world.value("ci-secret", "token").await;

    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until("ci", "attempt 2 is current", |token| attempt(token) == 2).await;
    let second = world.value("ci-secret", "token").await;
    assert_ne!(first, second);
    world.agrees("ci", "ci-secret").await;
    assert!(!world.accepts(&first).await, "the old token is dead");

    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(world.service.live().await.unwrap().is_empty());
    assert!(world.secret("ci-secret").await.is_none());
    assert!(!world.accepts(&second).await);
}
