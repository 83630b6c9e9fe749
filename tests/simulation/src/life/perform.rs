//! How each act is done.

use std::sync::atomic::Ordering;
use std::time::Duration;

use artifact_token_operator::rotation::identity;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Life;
use crate::act::Act;
use crate::fate::Class;
use crate::objects::{self, name_of, secret_of, secret_path, token_path};
use crate::services::{Books, Outage, Token};
use crate::world::{World, stamp};

/// What another controller wants to have in a Secret.
const THEIRS: &str = "dGhlaXJz";

impl Life {
    /// Does it.
    pub(super) fn act(&mut self, act: Act) {
        self.around.world.say(0, || act.story());
        match act {
            Act::Create(_) | Act::Delete(_) | Act::DeleteAll | Act::Suspend(..) | Act::Strip(_) => {
                self.with_object(act)
            }
            Act::Rotate(_) | Act::Reconcile(_) | Act::EditScopes(_) | Act::Leak(_) => self.asked(act),
            Act::LeakAll | Act::LeakAhead(_) => self.asked(act),
            Act::DeleteSecret(_) | Act::EditSecret(_) | Act::CopySecret(_) | Act::Squat(_) | Act::Forge(..) => {
                self.with_secret(act)
            }
            Act::Fight(index, over_the_token, seconds) => self.fight(index, over_the_token, seconds),
            Act::TouchCredential | Act::WrongCredential(_) | Act::Limit(_) => self.with_service(act),
            Act::RefuseTokens(seconds) => self.fails(seconds, |books, on| books.refuses_tokens = on),
            Act::EndToken(index) => self.end_token(index),
            Act::ReuseIds => self.around.services.with(|books| books.reuses_ids = true),
            Act::Stranger => self.stranger(),
            Act::Outage(status, seconds) => self.out(Outage { status, retry_after: None, only: None }, seconds),
            Act::ListFails(status, seconds) => {
                self.out(Outage { status, retry_after: None, only: Some(Class::List) }, seconds)
            }
            Act::Throttle(status, pause, seconds) => {
                self.out(Outage { status, retry_after: Some(pause), only: None }, seconds)
            }
            Act::SlowGenerate(seconds) => self.around.services.with(|books| books.generate_takes = seconds),
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
            Act::BreakWatches => self.around.api_server.break_watches(),
            Act::Compact => self.around.api_server.compact(),
            Act::Lag(lag, seconds) => self.for_a_while(
                seconds,
                move |world| world.lag.store(lag, Ordering::Relaxed),
                |world| world.lag.store(0, Ordering::Relaxed),
            ),
            Act::ClockStep(seconds) => {
                self.around.world.skew.fetch_add(seconds, Ordering::Relaxed);
                self.facts.allowed_tokens += self.plan.tokens;
            }
            Act::Sleep(seconds) => {
                self.around.world.slept.fetch_add(seconds, Ordering::Relaxed);
                self.facts.allowed_tokens += self.plan.tokens;
            }
        }
    }

    /// What people do to an object.
    fn with_object(&mut self, act: Act) {
        match act {
            Act::Create(index) => {
                let overlap =
                    self.plan.mutation.map_or(self.plan.overlap_seconds, |one| one.overlap(self.plan.overlap_seconds));
                let object = objects::token(index, self.plan.hours, self.plan.life_hours, overlap);
                if self.tell("POST", &objects::path("artifacttokens", ""), &object) {
                    self.facts.allowed_tokens += 1;
                    self.facts.deleted.remove(&index);
                    self.facts.suspended.remove(&index);
                }
            }
            Act::Delete(index) => {
                if self.plan.mutation.is_some_and(|one| one.has_no_finalizers()) {
                    self.tell("PATCH", &token_path(index), &json!({"metadata": {"finalizers": null}}));
                }
                self.notice_let_go(index);
                self.tell("DELETE", &token_path(index), &Value::Null);
                self.facts.deleted.insert(index);
            }
            Act::DeleteAll => {
                let there: Vec<usize> =
                    (0..self.plan.tokens).filter(|index| !self.facts.deleted.contains(index)).collect();
                there.into_iter().for_each(|index| self.act(Act::Delete(index)));
            }
            Act::Suspend(index, on) => {
                self.tell("PATCH", &token_path(index), &json!({"spec": {"suspend": on}}));
                let _ = if on { self.facts.suspended.insert(index) } else { self.facts.suspended.remove(&index) };
            }
            Act::Strip(index) => {
                let Some(object) = self.around.api_server.get("artifacttokens", objects::NAMESPACE, &name_of(index))
                else {
                    return;
                };
                let metadata = &object["metadata"];
                let file = json!({"metadata": {"name": metadata["name"], "resourceVersion": metadata["resourceVersion"],
                    "annotations": metadata.get("annotations").cloned().unwrap_or_else(|| json!({}))}, "spec": object["spec"]});
                self.tell("PUT", &token_path(index), &file);
                self.around.world.excuses().stripped.insert(index);
            }
            _ => {}
        }
    }

