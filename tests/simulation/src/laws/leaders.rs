//! Who leads, as the records of the Lease show (L7).

use std::time::Duration;

use crate::act::Act;
use crate::api_server::Tenure;
use crate::life::Life;

/// A record that has not changed for so long is over.
const LEASE: Duration = Duration::from_secs(15);

/// So long nobody writes the Lease while nothing is in the way: a leader died right after a renewal, and the first try of its successor
/// failed. A renewal comes each five seconds.
const UNLED: Duration = Duration::from_secs(25);

/// So long a disturbance may be felt when it is over: a request that it met has its time-out, and an operator that was killed lists what it
/// needs before it stands for election.
const FELT: Duration = Duration::from_secs(45);

/// Requests about the Lease of one process in a minute: while all is refused, a write or a read each two seconds, one look after each
/// conflict, and a list each 0.8 s at the earliest, with which its watch begins anew.
const MOST_TRIES: u64 = 60 + 75;

/// Of processes that elect a leader, one leads at a time, and soon one does.
pub fn of_leaders(life: &Life) {
    let tenures = life.around.api_server.tenures();
    if life.plan.elects {
        nobody_takes_what_is_held(life, &tenures);
        one_leads_soon(life, &tenures);
    }
    for ((who, minute), tries) in life.around.api_server.lease_tries() {
        if tries > MOST_TRIES {
            life.around.world.broke("L7", format!("{tries} requests about the Lease by {who} in minute {minute}"));
        }
    }
}

/// A holder that lives is left alone. What a person does to the Lease, anybody may take for the end of a holder.
fn nobody_takes_what_is_held(life: &Life, tenures: &[Tenure]) {
    let mut held: Option<&Tenure> = None;
    for tenure in tenures {
        let by_a_process = tenure.who != 0 && !tenure.holder.is_empty();
        if let Some(before) = held.filter(|before| by_a_process && before.holder != tenure.holder)
            && tenure.at < before.at + LEASE
        {
            let (new, old, after) = (&tenure.holder, &before.holder, tenure.at - before.at);
            life.around.world.broke("L7", format!("{new} takes the Lease {after:?} after {old} renewed it"));
        }
        held = by_a_process.then_some(tenure);
    }
}

/// Between two writes of the Lease there is no long time, but for what is in the way.
fn one_leads_soon(life: &Life, tenures: &[Tenure]) {
    let world = &life.around.world;
    let mut disturbed: Vec<(Duration, Duration)> = life.facts.done.iter().filter_map(disturbance).collect();
    disturbed.extend(world.faults.met().iter().map(|(at, _)| (*at, *at + FELT)));
    disturbed.sort();
    let written = tenures.iter().filter(|tenure| tenure.who != 0).map(|tenure| tenure.at);
    let mut last = Duration::ZERO;
    for at in written.chain([world.elapsed()]) {
        let (unled, from) = (free(last, at, &disturbed), last);
        if unled > UNLED {
            world.broke("L7", format!("nobody writes the Lease from {from:?} to {at:?}, {unled:?} without a reason"));
        }
        last = at;
    }
}

/// How much of this time is none of these, which are in order.
fn free(from: Duration, to: Duration, disturbed: &[(Duration, Duration)]) -> Duration {
    let (mut free, mut begun) = (Duration::ZERO, from);
    for (start, end) in disturbed.iter().filter(|(start, end)| *end > from && *start < to) {
        free += start.saturating_sub(begun);
        begun = begun.max(*end);
    }
    free + to.saturating_sub(begun)
}

/// When an act keeps everybody from leading.
fn disturbance((at, act): &(Duration, Act)) -> Option<(Duration, Duration)> {
    let seconds = match act {
        Act::Api(_, seconds) | Act::HoldLeader(seconds) | Act::Sleep(seconds) | Act::Lag(_, seconds) => *seconds,
        Act::Kill | Act::DeleteLease | Act::TakeLease | Act::Restore(..) => 0,
        // It is killed at its end.
        Act::Second(seconds) => {
            let end = *at + Duration::from_secs((*seconds).into());
            return Some((end, end + FELT));
        }
        _ => return None,
    };
    Some((*at, *at + Duration::from_secs(seconds.into()) + FELT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_without_a_disturbance_counts() {
        let seconds = |all: &[(u64, u64)]| -> Vec<(Duration, Duration)> {
            all.iter().map(|(from, to)| (Duration::from_secs(*from), Duration::from_secs(*to))).collect()
        };
        let free = |disturbed: &[(u64, u64)]| {
            free(Duration::from_secs(10), Duration::from_secs(100), &seconds(disturbed)).as_secs()
        };
        assert_eq!(free(&[]), 90);
        assert_eq!(free(&[(0, 10), (100, 200)]), 90);
        assert_eq!(free(&[(0, 20), (15, 30), (90, 300)]), 60);
        assert_eq!(free(&[(20, 80), (30, 40)]), 30);
        assert_eq!(free(&[(0, 300)]), 0);
    }
}
