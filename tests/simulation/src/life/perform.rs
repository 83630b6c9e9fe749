//! How each act is done.

use std::sync::atomic::Ordering;
use std::time::Duration;

use artifact_token_operator::rotation::identity;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Life, person};
use crate::act::{Act, Offered};
use crate::excuses::Leak;
use crate::objects;
use crate::world::stamp;

impl Life {
    /// Does it.
    pub(super) fn act(&mut self, act: Act) {
        self.around.world.say(0, || act.story());
        self.facts.done.push((self.around.world.elapsed(), act));
        match act {
            Act::Create(_) | Act::Delete(_) | Act::DeleteAll | Act::LetGo(_) | Act::Suspend(..) | Act::Strip(_) => {
                self.with_object(act)
            }
            Act::Rotate(_) | Act::Reconcile(_) | Act::EditScopes(_) | Act::Leak(_) => self.asked(act),
            Act::LeakAll | Act::LeakAhead(_) => self.asked(act),
            Act::EditInterval(..) | Act::EditOverlap(..) | Act::EditLifetime(..) => self.edit(act),
            Act::DeleteSecret(_) | Act::EditSecret(_) | Act::Squat(_) | Act::Forge(..) | Act::Immutable(_) => {
                self.with_secret(act)
            }
            Act::Mark(..) | Act::Note(..) | Act::SkipNot(_) => self.annotate(act),
            Act::CopySecret(_) | Act::CopyAbroad(_) | Act::RestoreSecret(..) => self.copy_secret(act),
            Act::Fight(index, over_the_token, seconds) => self.fight(index, over_the_token, seconds),
            Act::TouchCredential | Act::WrongCredential(_) | Act::OtherAccount(_) | Act::Limit(_) => {
                self.with_service(act)
            }
            Act::RemakeService(seconds) => self.remake_service(seconds),
            Act::Forbid(ban, seconds) => self.forbid(ban, seconds),
            Act::RefuseTokens(_)
            | Act::EndToken(_)
            | Act::ReuseIds
            | Act::TokensAsIds
            | Act::Stranger
            | Act::Outage(..)
            | Act::ListFails(..)
            | Act::OneFails(..)
            | Act::OddList(..)
            | Act::EmptyPages
            | Act::Throttle(..)
            | Act::SlowGenerate(_)
            | Act::FailsFor(..)
            | Act::OddEnd(..)
            | Act::Behind(..) => self.at_service(act),
            Act::HandOver(index, offered) => self.hand_over(index, offered),
            Act::Kill => {
                let line = self.first.lock().unwrap().clone();
                line.into_iter().for_each(|line| line.cut());
                self.facts.allowed_tokens += self.plan.tokens;
                self.facts.interrupted += 1;
            }
            Act::Second(seconds) => {
                self.run_second(Duration::from_secs(seconds.into()));
                self.facts.interrupted += 2;
                self.facts.allowed_tokens += self.plan.tokens;
            }
            Act::HoldLeader(_) | Act::DeleteLease | Act::TakeLease => self.disturb_election(act),
            Act::BreakWatches => self.around.api_server.break_watches(),
            Act::Compact => self.around.api_server.compact(),
            Act::Lag(lag, seconds) => self.lags(lag, seconds),
            Act::Api(trouble, seconds) => self.api_trouble(trouble, seconds),
            Act::Restore(backup, back) => self.restore(backup, back),
            Act::ClockStep(_) | Act::Sleep(_) => self.a_clock_jumps(act),
        }
    }

    /// Somebody hands something over.
    fn hand_over(&mut self, index: usize, offered: Offered) {
        let held = self.around.api_server.secret(index).and_then(|secret| {
            let tokens = self.around.services.tokens();
            tokens.into_iter().find(|token| token.data() == secret["data"]["token"]).map(|token| token.value)
        });
        let value = match offered {
            Offered::New => {
                let object = self.around.api_server.token(index).unwrap_or_default();
                let life = object["spec"]["lifetime"].as_str().unwrap_or_default();
                person::make(&self.around, self.plan.layout, index, life)
            }
            Offered::Current => held.unwrap_or_default(),
            Offered::Strange => "never-issued".to_owned(),
            Offered::Nothing => String::new(),
        };
        person::hand_over(&self.around, self.plan.layout, index, &value);
    }

    fn a_clock_jumps(&mut self, act: Act) {
        let world = &self.around.world;
        match act {
            Act::ClockStep(seconds) => _ = world.skew.fetch_add(seconds, Ordering::Relaxed),
            Act::Sleep(seconds) => _ = world.slept.fetch_add(seconds, Ordering::Relaxed),
            _ => {}
        }
        // A machine that slept finds out when it wakes.
        let now = world.elapsed();
        world.excuses().jumps.push(now);
        self.facts.skews.push((now, world.skew.load(Ordering::Relaxed)));
        self.facts.allowed_tokens += self.plan.tokens;
    }

