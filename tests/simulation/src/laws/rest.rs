//! Laws of a world that was left alone for some hours.

use std::collections::BTreeSet;
use std::time::Duration;

use artifact_token_operator::rotation::identity;
use serde_json::Value;

use crate::excuses::CLAIM_SETTLES;
use crate::life::Life;
use crate::objects::{NAMESPACE, name_of, secret_of};
use crate::services::Token;

/// A token that nobody holds must be dead after its settle time, a sweep, and the longest overlap. A clock that jumped makes that an
/// hour longer.
const LONG: Duration = Duration::from_secs(2 * 3600);

/// The most entries of `possiblyLost`.
const MOST_REPORTED: usize = 32;

/// After some quiet hours.
pub fn of_rest(life: &Life) {
    let living = life.living();
    let mut uids = BTreeSet::new();
    for index in life.expected() {
        let Some(object) = life.around.api_server.get("artifacttokens", NAMESPACE, &name_of(index)) else { continue };
        let uid = identity::uid16(object["metadata"]["uid"].as_str().unwrap_or_default());
        // While it is suspended nothing new is made: what a hand took out of the Secret stays the current token. And where the Secret is
        // somebody else's, a person must act first.
        let taken = life.facts.squatted.contains(&index) || life.facts.forged.contains(&index);
        if !life.facts.suspended.contains(&index) && !taken && !life.facts.immutable.contains(&index) {
            one_token_lives(life, index, &uid, &living);
            it_is_ready(life, index, &object, &living);
        }
        lost_are_reported(life, &object, &uid, &living);
        if !taken {
            leaked_are_dead(life, index, &uid, &living);
        }
        uids.insert(uid);
    }
    nothing_of_the_dead(life, &living, &uids);
    strangers_live(life);
}

/// After all objects were deleted.
pub fn of_the_end(life: &Life) {
    let world = &life.around.world;
    let reach = |uid: &str| {
        let own = |token: &Token| token.own_name().is_some_and(|name| name.uid16 == uid);
        !life.living().iter().any(|token| token.is_beyond_reach() && own(token))
    };
    for object in life.around.api_server.all("artifacttokens") {
        // What another account has generated only that one can end: a person must act first.
        if !reach(&identity::uid16(object["metadata"]["uid"].as_str().unwrap_or_default())) {
            continue;
        }
        world.broke("L4", format!("{} is still there long after its deletion", object["metadata"]["name"]));
    }
    nothing_of_the_dead(life, &life.living(), &BTreeSet::new());
    strangers_live(life);
    no_secret_is_left(life);
    for index in &life.facts.squatted {
        let theirs = life.around.api_server.get("secrets", NAMESPACE, &secret_of(*index));
        if theirs.is_none_or(|secret| secret["data"]["password"].is_null()) {
            world.broke("S8", format!("somebody's Secret {} was changed", secret_of(*index)));
        }
    }
}

/// P13: the Secret goes before its object.
fn no_secret_is_left(life: &Life) {
    for index in 0..life.plan.tokens {
        let facts = &life.facts;
        let others = facts.squatted.contains(&index) || facts.forged.contains(&index) || facts.left.contains(&index);
        let there = |plural, name: &str| life.around.api_server.get(plural, NAMESPACE, name).is_some();
        if !others
            && !is_stray(life, index)
            && there("secrets", &secret_of(index))
            && !there("artifacttokens", &name_of(index))
        {
            life.around.world.broke("P13", format!("{} is left behind", secret_of(index)));
        }
    }
}

/// Whether a Secret was created by a request that landed when nobody could wait for it any more: when the claim of its token had settled,
/// or as long after it was sent (S12).
fn is_stray(life: &Life, index: usize) -> bool {
    let (server, name) = (&life.around.api_server, secret_of(index));
    let (Some(secret), Some(created)) =
        (server.get("secrets", NAMESPACE, &name), server.created_at("secrets", NAMESPACE, &name))
    else {
        return false;
    };
    let owner = secret["metadata"]["annotations"]["artifact-token.dev/owner"].as_str().unwrap_or_default();
    let uid = identity::uid16(owner.rsplit('/').next().unwrap_or_default());
    // Only the first attempt may create a Secret with a token.
    let claimed = server.claimed_at(&uid, "", true).filter(|_| secret["data"]["token"].is_string());
    let lapsed = claimed.is_some_and(|claimed| claimed + CLAIM_SETTLES < created);
    let late = life.around.world.excuses().landed_late.contains(secret["metadata"]["uid"].as_str().unwrap_or_default());
    (lapsed || late) && life.facts.gone.at(&uid, created)
}

/// L1: no token lives but the one in the Secret, and the ones that were replaced a moment ago.
fn one_token_lives(life: &Life, index: usize, uid: &str, living: &[Token]) {
    let world = &life.around.world;
    let held = life
        .around
        .api_server
        .get("secrets", NAMESPACE, &secret_of(index))
        .map(|secret| secret["data"]["token"].clone());
    let own = |token: &&Token| {
        !token.is_beyond_reach() && !life.is_lost(token) && token.own_name().is_some_and(|name| name.uid16 == uid)
    };
    for token in living.iter().filter(own) {
        let left = life.around.api_server.held_until(&token.data(), None).unwrap_or(token.at);
        if held.as_ref() != Some(&token.data()) && left + LONG < world.elapsed() {
            world.broke("L1", format!("{} ({}) lives, and no Secret holds it since {left:?}", token.id, token.name));
        }
    }
}