    /// Between the loss of a finalizer and the operator's next pass, a deletion lets the tokens go.
    fn notice_let_go(&mut self, index: usize) {
        let object = self.around.api_server.get("artifacttokens", objects::NAMESPACE, &name_of(index));
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
            Act::Rotate(index) => _ = self.tell("PATCH", &token_path(index), &annotated("rotate-requested-at")),
            Act::Reconcile(index) => _ = self.tell("PATCH", &token_path(index), &annotated("reconcile-requested-at")),
            Act::EditScopes(index) => {
                let patch = json!({"spec": {"parameters": {"scopes": [format!("scope-{number}")]}}});
                self.tell("PATCH", &token_path(index), &patch);
            }
            Act::Leak(index) => self.leak(Some(index), &now),
            Act::LeakAll => self.leak(None, &now),
            // No two of them have the same time, or the second one would say nothing.
            Act::LeakAhead(of) => {
                let ahead = chrono::Duration::days(30) + chrono::Duration::seconds(number.into());
                self.leak(of, &stamp(self.around.world.api_server_now() + ahead));
            }
            _ => {}
        }
        self.facts.allowed_tokens += 1;
    }

    /// Declares that tokens from before this time leaked: those of an object, or all.
    fn leak(&mut self, of: Option<usize>, before: &str) {
        let (path, patch) = match of {
            Some(index) => (token_path(index), json!({"spec": {"rotation": {"revokeIssuedBefore": before}}})),
            None => (objects::path("tokenservices", objects::SERVICE), json!({"spec": {"revokeIssuedBefore": before}})),
        };
        if !self.tell("PATCH", &path, &patch) {
            return;
        }
        let leaked: Vec<usize> = of.map_or_else(|| (0..self.plan.tokens).collect(), |index| vec![index]);
        let elapsed = self.around.world.elapsed();
        self.facts.allowed_tokens += leaked.len();
        self.facts.leaks.extend(leaked.iter().map(|index| (*index, elapsed)));
        self.around.world.excuses().leaked.extend(leaked);
    }

    /// What others do to Secrets.
    fn with_secret(&mut self, act: Act) {
        let secret = |index: usize| self.around.api_server.get("secrets", objects::NAMESPACE, &secret_of(index));
        match act {
            Act::DeleteSecret(index) => {
                self.tell("DELETE", &secret_path(&secret_of(index)), &Value::Null);
                self.facts.squatted.remove(&index);
            }
            Act::EditSecret(index) => {
                self.tell("PATCH", &secret_path(&secret_of(index)), &json!({"data": {"token": "Z2FyYmFnZQ=="}}));
            }
            Act::CopySecret(index) => {
                let Some(original) = secret(index) else { return };
                let metadata = &original["metadata"];
                let copy = json!({"metadata": {"name": format!("copy-of-{}", secret_of(index)), "labels": metadata["labels"],
                    "annotations": metadata["annotations"]}, "type": original["type"], "data": original["data"]});
                self.tell("POST", &secret_path(""), &copy);
            }
            Act::Squat(index) => {
                let theirs = json!({"metadata": {"name": secret_of(index)}, "stringData": {"password": "somebody's"}});
                if self.tell("POST", &secret_path(""), &theirs) {
                    self.facts.squatted.insert(index);
                }
            }
            Act::Forge(index, victim) => {
                let Some(theirs) = secret(victim) else { return };
                let annotations = theirs["metadata"]["annotations"].clone();
                self.tell("PATCH", &secret_path(&secret_of(index)), &json!({"metadata": {"annotations": annotations}}));
                if index != victim {
                    self.facts.forged.insert(index);
                }
            }
            _ => {}
        }
        self.facts.allowed_tokens += 1;
    }

    /// Another controller looks each second whether the Secret has what it wants.
    fn fight(&mut self, index: usize, over_the_token: bool, seconds: u32) {
        let (server, peace) = (self.around.api_server.clone(), self.peace.clone());
        let key = if over_the_token { "token" } else { "theirs" };
        let until = Instant::now() + Duration::from_secs(seconds.into());
        self.beside.spawn(async move {
            while Instant::now() < until && !peace.load(Ordering::Relaxed) {
                let secret = server.get("secrets", objects::NAMESPACE, &secret_of(index));
                if secret.is_some_and(|secret| secret["data"][key] != THEIRS) {
                    let _ = server.act("PATCH", &secret_path(&secret_of(index)), &json!({"data": {key: THEIRS}}));
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        self.facts.fights += 1;
    }

    /// What people do to the service object and its credential.
    fn with_service(&mut self, act: Act) {
        match act {
            Act::TouchCredential => {
                self.requests += 1;
                let patch = json!({"metadata": {"labels": {"touched": self.requests.to_string()}}});
                self.tell("PATCH", &secret_path(objects::CREDENTIAL), &patch);
            }
            Act::WrongCredential(seconds) => {
                self.tell("PATCH", &secret_path(objects::CREDENTIAL), &json!({"stringData": {"key": "wrong"}}));
                let server = self.around.api_server.clone();
                self.beside.spawn(async move {
                    sleep(Duration::from_secs(seconds.into())).await;
                    let _ = server.act(
                        "PATCH",
                        &secret_path(objects::CREDENTIAL),
                        &json!({"stringData": {"key": objects::KEY}}),
                    );
                });
            }
            Act::Limit(number) => {
                let patch = json!({"spec": {"limits": {"requestsPerMinute": number}}});
                self.tell("PATCH", &objects::path("tokenservices", objects::SERVICE), &patch);
                let mut excuses = self.around.world.excuses();
                excuses.per_minute = excuses.per_minute.max(number);
            }
            _ => {}
        }
    }

    /// A person ends at the service what the Secret of the object holds.
    fn end_token(&mut self, index: usize) {
        let secret = self.around.api_server.get("secrets", objects::NAMESPACE, &secret_of(index));
        let Some(held) = secret.map(|secret| secret["data"]["token"].clone()) else { return };
        let elapsed = self.around.world.elapsed();
        self.around.services.with(|books| {
            if let Some(token) = books.tokens.iter_mut().find(|token| token.data() == held) {
                (token.dead, token.died) = (true, Some(elapsed));
            }
        });
        self.facts.allowed_tokens += 1;
    }

    /// Somebody else makes a token.
    fn stranger(&mut self) {
        let (created, at) = (self.around.world.now(), self.around.world.elapsed());
        self.around.services.with(|books| {
            let (id, value) = (books.next_id(), format!("alice-{}", books.tokens.len()));
            let name = "alice's own laptop".to_owned();
            let (dead, died, expires, accepted) = (false, None, None, false);
            books.tokens.push(Token { id, name, value, created, at, expires, dead, died, accepted });
        });
    }

    /// Whatever is broken works again.
    pub(super) fn mend_all(&mut self) {
        self.around.world.say(0, || "everything works again".into());
        self.around.world.faults.end();
        self.peace.store(true, Ordering::Relaxed);
        self.around.world.lag.store(0, Ordering::Relaxed);
        self.around.world.skew.store(0, Ordering::Relaxed);
        self.around.services.with(|books| {
            (books.outage, books.refuses_tokens, books.generate_takes) = (None, false, 0);
        });
        self.tell("PATCH", &secret_path(objects::CREDENTIAL), &json!({"stringData": {"key": objects::KEY}}));
    }

    fn out(&mut self, outage: Outage, seconds: u32) {
        self.fails(seconds, move |books, on| books.outage = on.then_some(outage));
    }

    fn fails(&mut self, seconds: u32, set: impl Fn(&mut Books, bool) + Send + 'static) {
        let services = self.around.services.clone();
        services.with(|books| set(books, true));
        self.beside.spawn(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            services.with(|books| set(books, false));
        });
    }

    fn for_a_while(&mut self, seconds: u32, begin: impl FnOnce(&World), end: impl FnOnce(&World) + Send + 'static) {
        let world = self.around.world.clone();
        begin(&world);
        self.beside.spawn(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            end(&world);
        });
    }

    /// A request of a person; whether it was accepted.
    fn tell(&self, method: &str, path: &str, body: &Value) -> bool {
        match self.around.api_server.act(method, path, body) {
            Ok(_) => true,
            Err(why) => {
                self.around.world.say(0, || why);
                false
            }
        }
    }
}
