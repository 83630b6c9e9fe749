//! A simulation that finds nothing wrong proves something only if it finds what is wrong: each broken rule is found.

use simulation::act::Act;
use simulation::fate::{Class, Fate};
use simulation::mutation::{MUTATIONS, Mutation};
use simulation::plan::Plan;
use support::figures::figure;

use super::campaign::named;

/// The most random lives until a broken rule is found.
const MOST_LIVES: u64 = 200;

/// A rotation whose publish is sent again, and whose first sending lands five minutes late, when the next rotation is over. Chance would
/// need thousands of lives for that.
pub fn late_publish() -> Plan {
    let plan = Plan::quiet(1, 1, 7200).with(100, Act::Rotate(0)).with(200, Act::Rotate(0));
    plan.fault(Class::ApiWrite, Some(0), 7, Fate::Late(300))
}

/// The first seed whose life breaks a law that says what the rule is for, and keeps that with the rule.
fn found(mutation: Mutation) -> Option<(u64, String)> {
    (0..MOST_LIVES).find_map(|seed| {
        let plan = match (mutation, seed) {
            (Mutation::PublishUnchecked, 0) => late_publish(),
            _ => Plan::random_about(seed, mutation.about()),
        };
        let with = Plan { mutation: Some(mutation), ..plan.clone() }.run(false).laws();
        let own = |law: &&&str| mutation.found_by().contains(law);
        if !with.iter().any(|law| own(&law)) {
            return None;
        }
        let without = plan.run(false).laws();
        let laws: Vec<_> = with.difference(&without).filter(own).copied().collect();
        (!laws.is_empty()).then(|| (seed, laws.join(", ")))
    })
}

#[test]
#[ignore = "a quarter of an hour in the tests' profile: cargo test --profile sim -p simulation every_broken_rule -- --ignored"]
fn every_broken_rule_is_found() {
    let mut missed = Vec::new();
    // `SIMULATION_RULE=LostIsNo` looks for one of them.
    let wanted = named("SIMULATION_RULE", &MUTATIONS);
    let rules = if wanted.is_empty() { MUTATIONS.to_vec() } else { wanted };
    for mutation in rules.iter().copied() {
        match found(mutation) {
            Some((seed, laws)) => println!("{mutation:?}: found by seed {seed}: {laws}"),
            None => missed.push(mutation),
        }
    }
    figure(&format!("simulation: {} of {} broken rules found", rules.len() - missed.len(), rules.len()));
    assert!(missed.is_empty(), "not found in {MOST_LIVES} lives each: {missed:?}");
}
