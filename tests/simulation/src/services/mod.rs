//! Token services that tell the truth (the preset `Reference`), and what can be wrong with them.

mod carrier;
mod operations;
mod pages;
mod wrong;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifact_token_operator::rotation::identity::{self, Name};
use chrono::{DateTime, Utc};
use data_encoding::BASE64;
use serde_json::{Value, json};

pub use carrier::Carrier;
pub use operations::{Asked, addressed};
pub use wrong::{Asks, Behind, ENDS, ODDITIES, Odd, OddEnd, Outage, Pause};

use crate::fate::Class;
use crate::objects;
use crate::overlaid::Overlaid;
use crate::world::World;

/// How long after its answer an id may be used that a list has shown.
const IN_USE: Duration = Duration::from_secs(60);

/// One token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its id at the service.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// The token itself.
    pub value: String,
    /// The credential that generated it: no other one lists or ends it.
    pub account: String,
    /// When it was generated, by the service's clock.
    pub created: DateTime<Utc>,
    /// The same, since the beginning.
    pub at: Duration,
    /// By how many seconds the API server's clock was ahead then.
    pub ahead: i64,
    /// When it expires.
    pub expires: Option<DateTime<Utc>>,
    /// What it said of the end the operator cannot believe.
    pub unbelieved: bool,
    /// It was ended.
    pub dead: bool,
    /// When, since the beginning.
    pub died: Option<Duration>,
    /// When the service accepted it first, since the beginning.
    pub accepted: Option<Duration>,
    /// When it accepted it last, by its clock.
    pub used: Option<DateTime<Utc>>,
    /// The process that asked for it got the answer.
    pub heard: bool,
    /// A person made it.
    pub by_hand: bool,
    /// It was made when its claim had settled long ago: nobody can wait for that (S12).
    pub stray: bool,
}

impl Token {
    /// A token that lives, and of which nobody knows yet.
    pub fn new(id: String, name: String, value: String, account: &str, world: &World) -> Self {
        let (created, at, account) = (world.now(), world.elapsed(), account.to_owned());
        let ahead = world.skew.load(Ordering::Relaxed);
        let (unbelieved, dead, heard, stray, by_hand) = (false, false, false, false, false);
        let (expires, died, accepted, used) = (None, None, None, None);
        Self {
            id,
            name,
            value,
            account,
            created,
            at,
            ahead,
            expires,
            unbelieved,
            dead,
            died,
            accepted,
            used,
            heard,
            by_hand,
            stray,
        }
    }

    /// Whether it still works.
    pub fn lives(&self, now: DateTime<Utc>) -> bool {
        !self.dead && self.expires.is_none_or(|expires| expires > now)
    }

    /// Whether a replica shows it that knows what happened until then. Everybody knows when it expires.
    pub fn shows(&self, seen: Duration, now: DateTime<Utc>) -> bool {
        let ended = self.died.is_some_and(|died| died <= seen);
        self.at <= seen && !ended && self.expires.is_none_or(|expires| expires > now)
    }

    /// Its value as the data of a Secret has it.
    pub fn data(&self) -> Value {
        json!(BASE64.encode(self.value.as_bytes()))
    }

    /// What its name says; `None` for the token of a stranger.
    pub fn own_name(&self) -> Option<Name> {
        identity::parse(objects::PREFIX, &self.name)
    }

    /// Whether the credential that the operator has in the end can neither list nor end it (P19).
    pub fn is_beyond_reach(&self) -> bool {
        self.account == objects::OTHER_KEY
    }

    /// The object that its name shows to people.
    pub fn object(&self) -> Option<usize> {
        objects::index_of(self.name.rsplit('/').next()?)
    }
}

