//! Whether the operations of a service work, as far as its answers to the calls of passes and sweeps tell. Pure: time is a parameter.
//!
//! Nobody calls a service only to see that it is well. An operation whose calls fail for `PATIENCE` is a suspicion: the service is
//! asked once, by its usual check. Is it down, then that check finds it not ready, and no token is asked for. Else the failure is a
//! trouble of the service object that is told and holds nothing up: a list that fails is no ground to keep a token from being replaced.
//! One lost answer is neither, and what worked again is over at once. What fails for one token may be that token's fault: it counts once
//! it fails for another one, too, and worked for none meanwhile.
//!
//! Two processes may hear different things. So each takes over the trouble that the status already tells, unless it saw the operation
//! work since; and each forgets failures from before a status that says all is well.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::operation::{Operation, Outcome};
use crate::api::reason::Reason;
use crate::api::time::Time;

use super::desired::Halt;
use super::ledger::backoff;

/// Failures within this time may be one hiccup.
const PATIENCE: Duration = Duration::from_secs(15);
/// So many failures in a row are more than one lost answer.
const FAILURES: u32 = 2;
/// The first pause after a suspicion led to a question; it doubles up to `FORGET`.
const FIRST_QUIET: Duration = Duration::from_secs(60);
/// A trouble that nothing has shown for so long is forgotten. What is tried at all is tried at least once an hour.
const FORGET: Duration = Duration::from_secs(75 * 60);
/// How soon a service that is not ready is asked again.
const NOT_READY_LOOK: Duration = Duration::from_secs(15);
/// The longest pause between two questions to a service whose answer a person must change: at the service, perhaps.
const REFUSED_LOOK: Duration = Duration::from_secs(120);
/// The longest description of a failure, in characters: a condition has 1,024.
const MAX_WHAT: usize = 800;
/// Stands between what went wrong and what ends it, in the message of a trouble.
const UNTIL: &str = ". The service object is Ready again once ";

/// An operation whose last calls failed.
#[derive(Clone, Debug)]
struct Failing {
    /// When the first of these calls began.
    since: Time,
    /// When the last of them ended.
    last: Time,
    count: u32,
    /// Whether a call of another kind worked meanwhile, or an answer came: the service is there.
    reached: bool,
    what: String,
    /// Only one caller saw it fail, in a way that may be its own fault.
    only: Option<String>,
}

/// What is known of one service.
#[derive(Debug, Default)]
pub struct Health {
    failing: BTreeMap<Operation, Failing>,
    /// When each operation last worked.
    worked: BTreeMap<Operation, Time>,
    /// When a suspicion last led to a question, and how many have in a row.
    asked: Option<(Time, u32)>,
}

/// An operation that tokens need does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    operation: Operation,
    what: String,
}

impl Trouble {
    /// The condition of the service object.
    pub fn halt(&self) -> Halt {
        let message = format!("{}{UNTIL}{} works; tokens are issued meanwhile", self.what, self.operation.name());
        Halt::passing(Reason::OperationFailing, message)
    }

    /// The trouble that such a condition tells.
    fn told(condition: &Condition) -> Option<Self> {
        let (what, _) = condition.message.split_once(UNTIL)?;
        let operation = Operation::ALL.into_iter().find(|operation| what.starts_with(operation.name()))?;
        Some(Self { operation, what: what.to_owned() })
    }
}

impl Health {
    /// Takes what a call says that began and ended at these times.
    pub fn hear(&mut self, operation: Operation, heard: Outcome, began: Time, ended: Time) {
        let (what, answered, caller) = match heard {
            Outcome::Worked => {
                self.failing.remove(&operation);
                self.worked.insert(operation, ended);
                return;
            }
            Outcome::Unanswered(what) => (what, false, None),
            Outcome::Failed(what) => (what, true, None),
            Outcome::FailedFor { caller, what } => (what, true, Some(caller)),
        };
        let only = caller.clone();
        let fresh = || Failing { since: began, last: ended, count: 0, reached: false, what: String::new(), only };
        let failing = self.failing.entry(operation).or_insert_with(fresh);
        let others = self.worked.iter().any(|(other, at)| *other != operation && *at > failing.since);
        (failing.last, failing.what) = (ended, what.chars().take(MAX_WHAT).collect());
        failing.count = failing.count.saturating_add(1);
        failing.only.take_if(|only| caller.as_ref() != Some(only));
        failing.reached |= answered || others;
    }