    /// What people do to an object.
    fn with_object(&mut self, act: Act) {
        match act {
            Act::Create(index) => {
                let overlap =
                    self.plan.mutation.map_or(self.plan.overlap_seconds, |one| one.overlap(self.plan.overlap_seconds));
                let mut object =
                    objects::token(index, self.plan.layout.site(index), self.plan.hours, self.plan.life_hours, overlap);
                if !self.plan.probe {
                    object["spec"]["verification"] = json!({"probe": "Disabled"});
                }
                if self.tell("POST", &self.plan.layout.tokens(index), &object) {
                    self.overlap_is(index, self.plan.overlap_seconds);
                    self.facts.allowed_tokens += 1;
                    self.facts.deleted.remove(&index);
                    self.facts.suspended.remove(&index);
                    // Its own Secret went with the object before it.
                    self.facts.immutable.remove(&index);
                }
            }
            Act::Delete(index) => {
                if self.plan.mutation.is_some_and(|one| one.has_no_finalizers()) {
                    self.tell("PATCH", &self.plan.layout.token(index), &json!({"metadata": {"finalizers": null}}));
                }
                self.notice_let_go(index);
                if let Some(object) = self.around.api_server.token(index) {
                    let uid = identity::uid16(object["metadata"]["uid"].as_str().unwrap_or_default());
                    self.facts.gone.begin(&uid, self.around.world.elapsed());
                }
                self.tell("DELETE", &self.plan.layout.token(index), &Value::Null);
                self.facts.deleted.insert(index);
            }
            Act::DeleteAll => {
                let there: Vec<usize> =
                    (0..self.plan.tokens).filter(|index| !self.facts.deleted.contains(index)).collect();
                there.into_iter().for_each(|index| self.act(Act::Delete(index)));
            }
            Act::LetGo(index) => self.let_go(index),
            Act::Suspend(index, on) => {
                self.tell("PATCH", &self.plan.layout.token(index), &json!({"spec": {"suspend": on}}));
                let _ = if on { self.facts.suspended.insert(index) } else { self.facts.suspended.remove(&index) };
            }
            Act::Strip(index) => {
                let Some(object) = self.around.api_server.token(index) else {
                    return;
                };
                let metadata = &object["metadata"];
                let file = json!({"metadata": {"name": metadata["name"], "resourceVersion": metadata["resourceVersion"],
                    "annotations": metadata.get("annotations").cloned().unwrap_or_else(|| json!({}))}, "spec": object["spec"]});
                self.tell("PUT", &self.plan.layout.token(index), &file);
                self.around.world.excuses().stripped.insert(index);
                // Off an object that is being deleted it stays off (P1): then nobody is left to end its tokens, or to take its Secret away.
                if metadata["deletionTimestamp"].is_string() {
                    self.facts.let_go.insert(identity::uid16(metadata["uid"].as_str().unwrap_or_default()));
                    self.facts.left.insert(index);
                }
            }
            _ => {}
        }
    }

    /// Its tokens and its Secret stay.
    fn let_go(&mut self, index: usize) {
        self.tell("PATCH", &self.plan.layout.token(index), &json!({"spec": {"deletion": {"policy": "Orphan"}}}));
        if let Some(object) = self.around.api_server.token(index) {
            let uid = identity::uid16(object["metadata"]["uid"].as_str().unwrap_or_default());
            // Without the finalizer nobody is asked.
            if object["metadata"]["finalizers"][0].is_string() {
                self.facts.orphaned.push((self.facts.done.len() - 1, uid.clone()));
            }
            self.facts.let_go.insert(uid);
            self.facts.left.insert(index);
        }
        self.act(Act::Delete(index));
    }

    /// Between the loss of a finalizer and the operator's next pass, a deletion lets the tokens go.
    fn notice_let_go(&mut self, index: usize) {
        let object = self.around.api_server.token(index);
        let stripped = self.around.world.excuses().stripped.contains(&index);
        let Some(object) = object.filter(|object| stripped && object["metadata"]["finalizers"][0].is_null()) else {
            return;
        };
        self.facts.let_go.insert(identity::uid16(object["metadata"]["uid"].as_str().unwrap_or_default()));
    }