/// What a service knows.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// All tokens that ever were.
    pub tokens: Vec<Token>,
    /// Its tokens have no names that anybody sees.
    pub nameless: bool,
    /// A person makes its tokens.
    pub by_hand: bool,
    /// The id of the newest token is given again once that is gone.
    pub reuses_ids: bool,
    /// The id of a token is the token.
    pub tokens_as_ids: bool,
    /// Every token gets 401; the operator's own account works.
    pub refuses_tokens: Overlaid<()>,
    /// Nothing works, or some operation does not.
    pub outages: Overlaid<Outage>,
    /// What is odd about its list.
    pub odd: Overlaid<Odd>,
    /// What it answers from replicas that are behind.
    pub behind: Overlaid<Behind>,
    /// The most that one of them ever was.
    pub most_behind: Duration,
    /// What is odd about the ends that it says.
    pub odd_end: Overlaid<OddEnd>,
    /// The first page of its list has no rows, and names a next one.
    pub empty_pages: bool,
    /// For a broken rule: ids that the operator takes for dead.
    pub believed_dead: BTreeSet<String>,
    /// How many seconds *generate* takes.
    pub generate_takes: u64,
    /// How many calls of each class came.
    pub calls: BTreeMap<Class, u64>,
    /// When calls came, since the beginning, and from whom.
    pub times: Vec<(Duration, u32)>,
    /// Who was told when, and may not call until when.
    pub pauses: BTreeMap<u32, (Duration, Duration)>,
}

impl Books {
    /// The id of the next token.
    pub fn next_id(&self) -> String {
        let free = self.tokens.last().filter(|newest| self.reuses_ids && newest.dead);
        free.map_or_else(|| format!("id-{}", self.tokens.len() + 1), |newest| newest.id.clone())
    }

    /// An answer with this token has reached a process.
    pub fn heard(&mut self, value: &Value) {
        let token = value.as_str().and_then(|value| self.tokens.iter_mut().find(|token| token.value == value));
        token.into_iter().for_each(|token| token.heard = true);
    }

    /// What is wrong with this operation for this object.
    pub fn outage(&self, class: Class, of: Option<usize>) -> Option<Outage> {
        let concerned =
            |outage: &&Outage| outage.only.is_none_or(|only| only == class) && (outage.of.is_none() || outage.of == of);
        self.outages.iter().rev().find(concerned).copied()
    }

    /// Since the beginning: the time as of which this operation answers.
    pub fn seen(&self, class: Class, elapsed: Duration) -> Duration {
        let concerned = |behind: &&Behind| behind.only.is_none_or(|only| only == class);
        let behind = self.behind.iter().rev().find(concerned).map(|behind| behind.by);
        elapsed.saturating_sub(behind.unwrap_or_default())
    }

    /// Whether a replica that is behind may just have shown the token that had the id of this one before: nobody could know whose it is.
    pub fn may_show_another(&self, token: &Token, elapsed: Duration) -> bool {
        self.reuses_ids && !self.most_behind.is_zero() && elapsed < token.at + self.most_behind + IN_USE
    }

    /// What is odd about its list.
    pub fn odd(&self) -> Option<Odd> {
        self.odd.newest().copied()
    }

    /// Everything works again.
    pub fn mend(&mut self) {
        self.refuses_tokens.clear();
        self.outages.clear();
        self.odd.clear();
        self.behind.clear();
        self.odd_end.clear();
        self.generate_takes = 0;
    }

    /// The tokens that live.
    pub fn living(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(move |token| token.lives(now))
    }
}

/// All services, by host. Shared by all processes.
#[derive(Clone, Debug, Default)]
pub struct Services(Arc<Mutex<BTreeMap<String, Books>>>);

impl Services {
    /// Does something with the books of a service, if there is one of this host.
    pub fn at<T>(&self, host: &str, act: impl FnOnce(&mut Books) -> T) -> Option<T> {
        self.0.lock().unwrap().get_mut(host).map(act)
    }

    /// From now on there is one of this host.
    pub fn open(&self, host: &str, books: Books) {
        self.0.lock().unwrap().insert(host.to_owned(), books);
    }

    /// Does something with the books of each service.
    pub fn each(&self, act: impl FnMut(&mut Books)) {
        self.0.lock().unwrap().values_mut().for_each(act);
    }

    /// The tokens of all services.
    pub fn tokens(&self) -> Vec<Token> {
        self.0.lock().unwrap().values().flat_map(|books| books.tokens.iter().cloned()).collect()
    }

    /// The same as [`at`](Self::at) with the first service of a life.
    pub fn with<T>(&self, act: impl FnOnce(&mut Books) -> T) -> T {
        act(self.0.lock().unwrap().entry(objects::HOST.to_owned()).or_default())
    }
}
