//! What must hold at the end of every scenario.

use std::collections::BTreeSet;

use artifact_token_operator::rotation::identity;
use testbed::reference_service::{Row, State};

use crate::scenario::Scenario;
use crate::script::{SECRET, TOKEN};
use support::canary;

/// What an operator says about an attempt that took too long.
const SLOW: [&str; 2] = ["was given up: it could not be published in time", "a token may live unseen"];

/// How the sentence about orphans begins.
pub const ORPHANS: &str = "these live after the deletion";

/// The broken invariants, in sentences. Each of the `requested` tokens may cost one *generate*, and each of the `faults` one more.
pub async fn broken(scenario: &Scenario, requested: usize, faults: usize, kills: usize) -> Vec<String> {
    scenario.recorder.caught_up().await;
    let made = scenario.made().await;
    let mut broken = nothing_left(scenario, &made).await;
    broken.extend(no_revoke_of_what_is_held(scenario));
    broken.extend(whole_secrets(scenario, &made));
    broken.extend(bounded(scenario, &made, requested + faults).await);
    if scenario.restarts() != kills {
        broken.push(format!("operators ended {} times, and were killed {kills} times", scenario.restarts()));
    }
    for operator in scenario.operators() {
        let page = canary::metrics(&operator.admin_address().await).await;
        let counted = page.lines().any(|line| line.starts_with("artifacttoken_panics_total") && !line.ends_with(" 0"));
        // A kill loses the count, but the log stays.
        if counted || operator.log().await.contains("panicked") {
            broken.push("a pass panicked".to_owned());
        }
    }
    broken.extend(scenario.recorder.unclaimed());
    broken.extend(scenario.leaks().await);
    broken
}

/// The object, all its tokens and the Secret are gone, and the stranger's token still lives.
async fn nothing_left(scenario: &Scenario, made: &[Row]) -> Vec<String> {
    let mut broken = Vec::new();
    if scenario.stranger_is_dead().await {
        broken.push("S3: somebody else's token was revoked".to_owned());
    }
    let living: Vec<&Row> = made.iter().filter(|row| row.state == State::Live).collect();
    if !living.is_empty() {
        broken.push(format!("{ORPHANS}: {living:#?}"));
    }
    if scenario.world.secret(SECRET).await.is_some() {
        broken.push("the Secret outlived its object".to_owned());
    }
    if scenario.world.tokens().get_opt(TOKEN).await.expect("read the object").is_some() {
        broken.push("the object is still there".to_owned());
    }
    broken
}

/// S1: the Secret never holds a token for which a revoke was sent.
fn no_revoke_of_what_is_held(scenario: &Scenario) -> Vec<String> {
    let versions = scenario.recorder.versions();
    let mut broken = Vec::new();
    for revoke in scenario.recorder.revokes().iter().filter(|revoke| !revoke.excused) {
        if revoke.held.as_ref() == Some(&revoke.id) {
            broken.push(format!("S1: a revoke of {} was sent while the Secret held it", revoke.id));
        }
        let later =
            versions.iter().find(|later| later.version > revoke.version && later.id.as_ref() == Some(&revoke.id));
        if let Some(later) = later {
            let (id, sent, written) = (&revoke.id, revoke.version, later.version);
            broken.push(format!("S1: {id} stands in the Secret at version {written}, its revoke was sent at {sent}"));
        }
    }
    broken
}

/// S5: a value never stands beside the id or attempt of another token.
fn whole_secrets(scenario: &Scenario, made: &[Row]) -> Vec<String> {
    let values = scenario.recorder.values();
    let attempt = |id: &str| {
        let row = made.iter().find(|row| row.id == id)?;
        identity::parse("test", &row.name).map(|name| name.attempt)
    };
    let mut broken = Vec::new();
    for version in scenario.recorder.versions() {
        let id = values.get(&version.value).cloned();
        let expected = id.as_deref().map_or(Some(0), attempt);
        if id != version.id || expected != Some(version.attempt) {
            let (at, marked, number) = (version.version, &version.id, version.attempt);
            broken.push(format!("S5: at {at} the Secret holds {id:?}, marked as {marked:?}, attempt {number}"));
        }
    }
    broken
}

/// S4: each claim has one *generate*. There are no more of them than tokens that were requested, refused, or lost to a fault, and
/// attempts that the operator itself reports as too late or unanswered, which a slow machine causes.
async fn bounded(scenario: &Scenario, made: &[Row], needed: usize) -> Vec<String> {
    let mut broken = Vec::new();
    let names: BTreeSet<&str> = made.iter().map(|row| row.name.as_str()).collect();
    if names.len() != made.len() {
        broken.push(format!("S4: two tokens have one claim: {made:#?}"));
    }
    let mut slow = 0;
    for operator in scenario.operators() {
        let log = operator.log().await;
        slow += SLOW.iter().map(|words| log.matches(words).count()).sum::<usize>();
    }
    let allowed = needed + scenario.recorder.refused() + slow;
    if made.len() > allowed {
        broken.push(format!("{} tokens were generated, and at most {allowed} were needed", made.len()));
    }
    broken
}
