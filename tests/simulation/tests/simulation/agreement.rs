//! The pretended API server is not believed: the same scripts run against it and against a real one, and what was seen is the same.
//!
//! On purpose it differs in one thing: it refuses a field that no schema has, which a real one drops, because the operator must not
//! write one.

use std::sync::Arc;

use http::Request;
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::{Body, ClientBuilder};
use serde_json::{Value, json};
use simulation::api_server::ApiServer;
use simulation::fate::Line;
use simulation::layout::Layout;
use simulation::objects;
use simulation::plan::Plan;
use simulation::world::World;
use testbed::control_plane::Options;
use testbed::{ControlPlane, cluster};

/// The namespace of a script, on one of both servers.
struct Server {
    client: Client,
    namespace: String,
    /// What was seen.
    seen: Vec<String>,
}

impl Server {
    fn pretended() -> Self {
        let world = World::new(&Plan::quiet(1, 0, 0), false);
        let server = ApiServer::new(world);
        server.act("POST", "/api/v1/namespaces", &json!({"metadata": {"name": objects::NAMESPACE}})).unwrap();
        // Nobody may go on from before now, as on a server that has been running for a while.
        server.compact();
        let connection = server.connection(&Arc::new(Line::new(1)));
        let client = ClientBuilder::new(connection, "default").build();
        Self { client, namespace: objects::NAMESPACE.into(), seen: Vec::new() }
    }

    async fn real() -> Self {
        let plane = ControlPlane::shared(Options::default()).await.expect("start the control plane");
        let client = plane.client().await.unwrap();
        cluster::apply_crds(&client, &support::crds()).await.expect("install the CRDs");
        let namespace = cluster::namespace(&client, "agreement").await.unwrap();
        Self { client, namespace, seen: Vec::new() }
    }

    fn secret(&self, name: &str) -> String {
        format!("/api/v1/namespaces/{}/secrets{name}", self.namespace)
    }

    fn token(&self, name: &str) -> String {
        format!("/apis/artifact-token.dev/v1alpha1/namespaces/{}/artifacttokens{name}", self.namespace)
    }

    /// One request, as the operator's client sends it.
    async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let answer = self.client.send(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// A request whose status and reason are compared.
    async fn ask(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        self.ask_as(content, method, path, body).await
    }

    async fn ask_as(&mut self, content: &str, method: &str, path: &str, body: &Value) -> Value {
        let (status, text) = self.raw(method, path, &[("content-type", content)], body).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        let what = path.replace(&self.namespace, "NAMESPACE");
        self.see(format!("{method} {what}: {status} {} {}", answer["kind"], answer["reason"]));
        answer
    }

    fn see_value(&mut self, mut value: Value) {
        value.sort_all_objects();
        self.see(value.to_string());
    }

    fn see(&mut self, what: String) {
        self.seen.push(what);
    }

    /// The events of a watch, until it ends.
    async fn watch(&mut self, path: &str, query: &str, version: &str) {
        let path = format!("{path}?watch=true&timeoutSeconds=2&resourceVersion={version}{query}");
        let (status, text) = self.raw("GET", &path, &[], &Value::Null).await;
        self.see(format!("watch: {status}"));
        for event in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let object = &event["object"];
            self.see(format!(
                "{} {} {} {} {}",
                event["type"],
                object["metadata"]["name"],
                object["metadata"]["labels"],
                object["code"],
                object["reason"]
            ));
        }
    }

    async fn names(&mut self, path: &str, query: &str) {
        let list = self.ask("GET", &format!("{path}{query}"), &Value::Null).await;
        let names: Vec<&Value> =
            list["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]).collect();
        self.see(format!("{names:?}"));
    }
}

/// The script sees the same on both.
async fn agree(script: impl AsyncFn(&mut Server)) {
    let mut pretended = Server::pretended();
    script(&mut pretended).await;
    let mut real = Server::real().await;
    script(&mut real).await;
    assert!(real.seen.len() > 3, "{:#?}", real.seen);
    assert_eq!(pretended.seen, real.seen, "left the pretended one, right the real one");
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"a": "YQ=="}})
}