    /// Takes over what the status tells, perhaps written by another process.
    pub fn read(&mut self, conditions: &[Condition], now: Time) {
        let Some(ready) = conditions.iter().find(|condition| condition.type_ == ConditionType::Ready) else { return };
        let since = ready.last_transition_time;
        if ready.status == ConditionStatus::True {
            self.failing.retain(|_, failing| failing.last >= since);
        }
        let told = Some(ready).filter(|ready| ready.reason == Reason::OperationFailing).and_then(Trouble::told);
        let Some(Trouble { operation, what }) = told else { return };
        let works = self.worked.get(&operation).is_some_and(|at| *at > since);
        let stale = now.since(since) >= FORGET;
        if !works && !stale && !self.failing.contains_key(&operation) {
            // Whoever told it has waited, so this process asks at once.
            let known =
                Failing { since: since.minus(PATIENCE), last: since, count: FAILURES, reached: true, what, only: None };
            self.failing.insert(operation, known);
        }
    }

    /// Forgets operations that the service does not have: nobody calls one that is no longer declared, so nothing would end its trouble.
    pub fn forget_all_but(&mut self, has: impl Fn(Operation) -> bool) {
        self.failing.retain(|operation, _| has(*operation));
    }

    /// When the service is to be asked because of a suspicion. A check does not generate or revoke, so it can only say of these
    /// operations whether the service answers at all.
    pub fn ask_at(&self, now: Time) -> Option<Time> {
        let is_there = |failing: &Failing| failing.reached || self.worked.values().any(|at| *at > failing.last);
        let decidable = |(operation, failing): &(&Operation, &Failing)| {
            let asked_about = matches!(operation, Operation::List | Operation::Verify) || !is_there(failing);
            asked_about && now.since(failing.last) < FORGET
        };
        let suspicion = self.failing.iter().filter(decidable).map(|(_, failing)| failing.since.plus(PATIENCE)).min()?;
        let quiet = self.asked.map(|(at, count)| at.plus(backoff(FIRST_QUIET, count).min(FORGET)));
        Some(quiet.map_or(suspicion, |quiet| quiet.max(suspicion)))
    }

    /// Counts a question.
    pub fn asked(&mut self, now: Time) {
        let before = self.asked.filter(|(at, _)| now.since(*at) < FORGET).map_or(0, |(_, count)| count);
        self.asked = Some((now, before.saturating_add(1)));
    }

    /// The trouble that is to be told. What *verify* says belongs to one token, or the check finds the service not ready.
    pub fn trouble(&self, now: Time) -> Option<Trouble> {
        let counts = |failing: &Failing| {
            let lasts = failing.last.since(failing.since) >= PATIENCE || now.since(failing.since) >= PATIENCE;
            let known = failing.reached && failing.count >= FAILURES && failing.only.is_none();
            known && lasts && now.since(failing.last) < FORGET
        };
        let troubles =
            self.failing.iter().filter(|(operation, failing)| **operation != Operation::Verify && counts(failing));
        let (operation, failing) = troubles.min_by_key(|(_, failing)| failing.since)?;
        Some(Trouble { operation: *operation, what: failing.what.clone() })
    }

    /// When time alone changes what is told.
    pub fn changes_at(&self, now: Time) -> Option<Time> {
        let told = self.failing.values().map(|failing| failing.since.plus(PATIENCE));
        let forgotten = self.failing.values().map(|failing| failing.last.plus(FORGET));
        told.chain(forgotten).filter(|at| *at > now).min()
    }
}

/// When a service that is not ready is asked again. `stalled`: its answer was a definite no, the `count`-th in a row. A person may put
/// that right at the service, which nothing here can see.
pub fn asked_again_after(stalled: bool, count: u32) -> Duration {
    if stalled { backoff(NOT_READY_LOOK, count).min(REFUSED_LOOK) } else { NOT_READY_LOOK }
}

#[cfg(test)]
mod tests;
