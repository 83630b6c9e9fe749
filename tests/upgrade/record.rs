//! Writes down what a version leaves in a cluster, for the tests of later versions.
//!
//! A change of the ledger, of the marks on a Secret or of a digest first records the form before it, from the commit before:
//!
//! ```text
//! RECORD_INTO=$PWD/tests/upgrade/VERSION-COMMIT cargo test --test upgrade -- --ignored writes_down
//! ```
//!
//! A real operator brings each object into the state that its name says, on a real control plane with the reference service. What
//! stands in etcd then is written to `NAME.yaml`: the names of the tokens that live at the service, the object and its Secret.
//! `services.yaml` has the service objects, and `crds/` the CRD that the object was stored under.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use artifact_token_operator::api::artifact_token::{
    ArtifactToken, CONFIRM_IDENTITY, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT,
};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::{Ledger, Outcome};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::identity::uid16;
use chrono::Utc;
use data_encoding::BASE64;
use serde_json::{Map, Value, json};
use testbed::Operator;

use crate::scene::Scene;
use crate::template::Words;
use support::acts::ledger;
use support::objects::{cluster_token_service, quick_generate};
use support::{condition, is_ready};

const HEAD: &str =
    "# What the version of this folder left in a real cluster. tests/upgrade/record.rs wrote it and says how.\n";

/// An overlap, and a pause, that no test sees the end of.
const LONG: &str = "24h";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the folder RECORD_INTO, from the version at hand"]
async fn writes_down_what_this_version_leaves_in_a_cluster() {
    let folder = PathBuf::from(std::env::var_os("RECORD_INTO").expect("RECORD_INTO names the folder to write"));
    fs::create_dir_all(folder.join("crds")).expect("make the folder");
    let crd = "crds/artifacttokens.yaml";
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(crd), folder.join(crd)).expect("copy the CRD");
    let recorder = Recorder { scene: scene().await, folder };
    let mut operator = recorder.scene.operator().await;
    recorder.rest().await;
    recorder.requests().await;
    recorder.trouble().await;
    recorder.stop_before_the_outcome(&mut operator).await;
    recorder.services().await;
    recorder.failures().await;
}

/// With both kinds of service.
async fn scene() -> Scene {
    let scene = Scene::bare("record").await;
    scene.world.serve(|spec| spec["hint"] = json!("LastFour")).await;
    let (name, url) = (format!("shared-{}", scene.world.namespace), scene.world.service.base_url());
    let shared = cluster_token_service(&name, &url, |spec| {
        spec["operations"] = json!({"generate": quick_generate()});
        spec["allowedNamespaces"] = json!({"from": "All"});
        // What a token is asked for with depends on the service, too.
        spec["defaults"] = json!({"parameters": {"scopes": ["read"]}, "lifetime": "2160h"});
    });
    scene.world.apply(&shared).await;
    scene
}

struct Recorder {
    scene: Scene,
    folder: PathBuf,
}

/// Nothing is to be done any more.
fn at_rest(token: &ArtifactToken) -> bool {
    is_ready(token)
        && ledger(token).superseded.is_empty()
        && ledger(token).claim.is_some_and(|claim| claim.outcome.is_some())
}

impl Recorder {
    async fn create(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.scene.world.create(name, change).await;
        self.scene.world.until(name, &format!("{name} is at rest"), at_rest).await;
    }

    async fn until(&self, name: &str, what: &str, check: impl Fn(&Ledger) -> bool) {
        self.scene.world.until(name, what, |token| is_ready(token) && check(&ledger(token))).await;
    }

    async fn rotate(&self, name: &str, request: &str) {
        self.scene.world.annotate(name, ROTATE_REQUESTED_AT, request).await;
    }

    /// Rotates, and waits until the token before is dead.
    async fn rotated(&self, name: &str, request: &str) {
        self.rotate(name, request).await;
        let handled = |token: &ArtifactToken| ledger(token).handled_requests.rotate.as_deref() == Some(request);
        let done = |token: &ArtifactToken| at_rest(token) && handled(token);
        self.scene.world.until(name, &format!("{name} is rotated"), done).await;
    }

