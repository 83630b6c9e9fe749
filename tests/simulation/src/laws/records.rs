//! What must hold of every state that a process stores, whatever happens at the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT;
use artifact_token_operator::api::ids::MAX_ATTEMPT;
use artifact_token_operator::rotation::identity;
use serde_json::Value;

use super::hindered::hindered;
use crate::api_server::{Held, Stored};
use crate::life::Life;
use crate::objects;
use crate::services::Token;
use crate::world::since_epoch;

const HOUR: Duration = Duration::from_secs(3600);

/// What somebody else did to a Secret is not noticed at once: a pass that is under way ends first, and a watch may lag.
const UNNOTICED: Duration = Duration::from_secs(120);

/// An expiry is noticed by the pass after it.
const EXPIRES: Duration = Duration::from_secs(60);

/// Status writes that change no fact, of one object by one process in an hour (P24).
const MOST_TOLD: usize = 12;

/// The longest wait until a revoke is tried again (L8), and what a service may ask for beyond.
const NEXT_TRY: Duration = Duration::from_secs(3600 + 60 + 600);

/// A try comes so soon after it is due.
const IS_TRIED: Duration = Duration::from_secs(1800);

/// S5, S12, S13, P24, L8 in every state.
pub fn of_records(life: &Life) {
    let known = Known::new(life);
    for stored in life.around.api_server.stored("secrets").iter().filter(|stored| !stored.gone) {
        one_write(life, stored, &known);
    }
    let (ends, states): (Vec<Stored>, Vec<Stored>) =
        life.around.api_server.stored("artifacttokens").into_iter().partition(|stored| stored.gone);
    for stored in &ends {
        nothing_lives(life, stored, &known);
    }
    for stored in &states {
        ready_is_true(life, stored, &known);
    }
    told(life, &states);
    retried(life, &states);
}

/// What is asked about each state.
struct Known {
    tokens: Vec<Token>,
    /// Our tokens by the data of their Secrets.
    by_data: BTreeMap<String, usize>,
    /// What the Secret of each object has held.
    held: Vec<Vec<Held>>,
}

impl Known {
    fn new(life: &Life) -> Self {
        let tokens = life.around.services.tokens();
        let own = tokens.iter().enumerate().filter(|(_, token)| token.own_name().is_some() || token.by_hand);
        let data = |token: &Token| token.data().as_str().unwrap_or_default().to_owned();
        let by_data = own.map(|(number, token)| (data(token), number)).collect();
        let held = (0..life.plan.tokens).map(|index| life.around.api_server.held(index)).collect();
        Self { tokens, by_data, held }
    }
}

