//! Faults that the fault matrix found, one test each.

use artifact_token_operator::api::artifact_token::{ArtifactToken, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use serde_json::json;
use testbed::fault_proxy::{Fault, Kind, Side};

use crate::scenario::{Hands, Scenario};
use crate::script::{SECRET, TOKEN};
use support::acts::ledger;
use support::objects::artifact_token;
use support::token_yaml;

/// The operator is killed between the publish and the record of its outcome, so the next process lists the tokens to learn whose
/// the published one is. In the same pass it revokes the replaced token, whose overlap is zero.
pub async fn revoked_in_the_pass_that_listed() {
    let scenario = Scenario::start(Hands::Operator).await;
    scenario.begin().await;
    scenario.world.apply(&artifact_token(TOKEN, |spec| spec["rotation"]["overlap"] = json!("0s"))).await;
    scenario.world.until_ready(TOKEN).await;
    let first = scenario.world.current_id(TOKEN).await;
    let mut published = false;
    scenario.proxy.once(1, Fault::KillBefore, move |request| {
        let call = &request.call;
        published |= call.kind == Kind::Write && call.route().ends_with(SECRET) && !call.path.contains("dryRun");
        published && call.route().ends_with("/status")
    });
    scenario.world.annotate(TOKEN, ROTATE_REQUESTED_AT, "1").await;
    let look = |token: &ArtifactToken| {
        let ledger = ledger(token);
        ledger.superseded.is_empty() && ledger.history.iter().any(|dead| dead.id.as_str() == first)
    };
    scenario.world.until(TOKEN, "the replaced token is dead", look).await;
    // Once a later pass has answered, everything that this pass did is done.
    scenario.world.annotate(TOKEN, RECONCILE_REQUESTED_AT, "1").await;
    let answered = |token: &ArtifactToken| ledger(token).handled_requests.reconcile.is_some();
    scenario.world.until(TOKEN, "a later pass ended", answered).await;
    let revokes = scenario.recorder.revokes();
    let of_first = revokes.iter().filter(|revoke| revoke.id == first).count();
    assert_eq!(of_first, 1, "{revokes:#?}\n{}", scenario.first.log_tail().await);
    let history = ledger(&scenario.world.token(TOKEN).await).history;
    assert_eq!(history.iter().filter(|dead| dead.id.as_str() == first).count(), 1, "{history:#?}");
}

/// The service answers 409 to the second arrival, because the first one already has the name.
pub async fn generated_twice() {
    let scenario = Scenario::start(Hands::Operator).await;
    scenario.begin().await;
    scenario
        .proxy
        .once(1, Fault::Duplicate, |request| request.call.side == Side::Service && request.call.method == "POST");
    scenario.world.apply(&token_yaml(TOKEN)).await;
    scenario.world.until_ready(TOKEN).await;
    scenario.world.agrees(TOKEN, SECRET).await;
    let made = scenario.world.made().await;
    assert_eq!(made.len(), 2, "{made:#?}");
}
