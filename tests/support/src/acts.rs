//! What people and a misbehaving service do to a world, and more ways to look at it.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::reference_service::{Row, State};
use testbed::{Operator, cluster, http, poll};

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::ledger::Ledger;

use super::objects::{artifact_token, quick_generate, token_service};
use super::{DEADLINE, World, attempt, credential_yaml, token_yaml};

/// A quick world with the operator and the verified token `ci`, attempt 1, and the value of that token.
pub async fn ready(prefix: &str) -> (World, Operator, String) {
    let world = World::quick(prefix).await;
    let operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    let value = world.value("ci-secret", "token").await;
    (world, operator, value)
}

impl World {
    /// A world whose service answers *generate* within 2 s or never, so that lost answers are settled soon.
    pub async fn quick(prefix: &str) -> Self {
        let world = Self::bare(prefix).await;
        world.apply(&credential_yaml(world.service.admin_key())).await;
        world.serve(|_| {}).await;
        world
    }

    /// The service object `reference` of [`World::quick`]; `change` gets its spec.
    pub async fn serve(&self, change: impl FnOnce(&mut Value)) {
        let service = token_service("reference", &self.service.base_url(), |spec| {
            spec["operations"] = json!({"generate": quick_generate()});
            change(spec);
        });
        self.apply(&service).await;
    }

    /// Creates a token; `change` gets its spec.
    pub async fn create(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.apply(&artifact_token(name, change)).await;
    }

    /// Applies an object that the API server must refuse, and returns the refusal.
    pub async fn refused(&self, yaml: &str) -> String {
        let answer = cluster::apply(&self.client, yaml, &self.namespace).await;
        format!("{:#}", answer.err().unwrap_or_else(|| panic!("it was accepted:\n{yaml}")))
    }

    /// Sets the standing quirks of the service. A quirk that is not named is reset.
    pub async fn settings(&self, settings: Value) {
        self.control("PUT", "settings", &settings).await;
    }

    /// Sets the faults of the service, each for the next calls.
    pub async fn faults(&self, faults: Value) {
        self.service.faults(faults).await.expect("set the faults");
    }

    /// Revokes a token as a person would, on the page of the service.
    pub async fn revoke_by_person(&self, id: &str) {
        self.control("POST", &format!("tokens/{id}/revoke"), &json!({})).await;
    }

    /// Generates a token of this name, as somebody else with the same credential would. Returns its id and value.
    pub async fn generate_as(&self, name: &str) -> (String, String) {
        let url = format!("{}/v1/tokens", self.service.base_url());
        let client = http::client().expect("a client");
        let request = client.post(url).header("Authorization", format!("Bearer {}", self.service.admin_key()));
        let answer = http::answer(http::with_json(request, &json!({"name": name}))).await.expect("reach the service");
        let token: Value = serde_json::from_str(&answer.1).unwrap_or_else(|_| panic!("{answer:?}"));
        let text = |field: &str| token[field].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        (text("id"), text("token"))
    }

    /// The service takes another admin key from now on.
    pub async fn replace_admin_key(&self, key: &str) {
        self.control("PUT", "admin-key", &json!({"key": key})).await;
    }

    async fn control(&self, method: &str, path: &str, body: &Value) {
        let url = format!("{}/control/{path}", self.service.control_url());
        let method = method.parse().expect("a method");
        let request = http::client().expect("a client").request(method, url);
        let (status, text) = http::answer(http::with_json(request, body)).await.expect("reach the service");
        assert!((200..300).contains(&status), "{path}: {status} {text}");
    }

    /// Every token that the service ever made.
    pub async fn made(&self) -> Vec<Row> {
        self.service.books().await.expect("read the books").tokens
    }

    /// How many tokens the service ever made.
    pub async fn count(&self) -> usize {
        self.made().await.len()
    }

    pub async fn is_dead(&self, id: &str) -> bool {
        self.made().await.iter().any(|row| row.id == id && row.state != State::Live)
    }

    /// The id of the current token.
    pub async fn current_id(&self, name: &str) -> String {
        ledger(&self.token(name).await).current.expect("a current token").id.to_string()
    }

    pub async fn until_attempt(&self, name: &str, wanted: u32) -> ArtifactToken {
        self.until(name, &format!("attempt {wanted} is current"), |token| attempt(token) == wanted).await
    }

    /// The notes of all events about `name` with this reason.
    pub async fn events(&self, name: &str, reason: &str) -> Vec<String> {
        let mine = self.events_about(name).await.expect("list the events");
        mine.into_iter()
            .filter(|event| event.reason.as_deref() == Some(reason))
            .filter_map(|event| event.note)
            .collect()
    }

    async fn events_about(&self, name: &str) -> Result<Vec<Event>, String> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let about = |event: &Event| event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name);
        Ok(list.items.into_iter().filter(about).collect())
    }

    /// Waits for an event about `name`, and returns its type and note.
    pub async fn until_event(&self, name: &str, reason: &str) -> (String, String) {
        let look = || async {
            let mine = self.events_about(name).await?;
            let found = mine.iter().find(|event| event.reason.as_deref() == Some(reason));
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let seen = || format!("{:?}", mine.iter().map(|event| text(&event.reason)).collect::<Vec<_>>());
            found.map(|event| (text(&event.type_), text(&event.note))).ok_or_else(seen)
        };
        poll(&format!("the event {reason}"), DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Waits until the Secret is there and satisfies `check`.
    pub async fn until_secret(&self, name: &str, what: &str, check: impl Fn(&Secret) -> bool) -> Secret {
        let secrets = self.secrets();
        let look = || async {
            match secrets.get_opt(name).await.map_err(|error| error.to_string())? {
                Some(secret) if check(&secret) => Ok(secret),
                // A failing test may show the values: they die with the test.
                other => Err(format!("{other:#?}")),
            }
        };
        poll(what, DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Waits until there is no Secret of this name.
    pub async fn until_absent(&self, name: &str) {
        let secrets = self.secrets();
        let look = || async {
            match secrets.get_opt(name).await.map_err(|error| error.to_string())? {
                None => Ok(()),
                Some(secret) => Err(format!("still there: {secret:#?}")),
            }
        };
        poll(&format!("the Secret {name} is gone"), DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    }

    pub async fn patch_secret(&self, name: &str, patch: Value) {
        self.secrets().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("patch the Secret");
    }

    pub async fn delete_secret(&self, name: &str) {
        self.secrets().delete(name, &DeleteParams::default()).await.expect("delete the Secret");
    }

    pub async fn patch_status(&self, name: &str, patch: Value) {
        let patch = Patch::Merge(patch);
        self.tokens().patch_status(name, &PatchParams::default(), &patch).await.expect("patch the status");
    }
}

pub fn ledger(token: &ArtifactToken) -> Ledger {
    token.status.as_ref().map(|status| status.ledger.clone()).unwrap_or_default()
}
