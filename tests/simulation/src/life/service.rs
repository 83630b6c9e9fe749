//! What people do to the service object and its credential, and what becomes of the service.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::Life;
use crate::act::{Act, Ban};
use crate::fate::Class;
use crate::objects;
use crate::overlaid::Overlaid;
use crate::services::{Behind, Books, Odd, OddEnd, Outage, Token};

/// How many tokens of one object are given up at most while none can be tried, because a rotation or a repair is due: one after the
/// settle time (P4), then after pauses that double from 10 s to an hour (S7).
fn in_vain(seconds: u32) -> usize {
    let (mut spent, mut pause, mut tries) = (0, 10, 0);
    while spent <= seconds {
        spent += 60 + pause;
        pause = (2 * pause).min(3600);
        tries += 1;
    }
    tries
}

/// How long the operator waits for *generate*.
const GENERATE_TIMEOUT: u32 = 60;

/// A service may not know a fresh token for so long.
const TOKEN_SETTLES: u32 = 60;

/// What was asked for so long ago may still be due: the longest trouble, and the next try after it.
const STILL_DUE: u32 = 2 * 3600;

impl Life {
    /// Tokens that an object with something due may spend without getting one that it can use.
    fn spent_in_vain(&mut self, seconds: u32) {
        let due = (0..self.plan.tokens).filter(|index| self.may_be_due(*index, seconds)).count();
        self.facts.allowed_tokens += due * in_vain(seconds);
    }

    /// Whether *generate* takes longer than the operator waits.
    fn generates_in_vain(&self) -> bool {
        let takes = self.around.services.with(|books| books.generate_takes);
        takes + 2 > u64::from(GENERATE_TIMEOUT)
    }

    fn seconds_left(&self) -> u32 {
        self.plan.seconds.saturating_sub(self.second)
    }

    /// Tokens that may be made because a leak was declared. The pauses between tries begin anew with it.
    pub(super) fn leak_costs(&self, objects: usize) -> usize {
        objects * if self.generates_in_vain() { in_vain(self.seconds_left()) } else { 1 }
    }

    /// Whether the object may want a token in the next seconds, or has been waiting for one.
    fn may_be_due(&self, index: usize, seconds: u32) -> bool {
        let plan = &self.plan;
        let (from, to) = (self.second.saturating_sub(STILL_DUE), self.second + seconds);
        let wants = |(at, act): &(u32, Act)| {
            let repeats = matches!(act, Act::EditInterval(..) | Act::EditLifetime(..));
            act.about().concerns(index, plan.layout) && act.wants_a_token() && *at <= to && (repeats || *at >= from)
        };
        let failed = plan.faults.iter().any(|fault| fault.of == Some(index) || fault.fate.kills());
        plan.hours > 0 || plan.life_hours > 0 || failed || plan.acts.iter().any(wants)
    }

    /// What becomes of the service.
    pub(super) fn at_service(&mut self, act: Act) {
        match act {
            Act::RefuseTokens(seconds) => {
                self.fails(seconds, |books| &mut books.refuses_tokens, ());
                // Where nothing else ever speaks, three refusals are a death (P20): one at once, one after an hour, then one a day.
                if !self.plan.service.finds() {
                    self.facts.allowed_tokens += self.plan.tokens * (3 + seconds as usize / 86_400);
                }
                self.spent_in_vain(seconds);
            }
            Act::EndToken(index) => self.end_token(index),
            // Who declares neither names nor that ids come again has said that they do not (P19).
            Act::ReuseIds => self.around.services.with(|books| books.reuses_ids = self.plan.service.names),
            Act::TokensAsIds => self.around.services.with(|books| books.tokens_as_ids = true),
            Act::Stranger => self.stranger(),
            Act::Outage(status, seconds) => self.out(Outage::all(status), seconds),
            Act::ListFails(status, seconds) => self.out(Outage::only(Class::List, status), seconds),
            Act::OneFails(class, status, seconds) => {
                self.out(Outage::only(class, status), seconds);
                if class == Class::Verify {
                    self.spent_in_vain(seconds);
                }
            }
            Act::FailsFor(index, class, status, seconds) => {
                self.out(Outage { of: Some(index), ..Outage::only(class, status) }, seconds);
                if class == Class::Verify && self.may_be_due(index, seconds) {
                    self.facts.allowed_tokens += in_vain(seconds);
                }
            }
            Act::OddList(odd, seconds) => self.odd_list(odd, seconds),
            Act::EmptyPages => self.around.services.with(|books| books.empty_pages = true),
            Act::Throttle(only, status, pause, seconds) => {
                self.out(Outage { pause: Some(pause), only, ..Outage::all(status) }, seconds);
                if only == Some(Class::Verify) {
                    self.spent_in_vain(seconds + pause.seconds);
                }
            }
            Act::OddEnd(odd, seconds) => self.odd_end(odd, seconds),
            Act::SlowGenerate(seconds) => {
                self.around.services.with(|books| books.generate_takes = seconds.into());
                // Nobody waits for the answer of so slow a call, and its token is made all the same.
                if self.generates_in_vain() {
                    self.spent_in_vain(self.seconds_left());
                }
            }
            Act::Behind(only, by, seconds) => self.behind(only, by, seconds),
            _ => {}
        }
    }