    /// What people ask the operator for.
    fn asked(&mut self, act: Act) {
        self.requests += 1;
        let number = self.requests;
        let now = stamp(self.around.world.api_server_now());
        let annotated = |key: &str| json!({"metadata": {"annotations": {format!("artifact-token.dev/{key}"): format!("{now}-{number}")}}});
        match act {
            Act::Rotate(index) => {
                let heard = self.tell("PATCH", &self.plan.layout.token(index), &annotated("rotate-requested-at"));
                if !heard {
                    self.facts.unheard.insert(self.facts.done.len() - 1);
                }
            }
            Act::Reconcile(index) => {
                _ = self.tell("PATCH", &self.plan.layout.token(index), &annotated("reconcile-requested-at"))
            }
            Act::EditScopes(index) => {
                let patch = json!({"spec": {"parameters": {"scopes": [format!("scope-{number}")]}}});
                self.tell("PATCH", &self.plan.layout.token(index), &patch);
            }
            Act::Leak(index) => self.leak(Some(index), &now, false),
            Act::LeakAll => self.leak(None, &now, false),
            // No two of them have the same time, or the second one would say nothing.
            Act::LeakAhead(of) => {
                let ahead = chrono::Duration::days(30) + chrono::Duration::seconds(number.into());
                self.leak(of, &stamp(self.around.world.api_server_now() + ahead), true);
            }
            _ => {}
        }
        self.facts.allowed_tokens += 1;
    }

    /// Edits of the spec that want no other token, or one that lives for another time.
    fn edit(&mut self, act: Act) {
        let (index, spec) = match act {
            Act::EditInterval(index, hours) => (index, json!({"rotation": objects::rotation(hours)})),
            Act::EditOverlap(index, seconds) => (index, json!({"rotation": {"overlap": format!("{seconds}s")}})),
            Act::EditLifetime(index, hours) => (index, json!({"lifetime": objects::lifetime(hours)})),
            _ => return,
        };
        if !self.tell("PATCH", &self.plan.layout.token(index), &json!({"spec": spec})) {
            return;
        }
        match act {
            Act::EditOverlap(index, seconds) => self.overlap_is(index, seconds),
            _ => self.facts.allowed_tokens += 1,
        }
    }

    /// From now on the object asks for this overlap.
    pub(super) fn overlap_is(&self, index: usize, seconds: u32) {
        let since = (self.around.world.elapsed(), Duration::from_secs(seconds.into()));
        self.around.world.excuses().overlaps.entry(index).or_default().push(since);
    }

    /// Declares that tokens from before this time leaked: those of an object, or all.
    fn leak(&mut self, of: Option<usize>, before: &str, ahead: bool) {
        let (path, patch) = match of {
            Some(index) => {
                (self.plan.layout.token(index), json!({"spec": {"rotation": {"revokeIssuedBefore": before}}}))
            }
            None => (self.plan.layout.first().path(), json!({"spec": {"revokeIssuedBefore": before}})),
        };
        if !self.tell("PATCH", &path, &patch) {
            return;
        }
        let layout = self.plan.layout;
        let of_first = || (0..self.plan.tokens).filter(|index| layout.site(*index) == layout.first()).collect();
        let leaked: Vec<usize> = of.map_or_else(of_first, |index| vec![index]);
        let elapsed = self.around.world.elapsed();
        self.facts.allowed_tokens += self.leak_costs(leaked.len());
        // A time far ahead lies behind no claim.
        let clock = if ahead { i64::MAX } else { self.around.world.skew.load(Ordering::Relaxed) };
        self.facts.leaks.extend(leaked.iter().map(|index| (*index, (elapsed, clock))));
        let mut excuses = self.around.world.excuses();
        for index in leaked {
            excuses.leaks.entry(index).or_default().push(Leak { at: elapsed, ahead });
        }
    }

    /// What disturbs an election costs at most what a kill does: each token that is on its way.
    fn disturb_election(&mut self, act: Act) {
        let path = objects::lease_path(objects::LEASE);
        match act {
            Act::HoldLeader(seconds) => {
                let line = self.around.leader();
                line.into_iter().for_each(|line| line.hold(Duration::from_secs(seconds.into())));
            }
            Act::DeleteLease => _ = self.tell("DELETE", &path, &Value::Null),
            Act::TakeLease => _ = self.tell("PATCH", &path, &json!({"spec": {"holderIdentity": "somebody-else"}})),
            _ => {}
        }
        self.facts.allowed_tokens += self.plan.tokens;
        self.facts.interrupted += 1;
    }

    fn lags(&mut self, lag: u32, seconds: u32) {
        let world = self.around.world.clone();
        let number = world.lag.lock().unwrap().begin(lag);
        self.beside.spawn(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            world.lag.lock().unwrap().end(number);
        });
    }

    /// A request of a person; whether it was accepted.
    pub(super) fn tell(&self, method: &str, path: &str, body: &Value) -> bool {
        match self.around.api_server.act(method, path, body) {
            Ok(_) => true,
            Err(why) => {
                self.around.world.say(0, || why);
                false
            }
        }
    }
}
