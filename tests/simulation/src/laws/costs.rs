//! What a life may cost.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use crate::act::Act;
use crate::api_server::USES;
use crate::life::Life;
use crate::objects;
use crate::services::Token;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY_MINUTES: u64 = 24 * 60;

/// Writes of one object in a minute by each process that runs then, and by at least two: a rotation needs six. Which ones lose against
/// each other's version counts, too (P24 holds for each process).
const MOST_WRITES: u64 = 20;

/// Corrections of a Secret in an hour, if somebody changes it back each time: the pauses grow from 10 s to an hour.
const MOST_CORRECTIONS: usize = 10;

/// Events of one object in an hour from each process that runs then, and from at least two: each failure of a step tells once, and the
/// pauses between tries double from 10 s.
const MOST_EVENTS: u64 = 12;

/// Tokens of one object in an hour for each process that runs then, and for at least two: the pauses between tries double from 10 s (S7).
const MOST_TOKENS: u64 = 12;

/// How often a service object says something else in an hour: what fails is told, and so is what works again.
const MOST_TURNS: u64 = 4;

/// Writes of one object, and of its Secret, in an hour in which nothing is due. What is over after a fight is told once, and the next
/// try of a revoke that only another account can do is recorded.
const MOST_AT_REST: u64 = 2;

/// Writes of one object in an hour in which a token that was handed over is tried again.
const MOST_TRIED: u64 = 4;

/// So many writes of one object in a minute end a life: two operators at odds do two hundred a second.
pub const STORM: u64 = 200;

/// Judges the bill. Tokens are counted only if the life was watched to its end.
pub fn of_costs(life: &Life, whole: bool) {
    let world = &life.around.world;
    for ((what, minute), count) in life.around.api_server.writes_by_minute() {
        let begun = MINUTE * u32::try_from(minute).unwrap_or(u32::MAX);
        let processes = world.processes(begun, begun + MINUTE).max(2);
        if count > MOST_WRITES * processes {
            world.broke("writes", format!("{count} writes of {what} in minute {minute}, by {processes} processes"));
        }
    }
    let made = life.around.services.tokens().iter().filter(|token| token.own_name().is_some()).count();
    let allowed = allowed_tokens(life);
    if whole && made > allowed {
        world.broke("tokens", format!("{made} tokens were made, {allowed} would do"));
    }
    in_an_hour(life, "events", &events_by_hour(life, false), MOST_EVENTS);
    // Each token whose end is doubtful tells that.
    in_an_hour(life, "doubts", &events_by_hour(life, true), MOST_TOKENS);
    in_an_hour(life, "tokens", &tokens_by_hour(life), MOST_TOKENS);
    in_an_hour(life, "turns", &turns_by_hour(life), MOST_TURNS);
    at_rest(life);
    of_uses(life);
    warnings(life);
    at_most_some_live(life);
}

/// So many of them in an hour, by object and hour. Each thing that a person asks for in that hour or the two before it costs one and
/// tells one, and so does each fault.
fn in_an_hour(life: &Life, law: &'static str, counts: &BTreeMap<(String, u64), u64>, most: u64) {
    for ((name, hour), count) in counts {
        let begun = HOUR * u32::try_from(*hour).unwrap_or(u32::MAX);
        let processes = life.around.world.processes(begun, begun + HOUR).max(2);
        let near = |at: &Duration| *at < begun + HOUR && *at + 3 * HOUR > begun + HOUR;
        let asked = life.facts.done.iter().filter(|(at, _)| near(at)).count();
        let met = life.around.world.faults.met().iter().filter(|(at, _)| near(at)).count();
        let fights = life.facts.done.iter().filter(|(at, act)| near(at) && matches!(act, Act::Fight(..))).count();
        // Each process has its own row of corrections, and begins a new one after a kill.
        let fought = (fights * MOST_CORRECTIONS) as u64 * processes;
        let allowed = most * processes + (asked + met) as u64 + fought;
        if *count > allowed {
            let how = format!("{count} {law} of {name} in hour {hour}, at most {allowed} are expected");
            life.around.world.broke(law, how);
        }
    }
}

