//! The service as its clients see it, over real connections on loopback.

mod client;
mod faults;
mod life;
mod lists;
mod pages;

use serde_json::{Value, json};

use crate::server::{Options, Running, start};
use client::{Reply, exchange};

const ADMIN_KEY: &str = "the admin key";

/// A started service, and the calls that tests make.
struct Bench {
    running: Running,
}

impl Bench {
    /// A service whose books live in memory.
    async fn start() -> Self {
        Self::start_with(options()).await
    }

    async fn start_with(options: Options) -> Self {
        let running = start(&options).await.unwrap();
        Self { running }
    }

    /// A service with these faults.
    async fn start_faulty(faults: Value) -> Self {
        let bench = Self::start().await;
        let reply = bench.control("PUT", "/control/faults", faults).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        bench
    }

    /// A service with these settings.
    async fn start_set(settings: Value) -> Self {
        let bench = Self::start().await;
        bench.set(settings).await;
        bench
    }

    async fn set(&self, settings: Value) {
        let reply = self.control("PUT", "/control/settings", settings).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = body.to_string();
        exchange(self.running.control_address, method, path, None, &body).await
    }

    async fn call(&self, method: &str, path: &str, credential: &str, body: &str) -> Reply {
        let address = self.running.address;
        exchange(address, method, path, Some(credential), body).await
    }

    async fn generate(&self, name: &str) -> Reply {
        let body = json!({ "name": name }).to_string();
        self.call("POST", "/v1/tokens", ADMIN_KEY, &body).await
    }

    /// Issues a token that must be issued. Returns its id and its value.
    async fn issue(&self, name: &str) -> (String, String) {
        let reply = self.generate(name).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
        let body = reply.json();
        (text(&body["id"]), text(&body["token"]))
    }

    async fn list(&self, query: &str) -> Reply {
        let path = format!("/v1/tokens{query}");
        self.call("GET", &path, ADMIN_KEY, "").await
    }

    async fn revoke(&self, id: &str) -> Reply {
        let path = format!("/v1/tokens/{id}");
        self.call("DELETE", &path, ADMIN_KEY, "").await
    }

    async fn verify(&self, token: &str) -> Reply {
        self.call("GET", "/v1/whoami", token, "").await
    }

    async fn books(&self) -> Value {
        self.control("GET", "/control/books", Value::Null).await.json()
    }

    /// Name and state of every token ever issued.
    async fn states(&self) -> Vec<(String, String)> {
        let books = self.books().await;
        let tokens = books["tokens"].as_array().unwrap().iter();
        tokens.map(|token| (text(&token["name"]), text(&token["state"]))).collect()
    }
}

fn options() -> Options {
    Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        control_listen: "127.0.0.1:0".parse().unwrap(),
        data: None,
        admin_key: ADMIN_KEY.to_owned(),
        no_fsync: true,
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// The names in a list's answer, in its order.
fn names(reply: &Reply) -> Vec<String> {
    let items = reply.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| text(&item["name"])).collect()
}

/// `states` as written in a test.
fn states(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = expected.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned()));
    owned.collect()
}
