//! What is wrong with the API server, and the end of all that is wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use artifact_token_operator::rotation::identity;

use super::Life;
use crate::act::{Act, Ban};
use crate::api_server::{Backup, Trouble};
use crate::objects::{self, name_of};
use crate::services::Books;

impl Life {
    /// The API server refuses something for a while.
    pub(super) fn api_trouble(&mut self, trouble: Trouble, seconds: u32) {
        let server = self.around.api_server.clone();
        let number = server.wrong(trouble);
        self.beside.spawn(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            server.right(number);
        });
        // A token that is on its way when it begins cannot be published, or not be recorded; then there is another one.
        self.facts.allowed_tokens += self.plan.tokens;
        self.facts.interrupted += 1;
    }

    /// The store goes back to an earlier state; the service does not.
    pub(super) fn restore(&mut self, backup: Backup, back: u32) {
        let now = self.around.world.elapsed();
        let then = now.saturating_sub(Duration::from_secs(back.into())).max(Duration::from_secs(1));
        let before = self.stored();
        self.around.api_server.restore(backup, then);
        self.facts.restored = true;
        // What the ledger knew is unknown: the tokens of that time come on top, and another one may be needed for each.
        self.facts.allowed_tokens += 3 * self.plan.tokens;
        self.facts.interrupted += 5;
        if backup == Backup::Statuses {
            return;
        }
        let after = self.stored();
        for (index, (before, after)) in before.into_iter().zip(after).enumerate() {
            self.is_back(index, before, after);
        }
        self.facts.leaks.retain(|_, (leaked, _)| *leaked <= then);
    }

    /// Each object and its Secret, as they are stored.
    fn stored(&self) -> Vec<(Value, Value)> {
        let server = &self.around.api_server;
        let value = |found: Option<Arc<Value>>| found.map_or(Value::Null, |found| Value::clone(&found));
        let both = |index| (value(server.token(index)), value(server.secret(index)));
        (0..self.plan.tokens).map(both).collect()
    }

    /// What the laws must know of an object that is as it was.
    fn is_back(&mut self, index: usize, before: (Value, Value), after: (Value, Value)) {
        let ((old, held_before), (object, secret)) = (before, after);
        let now = self.around.world.elapsed();
        let set = |set: &mut BTreeSet<usize>, on: bool| {
            let _ = if on { set.insert(index) } else { set.remove(&index) };
        };
        self.marks_of(index, &object, &secret);
        let metadata = &object["metadata"];
        let gone = object.is_null() || metadata["deletionTimestamp"].is_string();
        let facts = &mut self.facts;
        set(&mut facts.deleted, gone);
        set(&mut facts.suspended, object["spec"]["suspend"] == true);
        set(&mut facts.immutable, secret["immutable"] == true);
        // Whoever deletes it before the operator has put its finalizer on lets its tokens go.
        if metadata["finalizers"][0].is_null() {
            self.around.world.excuses().stripped.insert(index);
        }
        if !gone {
            let uid = identity::uid16(metadata["uid"].as_str().unwrap_or_default());
            facts.gone.back(&uid, now);
        }
        // The old one is gone without a deletion.
        if old["metadata"]["uid"] != metadata["uid"] || gone {
            let uid = identity::uid16(old["metadata"]["uid"].as_str().unwrap_or_default());
            // A sweep reports the tokens of an object that the store has forgotten; nobody asked to have them revoked.
            if old["metadata"]["uid"] != metadata["uid"] {
                facts.let_go.insert(uid.clone());
            }
            facts.gone.begin(&uid, now);
        }
        if let Some(overlap) = object["spec"]["rotation"]["overlap"].as_str() {
            self.overlap_is(index, overlap.trim_end_matches('s').parse().unwrap_or_default());
        }
        if held_before["data"]["token"] != secret["data"]["token"] {
            self.around.world.excuses().puts_back(secret["data"]["token"].as_str().unwrap_or_default(), now);
        }
    }

    /// A person does what the conditions ask for. Whether there was anything to do.
    pub(super) fn answer_conditions(&mut self) -> bool {
        let asked: Vec<usize> = (0..self.plan.tokens).filter(|index| self.asks_a_person(*index)).collect();
        for index in &asked {
            let object = self.around.api_server.token(*index);
            if object.is_some_and(|object| object["status"]["conflict"].is_object()) {
                let confirmed = json!({"metadata": {"annotations": {"artifact-token.dev/confirm-identity": "mine"}}});
                self.tell("PATCH", &self.plan.layout.token(*index), &confirmed);
            } else {
                self.act(Act::Rotate(*index));
            }
        }
        !asked.is_empty()
    }

    /// Whose Secret it is, as its marks say.
    pub(super) fn marks_of(&mut self, index: usize, object: &Value, secret: &Value) {
        let facts = &mut self.facts;
        let owner = secret["metadata"]["annotations"]["artifact-token.dev/owner"].as_str().unwrap_or_default();
        let set = |set: &mut BTreeSet<usize>, on: bool| {
            let _ = if on { set.insert(index) } else { set.remove(&index) };
        };
        set(&mut facts.squatted, secret["data"]["password"].is_string());
        set(&mut facts.forged, !owner.is_empty() && owner.split('/').nth(2) != Some(&name_of(index)));
        // Nobody takes it away for an object that is gone, or that goes and lets it stay.
        let goes =
            object["metadata"]["deletionTimestamp"].is_string() && object["spec"]["deletion"]["policy"] == "Orphan";
        set(&mut facts.left, (object.is_null() || goes) && secret.is_object());
    }

    /// Whatever is broken works again.
    pub(super) fn mend_all(&mut self) {
        self.around.world.say(0, || "everything works again".into());
        self.around.world.faults.end();
        self.peace.store(true, Ordering::Relaxed);
        self.around.world.lag.lock().unwrap().clear();
        self.around.world.skew.store(0, Ordering::Relaxed);
        self.facts.skews.push((self.around.world.elapsed(), 0));
        self.around.services.each(Books::mend);
        self.keys.lock().unwrap().clear();
        self.service_gone.lock().unwrap().clear();
        self.around.api_server.all_right();
        let first = self.plan.layout.first();
        let object = self.service_object(first, self.facts.per_minute);
        objects::make_service_again(&self.around.api_server, first, &object);
        self.bans.lock().unwrap().clear();
        if self.plan.acts.iter().any(|(_, act)| matches!(act, Act::Forbid(..))) {
            self.tell("PATCH", &first.path(), &json!({"spec": Ban::spec(first, &[])}));
        }
        self.tell("PATCH", &first.credential(), &json!({"stringData": {"key": objects::KEY}}));
        self.end_unbelieved();
    }
}