fn token(name: &str) -> Value {
    let mut token = objects::token(0, Layout::One.first(), 0, 0, 60);
    token["apiVersion"] = json!("artifact-token.dev/v1alpha1");
    token["kind"] = json!("ArtifactToken");
    token["metadata"] = json!({"name": name});
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts() {
    agree(async |server| {
        let (all, one) = (server.secret(""), server.secret("/one"));
        let created = server.ask("POST", &all, &named("one")).await;
        let version = created["metadata"]["resourceVersion"].clone();
        server.ask("POST", &all, &named("one")).await;
        let versioned = json!({"metadata": {"name": "two", "resourceVersion": "1"}});
        server.ask("POST", &all, &versioned).await;
        server.ask("GET", &server.secret("/none"), &Value::Null).await;
        let change = json!({"metadata": {"resourceVersion": version}, "data": {"a": "Yg=="}});
        server.ask("PATCH", &one, &change).await;
        server.ask("PATCH", &one, &change).await;
        let mut whole = server.ask("GET", &one, &Value::Null).await;
        whole["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
        server.ask("PUT", &one, &whole).await;
        server.ask("DELETE", &one, &json!({"preconditions": {"resourceVersion": version}})).await;
        server.ask("DELETE", &one, &json!({"preconditions": {"uid": whole["metadata"]["uid"]}})).await;
        server.ask("DELETE", &one, &Value::Null).await;
        server.ask("DELETE", &one, &Value::Null).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finalizers() {
    agree(async |server| {
        let one = server.token("/one");
        server.ask("POST", &server.token(""), &token("one")).await;
        let held = json!({"metadata": {"finalizers": ["artifact-token.dev/revoke"]}});
        server.ask("PATCH", &one, &held).await;
        let deleted = server.ask("DELETE", &one, &Value::Null).await;
        let metadata = &deleted["metadata"];
        server.see(format!("{} {}", metadata["deletionTimestamp"].is_string(), metadata["generation"]));
        let again = server.ask("DELETE", &one, &Value::Null).await;
        server.see(format!("{}", again["metadata"]["generation"]));
        let more = json!({"metadata": {"finalizers": ["artifact-token.dev/revoke", "example.com/other"]}});
        server.ask("PATCH", &one, &more).await;
        server.ask("PATCH", &one, &json!({"metadata": {"finalizers": []}})).await;
        server.ask("GET", &one, &Value::Null).await;
        server.ask("POST", &server.token(""), &token("two")).await;
        server.ask("DELETE", &server.token("/two"), &Value::Null).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_runs() {
    agree(async |server| {
        let one = server.secret("/one");
        server.ask("POST", &format!("{}?dryRun=All", server.secret("")), &named("one")).await;
        server.ask("GET", &one, &Value::Null).await;
        server.ask("POST", &server.secret(""), &named("one")).await;
        let changed = server.ask("PATCH", &format!("{one}?dryRun=All"), &json!({"data": {"a": "Yg=="}})).await;
        server.see(format!("{}", changed["data"]));
        server.ask("DELETE", &format!("{one}?dryRun=All"), &Value::Null).await;
        let still = server.ask("GET", &one, &Value::Null).await;
        server.see(format!("{}", still["data"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn generations_defaults_and_the_status_apart() {
    agree(async |server| {
        let (one, status) = (server.token("/one"), server.token("/one/status"));
        let mut wanted = token("one");
        wanted["status"] = json!({"observedGeneration": 7});
        let mut object = server.ask("POST", &server.token(""), &wanted).await;
        server.see_value(json!([object["status"], object["metadata"]["generation"], object["spec"]]));
        object["status"] = json!({"observedGeneration": 1, "conditions": []});
        object["spec"]["suspend"] = json!(true);
        let object = server.ask("PUT", &status, &object).await;
        server.see_value(json!([object["status"], object["metadata"]["generation"], object["spec"]["suspend"]]));
        let same = server.ask("PATCH", &one, &json!({"status": {"observedGeneration": 9}})).await;
        server.see(format!("{}", same["metadata"]["resourceVersion"] == object["metadata"]["resourceVersion"]));
        let edited = server.ask("PATCH", &one, &json!({"spec": {"suspend": true}})).await;
        server.see_value(json!([edited["status"], edited["metadata"]["generation"]]));
        let mut unversioned = token("one");
        server.ask("PUT", &one, &unversioned).await;
        unversioned["metadata"]["resourceVersion"] = edited["metadata"]["resourceVersion"].clone();
        let replaced = server.ask("PUT", &one, &unversioned).await;
        server.see_value(json!([replaced["status"], replaced["metadata"]["generation"]]));
        server.ask("PATCH", &one, &json!({"spec": {"suspend": "no"}})).await;
        server.ask("PATCH", &one, &json!({"spec": {"serviceRef": null}})).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patches() {
    agree(async |server| {
        let one = server.secret("/one");
        let made = json!({"metadata": {"name": "one", "labels": {"a": "1", "b": "2"}}, "stringData": {"key": "value"}});
        let made = server.ask("POST", &server.secret(""), &made).await;
        server.see(format!("{} {}", made["data"], made["type"]));
        let patch = json!({"metadata": {"labels": {"a": null, "c": "3"}, "annotations": {"x": "y"}}, "data": {"more": "YQ=="}});
        let merged = server.ask("PATCH", &one, &patch).await;
        let metadata = &merged["metadata"];
        server.see_value(json!([metadata["labels"], metadata["annotations"], merged["data"]]));
        let same = server.ask("PATCH", &one, &patch).await;
        server.see(format!("{}", same["metadata"]["resourceVersion"] == merged["metadata"]["resourceVersion"]));
        let steps = json!([{"op": "test", "path": "/metadata/labels/c", "value": "4"}, {"op": "remove", "path": "/metadata/labels/c"}]);
        server.ask_as("application/json-patch+json", "PATCH", &one, &steps).await;
        let steps = json!([{"op": "test", "path": "/metadata/labels/c", "value": "3"}, {"op": "remove", "path": "/metadata/labels/c"}]);
        let patched = server.ask_as("application/json-patch+json", "PATCH", &one, &steps).await;
        server.see(format!("{}", patched["metadata"]["labels"]));
        server.ask("PATCH", &one, &json!({"type": "example.com/other"})).await;
        server.ask("PATCH", &one, &json!({"data": {"no key": "YQ=="}})).await;
        server.ask("PATCH", &one, &json!({"immutable": true})).await;
        server.ask("PATCH", &one, &json!({"data": {"key": "YQ=="}})).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases() {
    agree(async |server| {
        let all = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", server.namespace);
        let one = format!("{all}/one");
        let list = server.ask("GET", &all, &Value::Null).await;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        server.ask("GET", &one, &Value::Null).await;
        let spec = |holder: &str| {
            json!({"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 0,
                "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z"})
        };
        let lease = json!({"metadata": {"name": "one"}, "spec": spec("a")});
        let made = server.ask("POST", &all, &lease).await;
        server.see_value(made["spec"].clone());
        server.ask("POST", &all, &lease).await;
        // Without a version, and with an old one.
        server.ask("PUT", &one, &lease).await;
        let mut renewed = made.clone();
        renewed["spec"] = spec("b");
        let renewed = server.ask("PUT", &one, &renewed).await;
        server.see_value(json!([renewed["spec"], renewed["metadata"]["generation"]]));
        server.ask("PUT", &one, &made).await;
        let mut released = renewed.clone();
        released["spec"]["holderIdentity"] = json!("");
        let released = server.ask("PUT", &one, &released).await;
        server.see_value(released["spec"].clone());
        server.ask("PATCH", &one, &json!({"spec": {"holderIdentity": "somebody"}})).await;
        server.ask("DELETE", &one, &Value::Null).await;
        // Nothing is there, and then another object of that name.
        server.ask("PUT", &one, &released).await;
        server.ask("POST", &all, &lease).await;
        server.ask("PUT", &one, &released).await;
        server.watch(&all, "&fieldSelector=metadata.name%3Done", &version).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_in_order_and_by_label() {
    agree(async |server| {
        let (all, one) = (server.secret(""), server.secret("/one"));
        let list = server.ask("GET", &all, &Value::Null).await;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let label = |value: Value| json!({"metadata": {"labels": {"wanted": value}}});
        server.ask("POST", &all, &named("one")).await;
        server.ask("PATCH", &one, &label(json!("yes"))).await;
        server.ask("PATCH", &one, &json!({"data": {"a": "Yg=="}})).await;
        server.ask("PATCH", &one, &label(Value::Null)).await;
        server.ask("PATCH", &one, &label(json!("no"))).await;
        server.ask("POST", &all, &named("two")).await;
        server.ask("DELETE", &one, &Value::Null).await;
        server.watch(&all, "", &version).await;
        server.watch(&all, "&labelSelector=wanted%3Dyes", &version).await;
        server.watch(&all, "&labelSelector=wanted", &version).await;
        server.watch(&all, "&fieldSelector=metadata.name%3Dtwo", &version).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_by_label_and_of_metadata_only() {
    agree(async |server| {
        let all = server.secret("");
        for (name, labels) in [("a", json!({"x": "1"})), ("b", json!({"x": "1", "y": "2"})), ("c", json!({"y": "2"}))] {
            let mut secret = named(name);
            secret["metadata"]["labels"] = labels;
            server.ask("POST", &all, &secret).await;
        }
        for query in ["x%3D1", "x%21%3D1", "x", "x%3D1%2Cy%3D2", "y%3D3"] {
            server.names(&all, &format!("?labelSelector={query}")).await;
        }
        server.names(&all, "?fieldSelector=metadata.name%3Db").await;
        let only = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        let (status, text) = server.raw("GET", &all, &[("accept", only)], &Value::Null).await;
        let list: Value = serde_json::from_str(&text).unwrap();
        let first = &list["items"][0];
        server.see(format!(
            "{status} {} {} {} {}",
            list["kind"], first["metadata"]["name"], first["metadata"]["labels"], first["data"]
        ));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_from_a_version_that_is_forgotten() {
    let script = async |server: &mut Server| {
        let all = server.secret("");
        server.ask("POST", &all, &named("one")).await;
        server.watch(&all, "", "1").await;
    };
    let mut pretended = Server::pretended();
    script(&mut pretended).await;
    // Its API server forgets what it has in memory when it ends, and the store what it is told to.
    let mut plane = ControlPlane::start(Options::default()).await.expect("start a control plane");
    plane.compact().await.unwrap();
    plane.end_api_server(false).await.unwrap();
    plane.start_api_server().await.unwrap();
    let client = plane.client().await.unwrap();
    let namespace = cluster::namespace(&client, "agreement").await.unwrap();
    let mut real = Server { client, namespace, seen: Vec::new() };
    script(&mut real).await;
    assert_eq!(pretended.seen, real.seen, "left the pretended one, right the real one");
    assert!(real.seen.iter().any(|event| event.contains("410")), "{:#?}", real.seen);
}