/// When a token was last used is recorded once a day, by one process or, at odds, by each of two.
fn of_uses(life: &Life) {
    let mut days: BTreeMap<(String, u64), u64> = BTreeMap::new();
    for ((what, minute), count) in life.around.api_server.writes_by_minute() {
        if what.starts_with(&format!("{USES}/")) {
            *days.entry((what, minute / DAY_MINUTES)).or_default() += count;
        }
    }
    let tokens = tokens_by_hour(life);
    for ((what, day), count) in days {
        let name = what.trim_start_matches(USES).trim_start_matches('/').to_owned();
        // Each token has a first use; the one from the day before may have its own today.
        let of_day = |(of, hour): &(String, u64)| *of == name && hour / 24 == day;
        let made: u64 = tokens.iter().filter(|(key, _)| of_day(key)).map(|(_, count)| count).sum();
        let most = 2 * (2 + made);
        if count > most {
            life.around.world.broke(
                "uses",
                format!("{count} records of the uses of {name} in day {day}, at most {most} are expected"),
            );
        }
    }
}

/// An hour of rest.
fn at_rest(life: &Life) {
    let acts = || life.plan.acts.iter().map(|(_, act)| act);
    let still = !acts().any(|act| matches!(act, Act::Fight(..) | Act::OtherAccount(_) | Act::Second(_)));
    for (what, count) in writes_at_rest(life) {
        // The next try of a revoke that only another account can do is recorded, once an hour for each token.
        let beyond = |token: &&Token| {
            token.is_beyond_reach()
                && !token.dead
                && what == format!("artifacttokens/t{}", token.object().unwrap_or(usize::MAX))
        };
        let beyond = life.around.services.tokens().iter().filter(beyond).count() as u64;
        // The same where no list says that it is gone.
        let unsure = if life.plan.service.finds() { 0 } else { MOST_AT_REST };
        // What is handed over and refused is tried again each hour: a claim, its end, and what is told.
        let tried = if life.plan.service.by_hand { MOST_TRIED } else { 0 };
        let most = beyond + unsure + tried + if still { 0 } else { MOST_AT_REST };
        if count > most {
            life.around
                .world
                .broke("rest", format!("{count} writes of {what} in an hour of rest, at most {most} are expected"));
        }
    }
}

/// The most that one object did in an hour.
#[derive(Clone, Copy, Debug, Default)]
pub struct Most {
    /// Events about it.
    pub events: u64,
    /// Tokens that were made for it.
    pub tokens: u64,
    /// How often a service object said something else.
    pub turns: u64,
    /// Writes of it or its Secret in the last hour of a rest in which nothing is due.
    pub writes_at_rest: u64,
}

/// Counts them.
pub fn most(life: &Life) -> Most {
    Most {
        events: events_by_hour(life, false).into_values().max().unwrap_or_default(),
        tokens: tokens_by_hour(life).into_values().max().unwrap_or_default(),
        turns: turns_by_hour(life).into_values().max().unwrap_or_default(),
        writes_at_rest: writes_at_rest(life).into_values().max().unwrap_or_default(),
    }
}

/// All events, or those that tell that a token's end is doubtful.
fn events_by_hour(life: &Life, of_doubts: bool) -> BTreeMap<(String, u64), u64> {
    let mut events = BTreeMap::new();
    for (at, event) in life.around.api_server.events() {
        if (event["reason"] == "ExpiryNotAnswered") == of_doubts {
            let name = event["regarding"]["name"].as_str().unwrap_or_default().to_owned();
            *events.entry((name, at.as_secs() / 3600)).or_default() += 1;
        }
    }
    events
}

fn turns_by_hour(life: &Life) -> BTreeMap<(String, u64), u64> {
    let mut turns = BTreeMap::new();
    for (at, name) in life.around.api_server.turns("tokenservices") {
        *turns.entry((name, at.as_secs() / 3600)).or_default() += 1;
    }
    turns
}

fn tokens_by_hour(life: &Life) -> BTreeMap<(String, u64), u64> {
    let mut tokens = BTreeMap::new();
    for token in life.around.services.tokens() {
        if let Some(index) = token.object().filter(|_| token.own_name().is_some()) {
            *tokens.entry((objects::name_of(index), token.at.as_secs() / 3600)).or_default() += 1;
        }
    }
    tokens
}

fn writes_at_rest(life: &Life) -> BTreeMap<String, u64> {
    let due = |act: &Act| matches!(act, Act::EditInterval(..) | Act::EditLifetime(..));
    let plan = &life.plan;
    if plan.hours > 0 || plan.life_hours > 0 || plan.acts.iter().any(|(_, act)| due(act)) {
        return BTreeMap::new();
    }
    let end = life.facts.judged.as_secs() / 60;
    let of_objects = |what: &str| what.starts_with("artifacttokens/") || what.starts_with("secrets/");
    let mut writes: BTreeMap<String, u64> = BTreeMap::new();
    for ((what, minute), count) in life.around.api_server.writes_by_minute() {
        if of_objects(&what) && minute < end && minute + 60 > end {
            *writes.entry(what).or_default() += count;
        }
    }
    writes
}