    /// What *generate* says of the end of a token is odd.
    fn odd_end(&mut self, odd: OddEnd, seconds: u32) {
        self.fails(seconds, |books| &mut books.odd_end, odd);
        let due = (0..self.plan.tokens).filter(|index| self.may_be_due(*index, seconds)).count();
        self.facts.allowed_tokens += due * odd.tokens_within(seconds) as usize;
    }

    /// Tokens die of whose end the operator believes nothing. Somebody asks about them.
    pub(super) fn end_unbelieved(&mut self) {
        let now = self.around.world.now();
        let mut broken = false;
        let concerned: BTreeSet<usize> = self.around.services.with(|books| {
            let doubted = books.tokens.iter_mut().filter(|token| token.unbelieved);
            doubted
                .filter_map(|token| {
                    broken |= token.own_name().is_some();
                    token.expires = token.expires.map(|expires| expires.min(now));
                    token.object()
                })
                .collect()
        });
        self.facts.unbelieved_ended |= broken;
        concerned.into_iter().for_each(|index| self.act(Act::Reconcile(index)));
    }

    /// Operations answer from a replica that is behind.
    fn behind(&mut self, only: Option<Class>, by: u32, seconds: u32) {
        let behind = Behind { by: Duration::from_secs(by.into()), only };
        self.around.services.with(|books| books.most_behind = books.most_behind.max(behind.by));
        self.fails(seconds, |books| &mut books.behind, behind);
        // A token that is not known for longer than any token may be counts as refused; so does one that had been accepted.
        if by > TOKEN_SETTLES && only != Some(Class::List) {
            self.facts.allowed_tokens += self.plan.tokens;
            self.spent_in_vain(seconds);
        }
    }

    /// What people do to the service object and its credential.
    pub(super) fn with_service(&mut self, act: Act) {
        let first = self.plan.layout.first();
        match act {
            Act::TouchCredential => {
                self.requests += 1;
                let patch = json!({"metadata": {"labels": {"touched": self.requests.to_string()}}});
                self.tell("PATCH", &first.credential(), &patch);
            }
            Act::WrongCredential(seconds) => self.another_key("wrong", seconds),
            Act::OtherAccount(seconds) => {
                self.another_key(objects::OTHER_KEY, seconds);
                // A person asks for a token, or a claim was on its way.
                self.facts.allowed_tokens += self.plan.tokens;
            }
            Act::Limit(number) => {
                let patch = json!({"spec": {"limits": {"requestsPerMinute": number}}});
                self.tell("PATCH", &first.path(), &patch);
                let mut excuses = self.around.world.excuses();
                excuses.per_minute.entry(first.host).and_modify(|most| *most = number.max(*most));
                drop(excuses);
                self.facts.per_minute = number;
            }
            _ => {}
        }
    }

