//! A person who makes, hands over and revokes tokens, as the conditions of the objects say.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::layout::Layout;
use crate::objects::{self, offer_of};
use crate::process::Surroundings;
use crate::services::Token;
use crate::world::stamp;

/// How often this person looks.
const LOOKS: Duration = Duration::from_secs(30);
/// How often in a life of months.
const LOOKS_IN_MONTHS: Duration = Duration::from_secs(6 * 3600);
/// A life of months.
const MONTHS: Duration = Duration::from_secs(60 * 86_400);

/// A person at work.
pub(super) struct Person {
    around: Surroundings,
    layout: Layout,
    tokens: usize,
    seconds: Duration,
    /// What was revoked as an object said it: the object's uid and the words. It may say so for a while after that.
    revoked: Mutex<BTreeSet<String>>,
}

impl Person {
    pub(super) fn new(around: &Surroundings, plan: &crate::plan::Plan) -> Self {
        Self {
            around: around.clone(),
            layout: plan.layout,
            tokens: plan.tokens,
            seconds: Duration::from_secs(plan.seconds.into()),
            revoked: Mutex::default(),
        }
    }

    /// Looks, and does what is asked for, for ever.
    pub(super) async fn lives(self) {
        loop {
            let calm = self.seconds > MONTHS && self.around.world.elapsed() + LOOKS_IN_MONTHS < self.seconds;
            sleep(if calm { LOOKS_IN_MONTHS } else { LOOKS }).await;
            (0..self.tokens).for_each(|index| self.look_at(index));
        }
    }

    fn look_at(&self, index: usize) {
        let Some(object) = self.around.api_server.token(index) else { return };
        let condition = |type_: &str| {
            let all = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            all.iter().find(|condition| condition["type"] == type_).cloned()
        };
        let deleting = object["metadata"]["deletionTimestamp"].is_string();
        if let Some(due) = condition("HandOverDue").filter(|_| !deleting) {
            let refused = due["message"].as_str().is_some_and(|text| text.contains("is not taken up"));
            let there = self.around.api_server.get("secrets", self.layout.namespace(index), &offer_of(index));
            if there.is_none() || refused {
                let life = object["spec"]["lifetime"].as_str().unwrap_or_default();
                let value = make(&self.around, self.layout, index, life);
                hand_over(&self.around, self.layout, index, &value);
            }
        }
        if let Some(pending) = condition("RevocationPending").filter(|pending| pending["reason"] == "RevokeByHand") {
            let text = pending["message"].as_str().unwrap_or_default();
            let named = text.split("the token ****").skip(1).filter_map(|rest| rest.split(',').next());
            let leaked = object["status"]["leak"].is_object();
            for words in named {
                let done = format!("{} {words}", object["metadata"]["uid"]);
                let hint = words.split(' ').next().unwrap_or_default();
                if !self.revoked.lock().unwrap().contains(&done) && self.revoke(index, hint, deleting || leaked) {
                    self.revoked.lock().unwrap().insert(done);
                }
            }
        }
    }

    /// Ends the token of this object that has these last letters: the oldest, if several have, as the time of its hand-over says. Whether there
    /// was one.
    fn revoke(&self, index: usize, hint: &str, excused: bool) -> bool {
        let (host, elapsed) = (self.layout.site(index).host, self.around.world.elapsed());
        let name = name_by_hand(index);
        let found = self.around.services.at(host, |books| {
            let it = |token: &&mut Token| token.name == name && !token.dead && token.value.ends_with(hint);
            let Some(token) = books.tokens.iter_mut().find(it) else { return false };
            (token.dead, token.died) = (true, Some(elapsed));
            // Whoever deletes an object, or says that a token leaked, takes it from its consumers.
            if excused {
                self.around.world.excuses().struck.insert(token.value.clone());
            }
            true
        });
        found.unwrap_or_default()
    }
}

/// The name that a person gives to each token of an object.
fn name_by_hand(index: usize) -> String {
    format!("by hand/t{index}")
}

/// Makes a token for an object, at its service's pages.
pub(super) fn make(around: &Surroundings, layout: Layout, index: usize, lifetime: &str) -> String {
    let (host, world) = (layout.site(index).host, &around.world);
    let hours = lifetime.strip_suffix('h').and_then(|hours| hours.parse().ok());
    let made = around.services.at(host, |books| {
        let number = books.tokens.len() + 1;
        let value = format!("{}{host}-{number}-{}", objects::VALUE, world.random(u64::MAX));
        let expires = hours.map(|hours| world.now() + chrono::Duration::hours(hours));
        let token = Token::new(format!("hand-{number}"), name_by_hand(index), value.clone(), "person", world);
        books.tokens.push(Token { expires, by_hand: true, heard: true, ..token });
        value
    });
    made.unwrap_or_default()
}

/// Hands a value over.
pub(super) fn hand_over(around: &Surroundings, layout: Layout, index: usize, value: &str) {
    let namespace = layout.namespace(index);
    let labels = json!({"artifact-token.dev/hand-over": objects::name_of(index)});
    let secret = json!({"metadata": {"name": offer_of(index), "labels": labels}, "stringData": {"token": value}});
    let there = around.api_server.get("secrets", namespace, &offer_of(index)).is_some();
    let path = objects::secrets_path(namespace, if there { offer_of(index) } else { String::new() }.as_str());
    let sent = if there { json!({"metadata": {"labels": labels}, "stringData": {"token": value}}) } else { secret };
    let told = around.api_server.act(if there { "PATCH" } else { "POST" }, &path, &sent);
    around.world.say(0, || {
        format!("a person hands over a token for t{index} at {}: {}", stamp(around.world.now()), told.is_ok())
    });
}