/// One for each thing that was asked for, one for each fault, and those that are due.
fn allowed_tokens(life: &Life) -> usize {
    let plan = &life.plan;
    let slept = life.around.world.slept.load(Ordering::Relaxed);
    let seconds = usize::try_from(plan.seconds + slept + 6 * 3600).unwrap_or(usize::MAX);
    let shortest = |first: u32, edit: fn(&Act) -> u32| {
        let all = plan.acts.iter().map(|(_, act)| edit(act)).chain([first]);
        all.filter(|hours| *hours > 0).min().unwrap_or_default() as usize
    };
    // A rotation comes early by up to a tenth of the interval.
    let due = match shortest(plan.hours, |act| if let Act::EditInterval(_, hours) = act { *hours } else { 0 }) {
        0 => 0,
        hours => seconds / (3600 * hours * 9 / 10) + 1,
    };
    // One that expires is replaced a third of its life before.
    let expire = match shortest(plan.life_hours, |act| if let Act::EditLifetime(_, hours) = act { *hours } else { 0 }) {
        0 => 0,
        hours => seconds / (2400 * hours) + 1,
    };
    // A row of corrections begins anew after a kill, and after a change of the spec.
    let fights = life.facts.fights * (1 + plan.acts.len()) * MOST_CORRECTIONS;
    // Who dies of a fault takes with it what it has asked for all objects, and that lands.
    let kills = plan.faults.iter().filter(|fault| fault.fate.kills()).count() * plan.tokens;
    life.facts.allowed_tokens + 2 * plan.faults.len() + kills + (due + expire) * plan.tokens + fights
}

/// Nothing warns of revokes while every service works.
fn warnings(life: &Life) {
    let plan = &life.plan;
    let did = |what: fn(&Act) -> bool| plan.acts.iter().any(|(_, act)| what(act));
    // A token that is dead already and that no list shows is asked about once more a minute later, where no other one lives (P9).
    let dead_before = plan.life_hours > 0 || did(|act| matches!(act, Act::EndToken(_) | Act::EditLifetime(..)));
    let unsure = !plan.service.finds() && dead_before;
    if unsure || !plan.faults.is_empty() || did(|act| act.fails_service()) {
        return;
    }
    let events = life.around.api_server.events();
    let mut events = events.iter().map(|(_, event)| event);
    // Where somebody ends a token and its replacement, too, no list shows a living one.
    let ended = |event: &Value| {
        let of = |(_, act): &&(u32, Act)| matches!(act, Act::EndToken(one) if event["regarding"]["name"] == objects::name_of(*one));
        plan.acts.iter().filter(of).count()
    };
    let fails = |event: &Value| event["type"] == "Warning" && event["reason"] == "TokenRevocationFailed";
    let warned = events.find(|event| fails(event) && ended(event) < 2);
    if let Some(event) = warned {
        life.around.world.broke("warning", format!("no service ever failed, and yet: {}", event["note"]));
    }
}

/// Where Secrets are not to be watched, nobody lists or watches any.
pub fn of_watches(life: &Life) {
    if !life.plan.watches && life.around.api_server.listed_secrets() {
        life.around.world.broke("unwatched", "an operator listed or watched Secrets".to_owned());
    }
}

/// S6, at every moment: at most five known tokens of an object live. One whose answer came nowhere is not known, and comes on top when it
/// is found; so does one that a process knew that died before it wrote it down.
fn at_most_some_live(life: &Life) {
    let kills = life.plan.faults.iter().filter(|fault| fault.fate.kills()).count();
    let most = 5 + kills + life.facts.interrupted;
    let tokens = life.around.services.tokens();
    for token in tokens.iter().filter_map(|token| Some((token, token.own_name()?))) {
        let (token, name) = token;
        let beside = |other: &&Token| {
            other.at <= token.at
                && other.heard
                && other.died.is_none_or(|died| died > token.at)
                && other.expires.is_none_or(|expires| expires > token.created)
                && other.own_name().is_some_and(|other| other.uid16 == name.uid16)
        };
        let count = tokens.iter().filter(beside).count();
        if count > most {
            life.around.world.broke("S6", format!("{count} tokens of one object live when {} is made", token.id));
        }
    }
}