    async fn rest(&self) {
        self.create("first-issue", |spec| spec["rotation"] = json!({"policy": "Periodic", "interval": "720h"})).await;
        self.write("first-issue").await;

        self.create("rotated-twice", |_| {}).await;
        self.rotated("rotated-twice", "1").await;
        self.rotated("rotated-twice", "2").await;
        self.write("rotated-twice").await;

        self.create("in-overlap", |spec| spec["rotation"]["overlap"] = json!(LONG)).await;
        self.rotate("in-overlap", "1").await;
        self.until("in-overlap", "attempt 2 is current", |ledger| ledger.superseded.len() == 1).await;
        self.write("in-overlap").await;

        self.create("parameters", |spec| {
            spec["parameters"] = json!({"scopes": ["read", "write"]});
            spec["lifetime"] = json!("720h");
            spec["displayName"] = json!("nightly build");
        })
        .await;
        self.write("parameters").await;

        self.create("suspended", |_| {}).await;
        self.scene.world.patch("suspended", json!({"spec": {"suspend": true}})).await;
        self.until("suspended", "it is seen", |_| true).await;
        self.write("suspended").await;

        let shared = json!({"kind": "ClusterTokenService", "name": format!("shared-{}", self.scene.world.namespace)});
        self.create("cluster-service", |spec| spec["serviceRef"] = shared).await;
        self.write("cluster-service").await;
    }

    async fn requests(&self) {
        let world = &self.scene.world;
        self.create("looked-at", |_| {}).await;
        self.rotated("looked-at", "2026-01-01").await;
        world.annotate("looked-at", RECONCILE_REQUESTED_AT, "now").await;
        let handled = |ledger: &Ledger| ledger.handled_requests.reconcile.as_deref() == Some("now");
        self.until("looked-at", "the request is handled", handled).await;
        self.write("looked-at").await;

        self.create("leaked", |_| {}).await;
        let now = Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        world.patch("leaked", json!({"spec": {"rotation": {"revokeIssuedBefore": now}}})).await;
        let replaced = |token: &ArtifactToken| ledger(token).leak.is_some_and(|leak| leak.replaced_time.is_some());
        world.until("leaked", "the leak is answered", |token| replaced(token) && at_rest(token)).await;
        self.write("leaked").await;
    }

    async fn trouble(&self) {
        let world = &self.scene.world;
        self.create("lost", |_| {}).await;
        world.faults(json!([{"operation": "generate", "kind": "Status", "status": 500, "count": 1}])).await;
        self.rotated("lost", "1").await;
        assert_eq!(ledger(&world.token("lost").await).lost.len(), 1, "nobody knows whether it was generated");
        self.write("lost").await;

        self.create("confirmed", |_| {}).await;
        let uid16 = uid16(&self.uid("ArtifactToken", "confirmed").await);
        world.generate_as(&format!("test.{uid16}.2.aaaaaaaa")).await;
        // An answer that is lost makes the object look at the list.
        world.faults(json!([{"operation": "generate", "kind": "LoseAnswer", "count": 1}])).await;
        self.rotate("confirmed", "1").await;
        world.until_reason("confirmed", ConditionType::Stalled, Reason::IdentityConflict).await;
        world.annotate("confirmed", CONFIRM_IDENTITY, "the clone is gone").await;
        let done = |token: &ArtifactToken| at_rest(token) && condition(token, ConditionType::Stalled).is_none();
        world.until("confirmed", "it went on", |token| done(token) && ledger(token).lost.is_empty()).await;
        self.write("confirmed").await;
    }

    /// A process that ends between its publish and the outcome leaves a claim that another one decides.
    async fn stop_before_the_outcome(&self, operator: &mut Operator) {
        let world = &self.scene.world;
        self.create("published", |spec| spec["rotation"]["overlap"] = json!(LONG)).await;
        // The value is tried once before it is published.
        world.faults(json!([{"operation": "verify", "kind": "Status", "status": 503, "skip": 1}])).await;
        self.rotate("published", "1").await;
        let marked = |secret: &k8s_openapi::api::core::v1::Secret| {
            secret.metadata.annotations.as_ref().is_some_and(|marks| marks["artifact-token.dev/attempt"] == "2")
        };
        world.until_secret("published-secret", "attempt 2 is published", marked).await;
        operator.kill();
        world.service.clear_faults().await.expect("clear the faults");
        let claim = ledger(&world.token("published").await).claim.expect("a claim");
        assert_eq!((claim.attempt, claim.outcome), (2, None));
        self.write("published").await;
    }

