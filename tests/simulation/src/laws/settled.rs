//! How soon all is in order again once nothing is wrong any more (L1, L5), and how soon a deletion ends (L4).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::life::Life;
use crate::objects::name_of;
use crate::world::since_epoch;

/// All is in order so soon, where nobody asked for a wait.
const IN_ORDER: Duration = Duration::from_secs(300);

/// A deletion ends so soon: three calls for each token, and a minute between two refusals where no list speaks.
const DELETED: Duration = Duration::from_secs(600);

/// A person looks now and then; that a token is dead of which no other one of its object lives takes ten minutes of refusals, and the
/// question before it may have been some minutes ago.
const BY_HAND: Duration = Duration::from_secs(60 + 600 + 600);

/// The calls for one object on the way there: a token that is made, tried, verified; another one that is asked about, ended, proved.
const CALLS: u32 = 6;

/// What a claim of unknown outcome waits for (`claimSettle`), and a sweep.
const SETTLES: Duration = Duration::from_secs(180);

/// Clocks that disagreed do so for an hour more (P7), from the next answer of the API server on: a list comes each half hour.
const DISAGREE: Duration = Duration::from_secs(3600 + 1800 + 60);

/// A token that is refused is asked about again after five minutes at most (P20): once until the service is seen to accept others again, and
/// once more until its death is certain.
const ASKED_AGAIN: Duration = Duration::from_secs(2 * 301);

/// What is not yet as it will be, and until when it may be so.
#[derive(Debug)]
pub struct Unsettled {
    law: &'static str,
    since: Duration,
    soon: Duration,
    until: BTreeMap<usize, Duration>,
}

impl Unsettled {
    /// Everything works again now: each object is in order soon.
    pub fn mended(life: &Life) -> Self {
        Self::new(life, "L1", IN_ORDER, life.expected().filter(|index| life.is_its_own(*index)))
    }

    /// These objects were deleted now: each is gone soon.
    pub fn deleted(life: &Life, which: &[usize]) -> Self {
        Self::new(life, "L4", DELETED, which.iter().copied())
    }

    fn new(life: &Life, law: &'static str, soon: Duration, which: impl Iterator<Item = usize>) -> Self {
        let since = life.around.world.elapsed();
        let layout = life.plan.layout;
        // Beside that, the calls for all objects take their turns at the service that allows the fewest.
        let allowed = layout.sites().iter().map(|site| life.allowed_in_a_minute(*site)).min().unwrap_or(1);
        let calls = u32::try_from(life.plan.tokens).unwrap_or(u32::MAX) * CALLS;
        let by_hand = if life.plan.service.by_hand { BY_HAND } else { Duration::ZERO };
        let soon = soon + by_hand + Duration::from_secs(60) * (calls / allowed);
        Self { law, since, soon, until: which.map(|index| (index, since + soon)).collect() }
    }

    /// Looks again.
    pub fn look(&mut self, life: &Life) {
        let (law, now, soon) = (self.law, life.around.world.elapsed(), self.soon);
        let done = |index: usize| match law {
            "L1" => life.out_of_order(index).is_none() || life.asks_a_person(index),
            _ => life.around.api_server.token(index).is_none(),
        };
        self.until.retain(|index, until| {
            if done(*index) {
                return false;
            }
            let unconfirmed = is_unconfirmed(life, *index).then_some(self.since + ASKED_AGAIN);
            let asked = waits(life, *index).into_iter().chain(unconfirmed).max().unwrap_or_default();
            *until = (*until).max(asked + soon);
            let late = *until < now;
            if late {
                let why = life.out_of_order(*index).unwrap_or_default();
                let how =
                    format!("{} is not in order {:?} after {:?}: {why}", name_of(*index), now - self.since, self.since);
                life.around.world.broke(law, how);
            }
            !late
        });
    }
}

/// Until when the object waits for something that the service asked for, or that its ledger says.
fn waits(life: &Life, index: usize) -> Vec<Duration> {
    let Some(object) = life.around.api_server.token(index) else { return Vec::new() };
    let status = &object["status"];
    let time = |value: &Value| since_epoch(value.as_str()?);
    let times = [&status["failures"]["nextTryTime"], &status["refusals"]["nextReplacementTime"]];
    let mut all: Vec<Duration> = times.into_iter().filter_map(time).collect();
    let owed = status["superseded"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.extend(owed.iter().flat_map(|old| [time(&old["nextTryTime"]), time(&old["revokeAfterTime"])]).flatten());
    let open = Some(&status["claim"]).filter(|claim| claim["outcome"].is_null());
    all.extend(open.and_then(|claim| time(&claim["time"])).map(|claimed| claimed + SETTLES));
    all.extend(life.around.world.excuses().jumps.last().map(|jump| *jump + DISAGREE + SETTLES));
    all.extend(conditions_of(&object).filter_map(corrected_again));
    // A token that ended before it could be replaced, because the service says odd ends, is replaced once an hour.
    let expired = conditions_of(&object).any(|condition| condition["reason"] == "TokenExpired");
    all.extend(time(&status["nextRotationTime"]).filter(|_| expired));
    let host = life.plan.layout.site(index).host;
    let pauses = life.around.services.at(host, |books| books.pauses.values().map(|(_, until)| *until).max());
    all.extend(pauses.flatten());
    all
}

/// Whether nothing says yet that its refused token is dead.
fn is_unconfirmed(life: &Life, index: usize) -> bool {
    let object = life.around.api_server.token(index).unwrap_or_default();
    conditions_of(&object).any(|condition| condition["reason"] == "RefusalUnconfirmed")
}

/// When a Secret that somebody else keeps changing is corrected again (P24).
fn corrected_again(condition: &Value) -> Option<Duration> {
    let message = condition["message"].as_str().filter(|_| condition["reason"] == "SecretContested")?;
    since_epoch(message.split("corrected again at ").nth(1)?.split(' ').next()?)
}

fn conditions_of(object: &Value) -> impl Iterator<Item = &Value> {
    object["status"]["conditions"].as_array().into_iter().flatten()
}
