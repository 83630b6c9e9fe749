//! What must hold at the end of every scenario.

use std::collections::{BTreeMap, BTreeSet};

use artifact_token_operator::rotation::identity;
use testbed::reference_service::{Row, State};

use crate::person::{COMPANION, HAND_OVER};
use crate::recorder::Version;
use crate::scenario::{Hands, Scenario};
use crate::script::{SECRET, TOKEN};
use support::canary;

/// What an operator says about an attempt that took too long.
const SLOW: [&str; 2] = ["was given up: it could not be published in time", "a token may live unseen"];

/// How the sentence about orphans begins.
pub const ORPHANS: &str = "these live after the deletion";

/// The broken invariants, in sentences. Each of the `requested` tokens may cost one *generate*, and each of the `faults` one more.
pub async fn broken(scenario: &Scenario, requested: usize, faults: usize, kills: usize) -> Vec<String> {
    scenario.recorder.caught_up().await;
    let mut made = scenario.made().await;
    // What a person made and the operator never took up is the person's.
    if scenario.hands == Hands::Person {
        let taken_up = taken_up(scenario);
        made.retain(|row| taken_up.contains_key(&row.id));
    }
    let mut broken = nothing_left(scenario, &made).await;
    broken.extend(no_revoke_of_what_is_held(scenario));
    broken.extend(match scenario.hands {
        Hands::Operator => whole_secrets(scenario, &made),
        Hands::Person => {
            [whole_secrets_by_hand(scenario), no_value_lost(scenario), nothing_ignored(scenario).await].concat()
        }
    });
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

/// The tokens that the Secret held, by their ids at the service.
fn taken_up(scenario: &Scenario) -> BTreeMap<String, BTreeSet<u32>> {
    let values = scenario.recorder.values();
    let mut taken_up: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for version in scenario.recorder.versions() {
        if let Some(id) = values.get(&version.value) {
            taken_up.entry(id.clone()).or_default().insert(version.attempt);
        }
    }
    taken_up
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
    for name in [SECRET, COMPANION] {
        if scenario.world.secret(name).await.is_some() {
            broken.push(format!("{name} outlived its object"));
        }
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

/// S5 where a person makes the tokens: the Secret has none that nobody made, and each token stands there with one attempt and its mark.
fn whole_secrets_by_hand(scenario: &Scenario) -> Vec<String> {
    let values = scenario.recorder.values();
    let wrong = |version: &Version| {
        let mark = values.get(&version.value).map(|_| format!("hand-over-{}", version.attempt));
        let empty = version.value.is_empty() && version.attempt == 0;
        mark != version.id || mark.is_none() && !empty
    };
    let versions = scenario.recorder.versions();
    let tell = |version: &Version| {
        let Version { version, id, attempt, value, .. } = version;
        format!("S5: at {version} the Secret holds {:?}, marked as {id:?}, attempt {attempt}", values.get(value))
    };
    let twice = taken_up(scenario).into_iter().filter(|(_, attempts)| attempts.len() > 1);
    let twice = twice.map(|(id, attempts)| format!("S5: {id} stood in the Secret as attempts {attempts:?}"));
    versions.iter().filter(|version| wrong(version)).map(tell).chain(twice).collect()
}

/// From when the Secret has a token that a person made until the person revokes it, some Secret has its value: without it nobody could see
/// that it is dead.
fn no_value_lost(scenario: &Scenario) -> Vec<String> {
    let (versions, revokes) = (scenario.recorder.versions(), scenario.recorder.revokes());
    let mut broken = Vec::new();
    for (value, id) in scenario.recorder.values() {
        let Some(first) = versions.iter().find(|version| version.value == value) else { continue };
        let mark = format!("hand-over-{}", first.attempt);
        let revoked = revokes.iter().find(|revoke| revoke.id == mark).map_or(u64::MAX, |revoke| revoke.version);
        let between = |version: &&Version| (first.version..=revoked).contains(&version.version);
        let lost = versions.iter().filter(between).find(|version| !version.kept.contains(&value));
        broken.extend(lost.map(|version| format!("no Secret has the value of {id} at {}", version.version)));
    }
    broken
}

/// Each token that a person made came into the Secret, or still waits for that.
async fn nothing_ignored(scenario: &Scenario) -> Vec<String> {
    let versions = scenario.recorder.versions();
    let waits = match scenario.world.secret(HAND_OVER).await {
        Some(_) => scenario.world.value(HAND_OVER, "token").await,
        None => String::new(),
    };
    let values = scenario.recorder.values().into_iter();
    let ignored =
        values.filter(|(value, _)| *value != waits && !versions.iter().any(|version| version.value == *value));
    ignored.map(|(_, id)| format!("{id} was made by hand, and never taken up")).collect()
}

/// S4: each claim has one *generate*. There are no more of them than tokens that were requested, refused, or lost to a fault, and
/// attempts that the operator itself reports as too late or unanswered, which a slow machine causes.
async fn bounded(scenario: &Scenario, made: &[Row], needed: usize) -> Vec<String> {
    let mut broken = Vec::new();
    let names: BTreeSet<&str> = made.iter().map(|row| row.name.as_str()).collect();
    if scenario.hands == Hands::Operator && names.len() != made.len() {
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
