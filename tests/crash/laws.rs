//! What must be so at the end of every life.

use std::collections::BTreeSet;

use artifact_token_operator::rotation::identity;
use testbed::reference_service::{Row, State};

use crate::life::Life;
use crate::script::{SECRET, TOKEN};
use support::canary;

/// What an operator says of an attempt that took too long.
const SLOW: [&str; 2] = ["was given up: it could not be published in time", "a token may live unseen"];

/// How the sentence about orphans begins.
pub const ORPHANS: &str = "these live after the deletion";

/// What broke, in sentences. Without `faults`, each token that was wished for costs one.
pub async fn broken(life: &Life, wished: usize, faults: usize, kills: usize) -> Vec<String> {
    life.witness.caught_up().await;
    let made = life.made().await;
    let mut broken = nothing_left(life, &made).await;
    broken.extend(no_revoke_of_what_is_held(life));
    broken.extend(whole_secrets(life, &made));
    broken.extend(bounded(life, &made, wished + faults).await);
    if life.restarts() != kills {
        broken.push(format!("operators ended {} times, and were killed {kills} times", life.restarts()));
    }
    for operator in life.operators() {
        let page = canary::metrics(&operator.admin_address().await).await;
        let counted = page.lines().any(|line| line.starts_with("artifacttoken_panics_total") && !line.ends_with(" 0"));
        // A kill takes the count with it, the log stays.
        if counted || operator.log().await.contains("panicked") {
            broken.push("a pass panicked".to_owned());
        }
    }
    broken.extend(life.witness.unclaimed());
    broken.extend(life.leaks().await);
    broken
}

/// The object is gone, and with it every token and the Secret; and nobody else's token.
async fn nothing_left(life: &Life, made: &[Row]) -> Vec<String> {
    let mut broken = Vec::new();
    if life.stranger_is_dead().await {
        broken.push("S3: somebody else's token was revoked".to_owned());
    }
    let living: Vec<&Row> = made.iter().filter(|row| row.state == State::Live).collect();
    if !living.is_empty() {
        broken.push(format!("{ORPHANS}: {living:#?}"));
    }
    if life.world.secret(SECRET).await.is_some() {
        broken.push("the Secret outlived its object".to_owned());
    }
    if life.world.tokens().get_opt(TOKEN).await.expect("read the object").is_some() {
        broken.push("the object is still there".to_owned());
    }
    broken
}

/// S1: at no time does the Secret hold what a revoke was sent for.
fn no_revoke_of_what_is_held(life: &Life) -> Vec<String> {
    let versions = life.witness.versions();
    let mut broken = Vec::new();
    for revoke in life.witness.revokes().iter().filter(|revoke| !revoke.excused) {
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

/// S5: a value never stands beside another token's id or attempt.
fn whole_secrets(life: &Life, made: &[Row]) -> Vec<String> {
    let values = life.witness.values();
    let attempt = |id: &str| {
        let row = made.iter().find(|row| row.id == id)?;
        identity::parse("test", &row.name).map(|name| name.attempt)
    };
    let mut broken = Vec::new();
    for version in life.witness.versions() {
        let id = values.get(&version.value).cloned();
        let expected = id.as_deref().map_or(Some(0), attempt);
        if id != version.id || expected != Some(version.attempt) {
            let (at, marked, number) = (version.version, &version.id, version.attempt);
            broken.push(format!("S5: at {at} the Secret holds {id:?}, marked as {marked:?}, attempt {number}"));
        }
    }
    broken
}

/// S4: one claim, one *generate*; and no more of them than were wished for, refused, lost to a fault, or by their own words too
/// late or without an answer on a slow machine.
async fn bounded(life: &Life, made: &[Row], needed: usize) -> Vec<String> {
    let mut broken = Vec::new();
    let names: BTreeSet<&str> = made.iter().map(|row| row.name.as_str()).collect();
    if names.len() != made.len() {
        broken.push(format!("S4: two tokens have one claim: {made:#?}"));
    }
    let mut slow = 0;
    for operator in life.operators() {
        let log = operator.log().await;
        slow += SLOW.iter().map(|words| log.matches(words).count()).sum::<usize>();
    }
    let most = needed + life.witness.refused() + slow;
    if made.len() > most {
        broken.push(format!("{} tokens were generated, and at most {most} were needed", made.len()));
    }
    broken
}