/// S5: the marks of a Secret are those of the token in its data.
fn one_write(life: &Life, stored: &Stored, known: &Known) {
    let (metadata, data) = (&stored.new["metadata"], &stored.new["data"]["token"]);
    let name = metadata["name"].as_str().unwrap_or_default();
    // Those of tokens that are handed over have no marks.
    if objects::index_of(name).is_some_and(|index| name != objects::secret_of(index)) {
        return;
    }
    let mark = |key: &str| metadata["annotations"][format!("artifact-token.dev/{key}")].as_str().unwrap_or_default();
    let (attempt, id) = (mark("attempt"), mark("token-id"));
    let parts = |object: &Value| {
        let text = |key: &str| {
            object["metadata"]["annotations"][format!("artifact-token.dev/{key}")]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        // No number, or one that no attempt has, says the same as a zero.
        let attempt = text("attempt").parse::<u32>().ok().filter(|attempt| *attempt <= MAX_ATTEMPT).unwrap_or_default();
        (object["data"]["token"].clone(), attempt, text("token-id"))
    };
    // A fence that is raised, or a label that is written again, leaves all that as somebody else made it.
    if stored.old.as_ref().is_some_and(|old| parts(old) == parts(&stored.new)) {
        return;
    }
    let token = data.as_str().and_then(|data| known.by_data.get(data)).map(|number| &known.tokens[*number]);
    // A fence can make the Secret of a former object this one's: it still holds what it held, and no mark speaks of that (P22).
    let owner = |object: &Value| {
        object["metadata"]["annotations"]["artifact-token.dev/owner"].as_str().unwrap_or_default().to_owned()
    };
    let same_name = |old: &Value| {
        let (old, new) = (owner(old), owner(&stored.new));
        old != new && old.rsplit_once('/').map(|(name, _)| name) == new.rsplit_once('/').map(|(name, _)| name)
    };
    let kept = |old: &Arc<Value>| old["data"] == stored.new["data"] && same_name(old);
    let taken_over = stored.old.as_ref().is_some_and(kept) && attempt == "0" && id.is_empty();
    let right = taken_over
        || match (token, data.as_str()) {
            (Some(token), _) if token.by_hand => id == format!("hand-over-{attempt}"),
            (Some(token), _) => {
                let of = token.own_name().expect("it was looked for");
                of.attempt.to_string() == attempt && token.id == id
            }
            // A placeholder.
            (None, None | Some("")) => attempt == "0" && id.is_empty(),
            (None, Some(_)) => false,
        };
    if !right {
        let what = token.map_or("no token of ours", |token| token.id.as_str());
        let how = format!("{} holds {what}, and says attempt {attempt}, id {id}, at {:?}", metadata["name"], stored.at);
        life.around.world.broke("S5", how);
    }
}

/// S13: Ready is True only for a current token that was verified, that the Secret holds, and that is neither refused, rejected nor expired.
fn ready_is_true(life: &Life, stored: &Stored, known: &Known) {
    let status = &stored.new["status"];
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_ready = |one: &&Value| one["type"] == "Ready" && one["status"] == "True";
    let Some(ready) = conditions.iter().find(is_ready) else { return };
    // The finalizer and other metadata are written without a look at the conditions.
    if stored.old.as_ref().is_some_and(|old| old["status"] == *status) {
        return;
    }
    if let Some(why) = why_not(life, stored, known, ready) {
        let name = &stored.new["metadata"]["name"];
        life.around.world.broke("S13", format!("{name} is Ready at {:?}, and {why}", stored.at));
    }
}

/// Why the condition is wrong.
fn why_not(life: &Life, stored: &Stored, known: &Known, ready: &Value) -> Option<String> {
    let (metadata, current) = (&stored.new["metadata"], &stored.new["status"]["current"]);
    let uid = identity::uid16(metadata["uid"].as_str().unwrap_or_default());
    if ["refusedTime", "rejectedTime"].iter().any(|field| current[*field].is_string()) {
        return Some("its token is refused".into());
    }
    let is_it = |token: &&Token| {
        token.id == current["id"]
            && token.own_name().is_some_and(|name| name.uid16 == uid && current["attempt"] == name.attempt)
    };
    let index = objects::index_of(metadata["name"].as_str().unwrap_or_default())?;
    // Only what the Secret held tells which of the tokens of a person it is.
    let held = known.held[index].iter().rev().filter(|held| held.from <= stored.at);
    let by_hand = held.filter_map(|held| known.tokens.iter().find(|token| token.by_hand && token.data() == held.data));
    let by_hand = by_hand.into_iter().next().filter(|_| current["handOver"].is_object());
    let found = by_hand.or_else(|| known.tokens.iter().find(is_it));
    let Some(token) = found else { return Some("it has no token".into()) };
    let accepted = token.accepted.is_some_and(|at| at <= stored.at);
    if (ready["reason"] == "TokenValid") != accepted {
        return Some(format!("{}: {} was accepted: {accepted}", ready["reason"], token.id));
    }
    let now = life.around.world.now() - life.around.world.elapsed() + stored.at;
    let jumped = !life.around.world.excuses().jumps.is_empty();
    if !jumped && token.expires.is_some_and(|expires| expires + EXPIRES < now) {
        return Some(format!("{} has expired at {:?}", token.id, token.expires));
    }
    let held = known.held[index].iter().rev().find(|held| held.data == token.data() && held.from <= stored.at);
    not_held(life, index, stored, token, held)
}

/// Whether a process knew that the Secret does not hold it.
fn not_held(life: &Life, index: usize, stored: &Stored, token: &Token, held: Option<&Held>) -> Option<String> {
    let Some(held) = held else { return Some(format!("its Secret never held {}", token.id)) };
    let until = held.until.filter(|until| *until <= stored.at)?;
    let others = held.taken_by != stored.who;
    // What a process wrote itself it does not know either if the answer got lost.
    let unnoticed = (others && until + UNNOTICED >= stored.at) || hindered(life, index, &[], until, stored.at);
    (!unnoticed).then(|| format!("its Secret holds {} no more since {until:?}, by {}", token.id, held.taken_by))
}

/// S12: the finalizer goes only when nothing of the object lives, but what was let go, and what nobody can find or end.
fn nothing_lives(life: &Life, stored: &Stored, known: &Known) {
    let uid = identity::uid16(stored.new["metadata"]["uid"].as_str().unwrap_or_default());
    let now = life.around.world.now() - life.around.world.elapsed() + stored.at;
    let index = objects::index_of(stored.new["metadata"]["name"].as_str().unwrap_or_default());
    let held = |index: usize, token: &Token| known.held[index].iter().any(|held| held.data == token.data());
    let taken_up = |token: &Token| token.by_hand && index.is_some_and(|index| held(index, token));
    let lives = |token: &&Token| {
        token.at < stored.at
            && token.died.is_none_or(|died| died > stored.at)
            && token.expires.is_none_or(|expires| expires > now)
            && (token.own_name().is_some_and(|name| name.uid16 == uid) || taken_up(token))
    };
    let found = |token: &&Token| !token.is_beyond_reach() && !life.is_lost(token) && !token.stray;
    let excused = life.facts.let_go.contains(&uid) || life.facts.restored;
    if let Some(token) = known.tokens.iter().filter(lives).find(found).filter(|_| !excused) {
        let how = format!("{} ({}) lives when its object goes at {:?}", token.id, token.name, stored.at);
        life.around.world.broke("S12", how);
    }
}

/// P24: a status write that changes no fact goes out at most so often; where people make the tokens, since its process saw one begin or end
/// to work, or somebody asked for one.
fn told(life: &Life, states: &[Stored]) {
    let mut rows: BTreeMap<(String, u32), Vec<Vec<Duration>>> = BTreeMap::new();
    let (by_hand, mut requests) = (life.plan.service.by_hand, BTreeMap::new());
    for stored in states {
        let name = stored.new["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        // What a person wrote shows in the next version that a process writes.
        let request = stored.new["metadata"]["annotations"][ROTATE_REQUESTED_AT].clone();
        let asks = request.is_string() && request != stored.new["status"]["handledRequests"]["rotate"];
        if by_hand && asks && requests.insert(name.clone(), request.clone()) != Some(request) {
            rows.iter_mut().filter(|((of, _), _)| *of == name).for_each(|(_, rows)| rows.push(Vec::new()));
        }
        let rows = rows.entry((name, stored.who)).or_insert_with(|| vec![Vec::new()]);
        match rows.last_mut() {
            Some(row) if only_tells(stored) => row.push(stored.at),
            Some(_) | None if by_hand && begins_or_ends(stored) => rows.push(Vec::new()),
            Some(_) | None => {}
        }
    }
    // A clock that was set back forgets what was told ahead of it.
    let most = MOST_TOLD * (1 + life.around.world.excuses().jumps.len());
    for ((uid, who), rows) in rows {
        let within =
            |row: &[Duration], from: Duration| row.iter().filter(|at| **at >= from && **at < from + HOUR).count();
        let most_of = |row: &Vec<Duration>| row.iter().map(|from| within(row, *from)).max().unwrap_or_default();
        let count = rows.iter().map(most_of).max().unwrap_or_default();
        if count > most {
            life.around
                .world
                .broke("P24", format!("{count} status writes of {uid} by {who} in an hour change no fact"));
        }
    }
}

/// Whether it records that a token was verified, is refused for good, or is dead.
fn begins_or_ends(stored: &Stored) -> bool {
    let facts = |object: &Value| {
        let status = &object["status"];
        let current = &status["current"];
        let current = [&current["verifiedTime"], &current["attempt"], &current["rejectedTime"]].map(Clone::clone);
        (current, status["history"].clone())
    };
    stored.old.as_ref().is_none_or(|old| facts(old) != facts(&stored.new))
}

/// What is told is in the conditions, and in the times that people want to see.
fn only_tells(stored: &Stored) -> bool {
    let facts = |object: &Value| {
        let mut status = object["status"].clone();
        if let Some(fields) = status.as_object_mut() {
            ["conditions", "nextRotationTime", "binding"].iter().for_each(|field| _ = fields.remove(*field));
        }
        status
    };
    stored.old.as_ref().is_some_and(|old| old["status"] != stored.new["status"] && facts(old) == facts(&stored.new))
}

/// L8: a revoke is tried again within an hour, until the token is dead.
fn retried(life: &Life, states: &[Stored]) {
    let mut due: BTreeMap<(String, String), (u64, Duration)> = BTreeMap::new();
    let jumped = !life.around.world.excuses().jumps.is_empty();
    for stored in states.iter().filter(|_| !jumped) {
        let name = stored.new["metadata"]["name"].as_str().unwrap_or_default();
        let all = stored.new["status"]["superseded"].as_array().map(Vec::as_slice).unwrap_or_default();
        let find = |id: &str| all.iter().find(|old| old["id"] == id);
        let tries = |old: &Value| old["tries"].as_u64().unwrap_or_default();
        // What is not there any more is dead, and what has another number was tried.
        due.retain(|(of, id), (count, next)| {
            let over = of == name && find(id).is_none_or(|old| tries(old) != *count);
            if over {
                tried_in_time(life, of, id, *next, stored.at);
            }
            !over
        });
        for old in all {
            let Some(next) = old["nextTryTime"].as_str().and_then(since_epoch) else { continue };
            let id = old["id"].as_str().unwrap_or_default().to_owned();
            if next > stored.at + NEXT_TRY {
                let how = format!("{id} of {name} is tried again at {next:?}, as {:?} says", stored.at);
                life.around.world.broke("L8", how);
            }
            due.entry((name.to_owned(), id)).or_insert((tries(old), next));
        }
    }
    for ((name, id), (_, next)) in due {
        tried_in_time(life, &name, &id, next, life.facts.judged);
    }
}

fn tried_in_time(life: &Life, name: &str, id: &str, next: Duration, at: Duration) {
    let Some(index) = objects::index_of(name) else { return };
    if next + IS_TRIED < at && !hindered(life, index, &[], next, at) {
        life.around
            .world
            .broke("L8", format!("{id} of {name} should have been tried at {next:?}, and was not until {at:?}"));
    }
}
