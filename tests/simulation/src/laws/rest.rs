//! Laws of a world that was left alone for some hours.

use std::collections::BTreeSet;
use std::time::Duration;

use artifact_token_operator::rotation::identity;
use serde_json::Value;

use crate::excuses::CLAIM_SETTLES;
use crate::layout::Site;
use crate::life::Life;
use crate::objects::{self, companion_of, name_of, secret_of};
use crate::services::Token;

/// A token that nobody holds must be dead after its settle time, a sweep, and the longest overlap. A clock that jumped makes that an
/// hour longer.
const LONG: Duration = Duration::from_secs(2 * 3600);

/// A token that belongs to nobody is dead after two sweeps and an overlap.
const SWEPT: Duration = Duration::from_secs(3 * 3600 + 600);

/// The most entries of `possiblyLost`.
const MOST_REPORTED: usize = 32;

/// After some quiet hours.
pub fn of_rest(life: &Life) {
    let living = life.living();
    let mut uids = BTreeSet::new();
    for index in life.expected() {
        let Some(object) = life.around.api_server.token(index) else { continue };
        let uid = identity::uid16(object["metadata"]["uid"].as_str().unwrap_or_default());
        if life.is_its_own(index) {
            one_token_lives(life, index, &uid, &living);
            let waits = life.facts.far_ahead_until() + LONG > life.around.world.elapsed();
            if let Some(why) = life.out_of_order(index).filter(|_| !waits) {
                life.around.world.broke("L1", format!("{} is not in order: {why}", name_of(index)));
            }
        }
        lost_are_reported(life, &object, &uid, &living);
        if !life.is_taken(index) {
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
    let (tokens, now) = (life.around.services.tokens(), world.now());
    for object in life.around.api_server.all("artifacttokens") {
        // What another account has generated only that one can end, and show to be dead: a person must act first.
        let uid = identity::uid16(object["metadata"]["uid"].as_str().unwrap_or_default());
        let superseded = object["status"]["superseded"].as_array().map(Vec::as_slice).unwrap_or_default();
        // After a day without any sign it counts as ended (P9).
        let unproved =
            |token: &Token| !life.facts.unseen && superseded.iter().any(|old| old["id"] == token.id.as_str());
        let own = |token: &Token| token.own_name().is_some_and(|name| name.uid16 == uid);
        let owed = |token: &Token| token.lives(now) || unproved(token);
        if tokens.iter().any(|token| token.is_beyond_reach() && own(token) && owed(token)) {
            continue;
        }
        world.broke("L4", format!("{} is still there long after its deletion", object["metadata"]["name"]));
    }
    nothing_of_the_dead(life, &life.living(), &BTreeSet::new());
    strangers_live(life);
    no_secret_is_left(life);
    for index in &life.facts.squatted {
        let theirs = life.around.api_server.secret(*index);
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
        let server = &life.around.api_server;
        // What says that it was an earlier object's is taken over with the next token, and is nobody's until then (S8).
        let owner = |secret: &Value| {
            secret["metadata"]["annotations"]["artifact-token.dev/owner"].as_str().unwrap_or_default().to_owned()
        };
        let own = server.secret(index).is_some_and(|secret| !owner(&secret).ends_with(objects::FORMER));
        let left = own && server.token(index).is_none();
        let kept = server.get("secrets", life.plan.layout.namespace(index), &companion_of(index));
        if kept.is_some() && server.token(index).is_none() && !life.facts.left.contains(&index) {
            life.around.world.broke("P25", format!("{} is left behind", companion_of(index)));
        }
        if !others && !is_stray(life, index) && left {
            life.around.world.broke("P13", format!("{} is left behind", secret_of(index)));
        }
    }
}

/// Whether a Secret was created by a request that landed when nobody could wait for it any more: when the claim of its token had settled,
/// or as long after it was sent (S12).
fn is_stray(life: &Life, index: usize) -> bool {
    let server = &life.around.api_server;
    let (Some(secret), Some(created)) = (server.secret(index), server.secret_created_at(index)) else { return false };
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
    let (world, server, namespace) = (&life.around.world, &life.around.api_server, life.plan.layout.namespace(index));
    let held = server.secret(index).map(|secret| secret["data"]["token"].clone());
    let own = |token: &&Token| {
        !token.is_beyond_reach() && !life.is_lost(token) && token.own_name().is_some_and(|name| name.uid16 == uid)
    };
    for token in living.iter().filter(own) {
        let left = server.held_until((namespace, &secret_of(index)), &token.data(), None).unwrap_or(token.at);
        // A wait that begins by a clock that is ahead ends by that clock.
        if held.as_ref() != Some(&token.data()) && left.max(life.facts.far_ahead_until()) + LONG < world.elapsed() {
            world.broke("L1", format!("{} ({}) lives, and no Secret holds it since {left:?}", token.id, token.name));
        }
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
        let let_go = |uid: &String| life.facts.let_go.contains(uid) && !is_swept(life, uid);
        let left = |uid: &String| uids.contains(uid) || let_go(uid);
        // Its request landed when nobody could wait for it any more (S12), and the sweep only reports what it finds then.
        let stray = |uid: &str| token.stray && life.facts.gone.at(uid, token.at);
        // A store that went back behind the first claim lets the next one have its name: only the sweep finds the first token then.
        let twin = |other: &Token| other.at > token.at && other.own_name() == token.own_name();
        let twins = life.facts.restored && life.around.services.tokens().iter().any(twin);
        let excused = |uid: &String| left(uid) || stray(uid) || twins;
        let orphan = token.own_name().is_some_and(|name| !excused(&name.uid16));
        if orphan {
            life.around.world.broke("L3", format!("{} ({}) lives, and its object is gone", token.id, token.name));
        }
    }
}

/// Whether a sweep has revoked by now what was let go: one that finds it, one an hour or an overlap later, and what clocks that disagree
/// add to both.
fn is_swept(life: &Life, uid: &str) -> bool {
    let since = life.facts.gone.since(uid);
    let over = since.is_some_and(|since| since + SWEPT < life.around.world.elapsed());
    life.plan.sweep_revokes && life.plan.service.finds() && over
}

/// S3, seen from the strangers.
fn strangers_live(life: &Life) {
    let struck = life.around.world.excuses().struck.clone();
    let dead =
        |token: &&Token| token.own_name().is_none() && !token.by_hand && token.dead && !struck.contains(&token.value);
    let dead = life.around.services.tokens().iter().find(dead).map(|token| token.id.clone());
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
    pub(super) fn is_lost(&self, token: &Token) -> bool {
        let Some(name) = token.own_name().filter(|_| !self.plan.service.finds()) else { return false };
        let world = &self.around.world;
        let died = || world.ended_since(token.at);
        let known = self.around.api_server.knew(&name.uid16, name.attempt, &token.id);
        self.facts.restored || (!known && (!token.heard || died()))
    }

    /// Whether the Secret is somebody else's: then a person must act first.
    fn is_taken(&self, index: usize) -> bool {
        self.facts.squatted.contains(&index) || self.facts.forged.contains(&index)
    }

    /// Whether the operator may do with the object and its Secret what it wants. While it is suspended nothing new is made: what a hand
    /// took out of the Secret stays the current token.
    pub(super) fn is_its_own(&self, index: usize) -> bool {
        !self.facts.suspended.contains(&index) && !self.is_taken(index) && !self.facts.immutable.contains(&index)
    }

    /// Whether a condition asks a person for what is done after a restore, or where dead tokens were listed: confirms that there is no
    /// other cluster (P21), and says that most tokens are dead indeed (P20).
    pub(crate) fn asks_a_person(&self, index: usize) -> bool {
        let Some(object) = self.around.api_server.token(index) else { return false };
        let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
        let refused = ["TokensRefused", "RefusalUnconfirmed"];
        let asks = refused.iter().any(|reason| ready.is_some_and(|ready| ready["reason"] == *reason));
        let facts = &self.facts;
        let may_ask = facts.restored || facts.dead_listed || facts.unbelieved_ended;
        may_ask && (asks || object["status"]["conflict"].is_object())
    }

    /// L1: the Secret has a token that works, and the object says so; else what is wrong.
    pub(super) fn out_of_order(&self, index: usize) -> Option<String> {
        let object = self.around.api_server.token(index)?;
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        let secret = self.around.api_server.secret(index);
        let now = self.around.world.now();
        let works = secret.is_some_and(|secret| {
            let held = |token: &Token| token.lives(now) && token.data() == secret["data"]["token"];
            self.around.services.at(self.plan.layout.site(index).host, |books| books.tokens.iter().any(held))
                == Some(true)
        });
        let say = |one: &Value| format!("{}={} {}: {}", one["type"], one["status"], one["reason"], one["message"]);
        let why: Vec<String> = conditions.iter().map(say).collect();
        (!works || !ready).then(|| format!("its token works: {works}; {}", why.join("; ")))
    }

    /// What a service allows now.
    pub(super) fn allowed_in_a_minute(&self, site: Site) -> u32 {
        if site == self.plan.layout.first() { self.facts.per_minute } else { self.plan.second_per_minute }
    }

    /// The tokens that live at the service.
    fn living(&self) -> Vec<Token> {
        let now = self.around.world.now();
        self.around.services.tokens().into_iter().filter(|token| token.lives(now)).collect()
    }

    /// The objects that are expected to be there.
    pub(super) fn expected(&self) -> impl Iterator<Item = usize> {
        (0..self.plan.tokens).filter(|index| !self.facts.deleted.contains(index))
    }
}
