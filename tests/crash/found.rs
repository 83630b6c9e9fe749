//! Faults that the sweep found, each alone.

use artifact_token_operator::api::artifact_token::{ArtifactToken, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use serde_json::json;
use testbed::fault_proxy::{Fault, Kind, Side};

use crate::life::Life;
use crate::script::{SECRET, TOKEN};
use support::acts::ledger;
use support::objects::artifact_token;
use support::token_yaml;

/// The operator is killed between the publish and the record of its outcome, so its successor lists the tokens to know whose it
/// is. Then, in the same pass, the replaced token is revoked: its overlap is nothing.
pub async fn revoked_in_the_pass_that_listed() {
    let life = Life::start().await;
    life.begin().await;
    life.world.apply(&artifact_token(TOKEN, |spec| spec["rotation"]["overlap"] = json!("0s"))).await;
    life.world.until_ready(TOKEN).await;
    let first = life.world.current_id(TOKEN).await;
    let mut published = false;
    life.proxy.once(1, Fault::KillBefore, move |request| {
        let call = &request.call;
        published |= call.kind == Kind::Write && call.route().ends_with(SECRET) && !call.path.contains("dryRun");
        published && call.route().ends_with("/status")
    });
    life.world.annotate(TOKEN, ROTATE_REQUESTED_AT, "1").await;
    let look = |token: &ArtifactToken| {
        let ledger = ledger(token);
        ledger.superseded.is_empty() && ledger.history.iter().any(|dead| dead.id == first)
    };
    life.world.until(TOKEN, "the replaced token is dead", look).await;
    // What the same pass did after that is done once a later one has answered.
    life.world.annotate(TOKEN, RECONCILE_REQUESTED_AT, "1").await;
    let answered = |token: &ArtifactToken| ledger(token).handled_requests.reconcile.is_some();
    life.world.until(TOKEN, "a later pass ended", answered).await;
    let revokes = life.witness.revokes();
    let of_first = revokes.iter().filter(|revoke| revoke.id == first).count();
    assert_eq!(of_first, 1, "{revokes:#?}\n{}", life.first.log_tail().await);
    let history = ledger(&life.world.token(TOKEN).await).history;
    assert_eq!(history.iter().filter(|dead| dead.id == first).count(), 1, "{history:#?}");
}

/// The service answers the second arrival with 409, since the first one has the name.
pub async fn generated_twice() {
    let life = Life::start().await;
    life.begin().await;
    life.proxy.once(1, Fault::Duplicate, |request| request.call.side == Side::Service && request.call.method == "POST");
    life.world.apply(&token_yaml(TOKEN)).await;
    life.world.until_ready(TOKEN).await;
    life.world.agrees(TOKEN, SECRET).await;
    let made = life.world.made().await;
    assert_eq!(made.len(), 2, "{made:#?}");
}
