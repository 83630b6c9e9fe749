//! What a life may cost.

use std::sync::atomic::Ordering;

use crate::life::Life;
use crate::services::Token;

/// Writes of one object in a minute: a rotation needs six.
const MOST_WRITES: u64 = 40;

/// Corrections of a Secret in an hour, if somebody changes it back each time: the pauses grow from 10 s to an hour.
const MOST_CORRECTIONS: usize = 10;

/// So many writes of one object in a minute end a life: two operators at odds do two hundred a second.
pub const STORM: u64 = 200;

/// Judges the bill. Tokens are counted only if the life was watched to its end.
pub fn of_costs(life: &Life, whole: bool) {
    let world = &life.around.world;
    for ((what, minute), count) in life.around.api_server.writes_by_minute() {
        if count > MOST_WRITES {
            world.broke("writes", format!("{count} writes of {what} in minute {minute}"));
        }
    }
    let made =
        life.around.services.with(|books| books.tokens.iter().filter(|token| token.own_name().is_some()).count());
    let allowed = allowed_tokens(life);
    if whole && made > allowed {
        world.broke("tokens", format!("{made} tokens were made, {allowed} would do"));
    }
    warnings(life);
    at_most_some_live(life);
}

/// One for each thing that was asked for, one for each fault, and those that are due.
fn allowed_tokens(life: &Life) -> usize {
    let plan = &life.plan;
    let slept = life.around.world.slept.load(Ordering::Relaxed);
    let seconds = usize::try_from(plan.seconds + slept + 6 * 3600).unwrap_or(usize::MAX);
    // A rotation comes early by up to a tenth of the interval.
    let due = match plan.hours {
        0 => 0,
        hours => seconds / (3600 * hours as usize * 9 / 10) + 1,
    };
    // One that expires is replaced a third of its life before.
    let expire = match plan.life_hours {
        0 => 0,
        hours => seconds / (2400 * hours as usize) + 1,
    };
    // A row of corrections begins anew after a kill, and after a change of the spec.
    let fights = life.facts.fights * (1 + plan.acts.len()) * MOST_CORRECTIONS;
    life.facts.allowed_tokens + 2 * plan.faults.len() + (due + expire) * plan.tokens + fights
}

/// Nothing warns of revokes while every service works.
fn warnings(life: &Life) {
    let failed = life.plan.faults.iter().any(|_| true) || life.plan.acts.iter().any(|(_, act)| act.fails_service());
    if failed {
        return;
    }
    let events = life.around.api_server.events();
    let warned = events.iter().find(|event| event["type"] == "Warning" && event["reason"] == "TokenRevocationFailed");
    if let Some(event) = warned {
        life.around.world.broke("warning", format!("no service ever failed, and yet: {}", event["note"]));
    }
}

/// S6, at every moment: at most five known tokens of an object live, and those of which no answer came.
fn at_most_some_live(life: &Life) {
    let lost = life.plan.faults.len() + life.facts.interrupted;
    let most = 5 + lost;
    let tokens = life.around.services.with(|books| books.tokens.clone());
    for token in tokens.iter().filter_map(|token| Some((token, token.own_name()?))) {
        let (token, name) = token;
        let beside = |other: &&Token| {
            other.at <= token.at
                && other.died.is_none_or(|died| died > token.at)
                && other.own_name().is_some_and(|other| other.uid16 == name.uid16)
        };
        let count = tokens.iter().filter(beside).count();
        if count > most {
            life.around.world.broke("S6", format!("{count} tokens of one object live when {} is made", token.id));
        }
    }
}
