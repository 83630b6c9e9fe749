//! Operators that elect a leader.

use std::collections::BTreeSet;

use simulation::act::Act;
use simulation::api_server::Trouble;
use simulation::life::Report;
use simulation::plan::Plan;

use super::lives::{made, well};

/// Three objects and two operators that elect a leader.
fn elected(seconds: u32) -> Plan {
    Plan { elects: true, ..Plan::quiet(1, 3, seconds) }.with(0, Act::Second(seconds - 10))
}

/// The numbers of the operators that wrote something else than the Lease.
fn writers(report: &Report) -> BTreeSet<u32> {
    let mut writers = BTreeSet::new();
    for line in &report.record.trace {
        let mut words = line.split_whitespace().skip(1);
        let (who, verb, what) = (words.next(), words.next(), words.next().unwrap_or_default());
        let writes = ["POST", "PUT", "PATCH", "DELETE"].iter().any(|word| verb == Some(word));
        if writes && !what.starts_with("leases") {
            writers.insert(who.unwrap_or_default().parse().unwrap());
        }
    }
    writers.remove(&0);
    writers
}

#[test]
fn of_two_operators_that_live_undisturbed_one_does_everything() {
    let report = well(&elected(3600).with(600, Act::Rotate(0)).with(700, Act::EditSecret(1)).with(800, Act::Delete(2)));
    assert_eq!(made(&report), 5);
    // At the end the second one is killed; by then nothing is left to do but for a deletion.
    let writers = writers(&report);
    assert!(writers.len() == 1, "{writers:?}");
}

#[test]
fn without_an_election_both_do() {
    let plan = Plan { elects: false, ..elected(3600) };
    assert_eq!(writers(&well(&plan.with(600, Act::Rotate(0)).with(700, Act::EditSecret(1)))).len(), 2);
}

#[test]
fn a_leader_that_is_killed_or_cut_off_in_a_rotation_has_a_successor_and_one_token_lives() {
    for at in 600..606 {
        well(&elected(3600).with(600, Act::Rotate(0)).with(at, Act::Kill));
        // Past the lease, past the deadline of its publish, and past the time when its claim counts as lost.
        for seconds in [10, 20, 160, 400] {
            well(&elected(3600).with(600, Act::Rotate(0)).with(at, Act::HoldLeader(seconds)));
        }
    }
}

#[test]
fn whatever_happens_to_the_lease_one_leads_soon() {
    let disturbed = elected(7200).with(300, Act::DeleteLease).with(900, Act::TakeLease);
    let disturbed = disturbed.with(1500, Act::Api(Trouble::NoLeases, 600)).with(1600, Act::Rotate(0));
    let report = well(&disturbed.with(3000, Act::HoldLeader(40)).with(3005, Act::Rotate(1)).with(4000, Act::Kill));
    assert_eq!(made(&report), 5, "nothing is generated for that");
}

#[test]
fn a_life_with_an_election_is_the_same_each_time() {
    let plan = elected(1800).with(300, Act::Kill).with(301, Act::Rotate(0)).with(900, Act::TakeLease);
    let plan = plan.with(1200, Act::HoldLeader(30)).with(1205, Act::Rotate(1));
    let [first, second] = [plan.run(true), plan.run(true)].map(|report| report.record);
    assert!(first.trace.iter().any(|line| line.contains("PUT leases")), "{}", first.text());
    assert_eq!(first.digest(), second.digest());
}
