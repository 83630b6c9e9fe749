//! What others do to Secrets.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Life;
use crate::act::{Act, Mark, Note, REQUESTS};
use crate::objects::{self, secret_of};

/// What another controller wants to have in a Secret.
const THEIRS: &str = "dGhlaXJz";

impl Life {
    /// What others do to Secrets.
    pub(super) fn with_secret(&mut self, act: Act) {
        let layout = self.plan.layout;
        match act {
            Act::DeleteSecret(index) => {
                self.tell("DELETE", &layout.secret(index), &Value::Null);
                self.facts.squatted.remove(&index);
                self.facts.immutable.remove(&index);
            }
            Act::Immutable(index) => {
                let done = self.tell("PATCH", &layout.secret(index), &json!({"immutable": true}));
                if done {
                    self.facts.immutable.insert(index);
                    self.is_of_an_earlier_object(index);
                }
            }
            Act::EditSecret(index) => {
                self.tell("PATCH", &layout.secret(index), &json!({"data": {"token": "Z2FyYmFnZQ=="}}));
            }
            Act::Squat(index) => {
                let theirs = json!({"metadata": {"name": secret_of(index)}, "stringData": {"password": "somebody's"}});
                if self.tell("POST", &layout.secrets(index), &theirs) {
                    self.facts.squatted.insert(index);
                }
            }
            Act::Forge(index, victim) => {
                let Some(theirs) = self.around.api_server.secret(victim) else { return };
                let annotations = theirs["metadata"]["annotations"].clone();
                self.tell("PATCH", &layout.secret(index), &json!({"metadata": {"annotations": annotations}}));
                if index != victim {
                    self.facts.forged.insert(index);
                }
            }
            _ => {}
        }
        self.facts.allowed_tokens += 1;
    }

    /// What hands write into annotations.
    pub(super) fn annotate(&mut self, act: Act) {
        match act {
            Act::Mark(index, mark) => self.mark(index, mark),
            Act::Note(index, which, note) => self.note(index, which, note),
            Act::SkipNot(index) => {
                let annotations = json!({mark_key("skip-revocation"): "True"});
                self.tell("PATCH", &self.plan.layout.token(index), &json!({"metadata": {"annotations": annotations}}));
            }
            _ => {}
        }
    }

    /// A hand writes a mark of the operator on a Secret.
    fn mark(&mut self, index: usize, mark: Mark) {
        let server = self.around.api_server.clone();
        let id_of = |index: usize| {
            server
                .secret(index)
                .map_or(Value::Null, |secret| secret["metadata"]["annotations"][mark_key("token-id")].clone())
        };
        let strangers = json!("strange-0");
        let written = match mark {
            Mark::Former => {
                let (namespace, name) = (self.plan.layout.namespace(index), objects::name_of(index));
                json!({mark_key("owner"): format!("ArtifactToken/{namespace}/{name}/{}", objects::FORMER)})
            }
            Mark::Attempt(number) => json!({mark_key("attempt"): number.to_string()}),
            Mark::Fence(number) => json!({mark_key("fence"): number.to_string()}),
            Mark::StrangersId => json!({mark_key("token-id"): strangers}),
            Mark::IdOf(other) => json!({mark_key("token-id"): id_of(other)}),
            Mark::Superseded(other) => json!({mark_key("superseded"): json!([strangers, id_of(other)]).to_string()}),
            Mark::Unmarked => {
                json!({mark_key("attempt"): null, mark_key("token-id"): null, mark_key("superseded"): null,
                    mark_key("fence"): null})
            }
            Mark::Applied => json!({mark_key("applied"): "[\"labels/theirs\", 7"}),
        };
        let done = self.tell("PATCH", &self.plan.layout.secret(index), &json!({"metadata": {"annotations": written}}));
        if done && mark == Mark::Former {
            // Whose ever it was, from now on it is said to be an earlier object's, and that is written over (P22).
            self.facts.squatted.remove(&index);
            self.facts.forged.remove(&index);
            self.is_of_an_earlier_object(index);
        }
        self.facts.allowed_tokens += 1;
    }