/// L1 and S13: the Secret has a token that works and was tried, and the object says so.
fn it_is_ready(life: &Life, index: usize, object: &Value, living: &[Token]) {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    let secret = life.around.api_server.get("secrets", NAMESPACE, &secret_of(index));
    let current = secret.and_then(|secret| living.iter().find(|token| token.data() == secret["data"]["token"]));
    let world = &life.around.world;
    if current.is_none() || !ready {
        let say = |one: &Value| format!("{}={} {}: {}", one["type"], one["status"], one["reason"], one["message"]);
        let why: Vec<String> = conditions.iter().map(say).collect();
        let works = current.is_some();
        world.broke("L1", format!("{} is not in order: its token works: {works}; {}", name_of(index), why.join("; ")));
    }
    if ready && current.is_some_and(|token| !token.accepted) {
        world.broke("S13", format!("{} is Ready, and its token was never accepted", name_of(index)));
    }
}

/// L7: whatever was suspended, nothing lives that leaked.
fn leaked_are_dead(life: &Life, index: usize, uid: &str, living: &[Token]) {
    let Some((leaked, clock)) = life.facts.leaks.get(&index) else { return };
    let own = |token: &&Token| {
        !token.is_beyond_reach() && !life.is_lost(token) && token.own_name().is_some_and(|name| name.uid16 == uid)
    };
    // The time of a claim by a clock that was ahead may lie after that of a leak by the right one: a known limit.
    let before = |token: &&Token| token.at < *leaked && token.ahead <= *clock;
    if let Some(token) = living.iter().filter(own).find(before) {
        life.around.world.broke("L7", format!("{} ({}) lives, and leaked at {leaked:?}", token.id, token.name));
    }
}

/// L3: nothing lives that belongs to an object that is gone.
fn nothing_of_the_dead(life: &Life, living: &[Token], uids: &BTreeSet<String>) {
    for token in living.iter().filter(|token| !token.is_beyond_reach() && !life.is_lost(token)) {
        let left = |uid: &String| uids.contains(uid) || life.facts.let_go.contains(uid);
        // Its request landed when nobody could wait for it any more (S12), and the sweep only reports what it finds then.
        let stray = |uid: &str| token.stray && life.facts.gone.at(uid, token.at);
        // A store that went back behind the first claim lets the next one have its name: only the sweep finds the first token then.
        let twin = |other: &Token| other.at > token.at && other.own_name() == token.own_name();
        let twins = life.facts.restored && life.around.services.with(|books| books.tokens.iter().any(twin));
        let excused = |uid: &String| left(uid) || stray(uid) || twins;
        let orphan = token.own_name().is_some_and(|name| !excused(&name.uid16));
        if orphan {
            life.around.world.broke("L3", format!("{} ({}) lives, and its object is gone", token.id, token.name));
        }
    }
}

/// S3, seen from the strangers.
fn strangers_live(life: &Life) {
    let struck = life.around.world.excuses().struck.clone();
    let dead = |token: &&Token| token.own_name().is_none() && token.dead && !struck.contains(&token.value);
    let dead = life.around.services.with(|books| books.tokens.iter().find(dead).map(|token| token.id.clone()));
    if let Some(id) = dead {
        life.around.world.broke("S3", format!("{id} is a stranger's, and dead"));
    }
}

/// P18: a token whose answer came nowhere, and which no list shows, is reported.
fn lost_are_reported(life: &Life, object: &Value, uid: &str, living: &[Token]) {
    let empty = Vec::new();
    let reported = object["status"]["possiblyLost"].as_array().unwrap_or(&empty);
    let own = |token: &&Token| life.is_lost(token) && !token.heard;
    for (token, name) in living.iter().filter(own).filter_map(|token| Some((token, token.own_name()?))) {
        let known = reported.iter().any(|lost| lost["attempt"] == name.attempt) || reported.len() >= MOST_REPORTED;
        if name.uid16 == uid && !known && !life.facts.restored {
            life.around.world.broke("P18", format!("{} ({}) lives, and nobody is told", token.id, token.name));
        }
    }
}

impl Life {
    /// Where the service has no list, nobody finds a token that no ledger ever had: its answer came nowhere, or to a process that died
    /// with it. Or the ledger was lost.
    fn is_lost(&self, token: &Token) -> bool {
        let Some(name) = token.own_name().filter(|_| !self.plan.service.finds()) else { return false };
        let world = &self.around.world;
        let died = || world.ended_since(token.at);
        let known = self.around.api_server.knew(&name.uid16, name.attempt, &token.id);
        self.facts.restored || (!known && (!token.heard || died()))
    }

    /// The tokens that live at the service.
    fn living(&self) -> Vec<Token> {
        let now = self.around.world.now();
        self.around.services.with(|books| books.living(now).cloned().collect())
    }

    /// The objects that are expected to be there.
    fn expected(&self) -> impl Iterator<Item = usize> {
        (0..self.plan.tokens).filter(|index| !self.facts.deleted.contains(index))
    }
}
