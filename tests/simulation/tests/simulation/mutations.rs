//! A simulation that finds nothing wrong proves something only if it finds what is wrong: each broken rule is found.

use simulation::act::Act;
use simulation::api_server::Trouble;
use simulation::fate::{Class, Fate};
use simulation::mutation::{MUTATIONS, Mutation};
use simulation::objects::Abilities;
use simulation::plan::Plan;
use simulation::services::{Asks, Odd, Pause};
use support::figures::{figure, mutations};

use super::campaign::named;

/// The most random lives until a broken rule is found.
const MOST_LIVES: u64 = 200;

/// A rotation whose publish is sent again, and whose first sending lands five minutes late, when the next rotation is over. Chance would
/// need thousands of lives for that.
pub fn late_publish() -> Plan {
    let plan = Plan::quiet(1, 1, 7200).with(100, Act::Rotate(0)).with(200, Act::Rotate(0));
    plan.fault(Class::ApiWrite, Some(0), 7, Fate::Late(300))
}

/// A short life that shows what the rule is for.
fn short_life(mutation: Mutation) -> Plan {
    let quiet = |seconds| Plan::quiet(1, 1, seconds);
    let rotated = || quiet(1800).with(100, Act::Rotate(0));
    let lost = |plan: Plan| plan.fault(Class::Generate, Some(0), 1, Fate::LostAfter);
    match mutation {
        Mutation::LostIsNo | Mutation::ListForgotten => lost(quiet(1800)),
        Mutation::EmptyPageIsEnd => lost(quiet(1800).with(0, Act::EmptyPages)),
        Mutation::RecordUnchecked => {
            let two = Plan::quiet(1, 2, 1800).with(0, Act::Second(1700)).with(100, Act::Rotate(0));
            two.with(100, Act::Rotate(1))
                .with(101, Act::EditSecret(0))
                .with(130, Act::Rotate(0))
                .with(131, Act::Rotate(1))
        }
        Mutation::PublishUnchecked => late_publish(),
        Mutation::NoFinalizer => quiet(600).with(100, Act::Delete(0)),
        Mutation::ClaimUnrecorded
        | Mutation::NoOverlap
        | Mutation::RevokeForgotten
        | Mutation::VerifyForgotten
        | Mutation::ClockStopped => Plan { overlap_seconds: 600, ..rotated() },
        Mutation::LimitIgnored => Plan { per_minute: 60, ..Plan::quiet(1, 60, 600) },
        Mutation::PauseIgnored => {
            let pause = Pause { seconds: 600, by: Asks::RetryAfter };
            rotated().with(90, Act::Throttle(None, 429, pause, 900))
        }
        Mutation::LeaseLooksFree => Plan { elects: true, ..quiet(600) }.with(100, Act::Second(400)),
        Mutation::OwnerUnchecked => quiet(600).with(0, Act::Squat(0)),
        Mutation::SentTwice => quiet(600),
        Mutation::DriftUnseen => quiet(1800).with(400, Act::EditSecret(0)),
        Mutation::ForbiddenIsMissing => {
            quiet(1800).with(100, Act::Api(Trouble::NoSecretReads, 1200)).with(200, Act::Delete(0))
        }
        Mutation::PreflightForgotten => {
            quiet(1800).with(100, Act::Api(Trouble::Admission(403), 1200)).with(400, Act::Rotate(0))
        }
        Mutation::GoneBelieved => {
            let nameless = Abilities { names: false, ..Abilities::ALL };
            Plan { service: nameless, ..rotated() }.with(110, Act::OtherAccount(1200))
        }
        // It takes each second token for dead: that of the first rotation, which no list would find again.
        Mutation::MissingIsDead => {
            let listless = Plan { service: Abilities { lists: false, ..Abilities::ALL }, ..quiet(1800) };
            let rotated = listless.with(50, Act::Rotate(0)).with(100, Act::Rotate(0));
            rotated.with(60, Act::OddList(Odd::Forgets, 1200))
        }
    }
}

/// The laws that a plan breaks with the rule broken, and keeps with it, of those that say what the rule is for.
fn shown(mutation: Mutation, plan: &Plan) -> Vec<&'static str> {
    let with = Plan { mutation: Some(mutation), ..plan.clone() }.run(false).laws();
    let own: Vec<_> = with.into_iter().filter(|law| mutation.found_by().contains(law)).collect();
    if own.is_empty() {
        return own;
    }
    let without = plan.run(false).laws();
    own.into_iter().filter(|law| !without.contains(law)).collect()
}

#[test]
fn a_short_life_shows_what_each_rule_is_for() {
    let missed: Vec<Mutation> =
        MUTATIONS.into_iter().filter(|rule| shown(*rule, &short_life(*rule)).is_empty()).collect();
    mutations(MUTATIONS.len() - missed.len(), MUTATIONS.len());
    assert!(missed.is_empty(), "not found in their short lives: {missed:?}");
}

/// The first seed whose life breaks a law that says what the rule is for, and keeps that with the rule.
fn found(mutation: Mutation) -> Option<(u64, String)> {
    (0..MOST_LIVES).find_map(|seed| {
        let plan = match (mutation, seed) {
            (Mutation::PublishUnchecked, 0) => late_publish(),
            _ => Plan::random_about(seed, mutation.about()),
        };
        let laws = shown(mutation, &plan);
        (!laws.is_empty()).then(|| (seed, laws.join(", ")))
    })
}

#[test]
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