    /// A Secret that says that it was an earlier object's, and cannot be written over: it stays, and a person must act (S8).
    fn is_of_an_earlier_object(&mut self, index: usize) {
        let server = &self.around.api_server;
        let (secret, object) = (server.secret(index).unwrap_or_default(), server.token(index).unwrap_or_default());
        let owner = secret["metadata"]["annotations"][mark_key("owner")].as_str().unwrap_or_default().to_owned();
        if secret["immutable"] == true && owner.rsplit('/').next() != object["metadata"]["uid"].as_str() {
            self.facts.forged.insert(index);
        }
    }

    /// A hand writes into an annotation by which people ask for something.
    fn note(&mut self, index: usize, which: usize, note: Note) {
        let key = mark_key(REQUESTS[which % REQUESTS.len()]);
        let written = match note {
            Note::CopiedFrom(other) => {
                let theirs = self.around.api_server.token(other);
                theirs.map_or(Value::Null, |theirs| theirs["metadata"]["annotations"][&key].clone())
            }
            Note::Empty => json!(""),
            Note::Garbage => json!("yesterday \u{1f600}/".repeat(100)),
            Note::Gone => Value::Null,
        };
        self.tell("PATCH", &self.plan.layout.token(index), &json!({"metadata": {"annotations": {key: written}}}));
        self.facts.allowed_tokens += 1;
    }

    /// Another controller looks each second whether the Secret has what it wants.
    pub(super) fn fight(&mut self, index: usize, over_the_token: bool, seconds: u32) {
        let (server, peace, layout) = (self.around.api_server.clone(), self.peace.clone(), self.plan.layout);
        let key = if over_the_token { "token" } else { "theirs" };
        let until = Instant::now() + Duration::from_secs(seconds.into());
        self.beside.spawn(async move {
            while Instant::now() < until && !peace.load(Ordering::Relaxed) {
                let secret = server.secret(index);
                if secret.is_some_and(|secret| secret["data"][key] != THEIRS) {
                    let _ = server.act("PATCH", &layout.secret(index), &json!({"data": {key: THEIRS}}));
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        self.facts.fights += 1;
    }

    /// What tools and backups do: a copy, marks and all.
    pub(super) fn copy_secret(&mut self, act: Act) {
        let (server, layout) = (self.around.api_server.clone(), self.plan.layout);
        let now = |index: usize| server.secret(index);
        self.facts.allowed_tokens += 1;
        match act {
            Act::CopySecret(index) => {
                let Some(original) = now(index) else { return };
                self.tell(
                    "POST",
                    &layout.secrets(index),
                    &copy_of(&original, &format!("copy-of-{}", secret_of(index))),
                );
            }
            Act::CopyAbroad(index) => {
                let Some(original) = now(index) else { return };
                let path = objects::secrets_path(objects::ABROAD, "");
                self.tell("POST", &path, &copy_of(&original, &secret_of(index)));
            }
            Act::RestoreSecret(index, back) => {
                let then = self.around.world.elapsed().saturating_sub(Duration::from_secs(back.into()));
                let Some(old) = server.secret_as_it_was(index, then) else {
                    return;
                };
                let copy = copy_of(&old, &secret_of(index));
                let done = match now(index) {
                    Some(_) => self.tell("PUT", &layout.secret(index), &copy),
                    None => self.tell("POST", &layout.secrets(index), &copy),
                };
                if done {
                    let (value, now) = (copy["data"]["token"].as_str(), self.around.world.elapsed());
                    self.around.world.excuses().puts_back(value.unwrap_or_default(), now);
                    let object = server.token(index);
                    self.marks_of(index, &object.map_or(Value::Null, |object| Value::clone(&object)), &copy);
                }
            }
            _ => {}
        }
    }
}

/// An annotation of the operator.
fn mark_key(name: &str) -> String {
    format!("artifact-token.dev/{name}")
}

/// What `kubectl apply` of a saved Secret sends.
fn copy_of(original: &Value, name: &str) -> Value {
    let metadata = &original["metadata"];
    json!({"metadata": {"name": name, "labels": metadata["labels"], "annotations": metadata["annotations"]},
        "type": original["type"], "data": original["data"]})
}