    /// The back-off after these does not end while a test looks.
    async fn failures(&self) {
        let later = Self { scene: scene().await, folder: self.folder.clone() };
        let mut options = later.scene.options();
        options.arguments.retain(|argument| !argument.starts_with("--first-retry"));
        let _operator = Operator::start(options.argument("--first-retry=1h")).await.expect("start the operator");
        let world = &later.scene.world;

        later.create("failed", |_| {}).await;
        world.faults(json!([{"operation": "verify", "kind": "Status", "status": 401}])).await;
        later.rotate("failed", "1").await;
        let gone = |ledger: &Ledger| ledger.superseded.is_empty() && ledger.history.len() == 1;
        later.until("failed", "the refused token is revoked", |ledger| ledger.failures.is_some() && gone(ledger)).await;
        world.service.clear_faults().await.expect("clear the faults");
        later.write("failed").await;

        later.create("unknown", |_| {}).await;
        world.faults(json!([{"operation": "generate", "kind": "Status", "status": 500, "count": 1}])).await;
        later.rotate("unknown", "1").await;
        let settled = |ledger: &Ledger| {
            ledger.lost.len() == 1 && ledger.claim.as_ref().is_some_and(|claim| claim.outcome == Some(Outcome::Failed))
        };
        later.until("unknown", "the claim is settled", settled).await;
        later.write("unknown").await;
    }

    async fn uid(&self, kind: &str, name: &str) -> String {
        let object = self.scene.read(kind, name).await;
        object["metadata"]["uid"].as_str().expect("a uid").to_owned()
    }

    /// What is the same for all objects of the scene.
    fn words(&self) -> Words {
        let mut words = Words::at(Time::from(Utc::now()));
        words.add("namespace", &self.scene.world.namespace);
        words.add("url", &self.scene.world.service.base_url());
        words
    }

    /// The object, once nothing writes it for a moment.
    async fn write(&self, name: &str) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let world = &self.scene.world;
        let object = self.scene.read("ArtifactToken", name).await;
        let mut secret = self.scene.read("Secret", &format!("{name}-secret")).await;
        let reference = &object["spec"]["serviceRef"];
        let (kind, service) = (text(&reference["kind"]), text(&reference["name"]));
        let uid = text(&object["metadata"]["uid"]);

        let mut words = self.words();
        words.generation = object["metadata"]["generation"].as_i64();
        words.add("uid", &uid);
        words.add("uid16", &uid16(&uid));
        words.add("service-uid", &self.uid(&kind, &service).await);
        words.add("version", &text(&secret["metadata"]["resourceVersion"]));
        decode(&mut secret);
        let mut tokens = Vec::new();
        let living = world.service.live().await.expect("read the books");
        for (index, row) in living.iter().filter(|row| row.name.contains(&uid16(&uid))).enumerate() {
            words.add(&format!("id-{}", index + 1), &row.id);
            if secret["metadata"]["annotations"]["artifact-token.dev/token-id"] == row.id.as_str() {
                let value = text(&secret["stringData"]["token"]);
                words.add(&format!("value-{}", index + 1), &value);
            }
            let current = &object["status"]["current"];
            if current["id"] == row.id.as_str() {
                words.add(&format!("hint-{}", index + 1), &text(&current["hint"]));
            }
            tokens.push(json!(row.name));
        }
        let document = json!({"tokens": tokens, "object": bare(&object), "secret": bare(&secret)});
        self.save(name, &words.take_out(&document));
    }

    async fn services(&self) {
        let shared = format!("shared-{}", self.scene.world.namespace);
        let mut objects = Vec::new();
        for (kind, name) in [("TokenService", "reference"), ("ClusterTokenService", &shared)] {
            let object = self.scene.read(kind, name).await;
            let mut words = self.words();
            words.generation = object["metadata"]["generation"].as_i64();
            objects.push(words.take_out(&bare(&object)));
        }
        self.save("services", &json!(objects));
    }

    fn save(&self, name: &str, document: &Value) {
        let yaml = serde_saphyr::to_string(document).expect("YAML");
        let back: Value = serde_saphyr::from_str(&yaml).expect("YAML");
        assert_eq!(back, *document, "it is read as it was written");
        fs::write(self.folder.join(format!("{name}.yaml")), format!("{HEAD}{yaml}")).expect("write the file");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

/// Data as text, in which values can be found.
fn decode(secret: &mut Value) {
    let data: Map<String, Value> = serde_json::from_value(secret["data"].take()).expect("data");
    let decoded = |value: &Value| {
        let bytes = BASE64.decode(text(value).as_bytes()).expect("base64");
        String::from_utf8(bytes).expect("text")
    };
    let data: Map<String, Value> = data.iter().map(|(key, value)| (key.clone(), json!(decoded(value)))).collect();
    let fields = secret.as_object_mut().expect("an object");
    fields.remove("data");
    fields.insert("stringData".to_owned(), Value::Object(data));
}

/// Without what the API server assigns.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    metadata.retain(|field, _| ["name", "labels", "annotations", "finalizers"].contains(&field.as_str()));
    object
}