    /// A person ends at the service what the Secret of the object holds.
    pub(super) fn end_token(&mut self, index: usize) {
        let secret = self.around.api_server.secret(index);
        let Some(held) = secret.map(|secret| secret["data"]["token"].clone()) else { return };
        let elapsed = self.around.world.elapsed();
        let host = self.plan.layout.site(index).host;
        let ended = self.around.services.at(host, |books| {
            let token = books.tokens.iter_mut().find(|token| token.data() == held)?;
            (token.dead, token.died) = (true, Some(elapsed));
            Some(token.value.clone())
        });
        self.facts.ended_by_hand.extend(ended.flatten());
        self.facts.allowed_tokens += 1;
    }

    /// Somebody else makes a token.
    pub(super) fn stranger(&mut self) {
        let world = self.around.world.clone();
        self.around.services.with(|books| {
            let (id, value) = (books.next_id(), format!("alice-{}", books.tokens.len()));
            books.tokens.push(Token::new(id, "alice's own laptop".to_owned(), value, objects::KEY, &world));
        });
    }

    /// The credential has another value for a while.
    fn another_key(&mut self, key: &str, seconds: u32) {
        let first = self.plan.layout.first();
        let number = self.keys.lock().unwrap().begin(key.to_owned());
        self.tell("PATCH", &first.credential(), &json!({"stringData": {"key": key}}));
        let (server, keys) = (self.around.api_server.clone(), self.keys.clone());
        self.beside.spawn(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            let mut keys = keys.lock().unwrap();
            keys.end(number);
            let now = keys.newest().map_or(objects::KEY, String::as_str);
            let _ = server.act("PATCH", &first.credential(), &json!({"stringData": {"key": now}}));
        });
    }

    /// Somebody deletes the service object, and sees after a while that its finalizer holds it: takes it off, and creates it again.
    pub(super) fn remake_service(&mut self, seconds: u32) {
        let first = self.plan.layout.first();
        let number = self.service_gone.lock().unwrap().begin(());
        self.tell("DELETE", &first.path(), &Value::Null);
        let (server, gone) = (self.around.api_server.clone(), self.service_gone.clone());
        let object = self.service_object(first, self.facts.per_minute);
        self.beside.spawn(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            let mut gone = gone.lock().unwrap();
            gone.end(number);
            if gone.newest().is_none() {
                objects::make_service_again(&server, first, &object);
            }
        });
        self.facts.allowed_tokens += self.plan.tokens;
    }

    /// The service object forbids something for a while.
    pub(super) fn forbid(&mut self, ban: Ban, seconds: u32) {
        let (server, bans, first) = (self.around.api_server.clone(), self.bans.clone(), self.plan.layout.first());
        let write = move |bans: &Overlaid<Ban>| {
            let bans: Vec<Ban> = bans.iter().copied().collect();
            let _ = server.act("PATCH", &first.path(), &json!({"spec": Ban::spec(first, &bans)}));
        };
        let number = {
            let mut bans = bans.lock().unwrap();
            let number = bans.begin(ban);
            write(&bans);
            number
        };
        self.beside.spawn(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            let mut bans = bans.lock().unwrap();
            bans.end(number);
            write(&bans);
        });
        // A token that was given up for it is asked for again.
        self.facts.allowed_tokens += self.plan.tokens;
    }

    /// The service's list is odd for a while.
    pub(super) fn odd_list(&mut self, odd: Odd, seconds: u32) {
        self.fails(seconds, |books| &mut books.odd, odd);
        if !odd.is_truthful() {
            self.facts.allowed_tokens += self.plan.tokens;
        }
        self.facts.dead_listed |= odd == Odd::Dead;
    }

    pub(super) fn out(&mut self, outage: Outage, seconds: u32) {
        self.fails(seconds, |books| &mut books.outages, outage);
    }

    /// Something is wrong for a while.
    fn fails<T: 'static>(&mut self, seconds: u32, of: fn(&mut Books) -> &mut Overlaid<T>, what: T) {
        let services = self.around.services.clone();
        let number = services.with(|books| of(books).begin(what));
        self.beside.spawn(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            services.with(|books| of(books).end(number));
        });
    }
}
