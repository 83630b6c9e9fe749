//! A world for one test: a namespace of a real control plane, a truthful service, and the operator as a process.
//!
//! Each test has its own namespace, service and operator, so tests can run side by side and kill their processes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod acts;
pub mod canary;
pub mod consumer;
pub mod documents;
pub mod figures;
pub mod objects;
pub mod peer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use artifact_token_operator::api;
use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::token_service::TokenService;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use testbed::control_plane::Options;
use testbed::reference_service::Row;
use testbed::{ControlPlane, Operator, ReferenceService, cluster, operator, poll};

/// Long enough for a loaded machine; a test that passes never waits for it.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The overlap of the tests' tokens, in milliseconds.
pub const OVERLAP_MILLISECONDS: u64 = 1500;

pub struct World {
    pub plane: Arc<ControlPlane>,
    pub client: Client,
    pub service: ReferenceService,
    pub namespace: String,
}

impl World {
    /// A namespace with a credential and a ready-to-use `TokenService` named `reference`.
    pub async fn start(prefix: &str) -> Self {
        let world = Self::bare(prefix).await;
        let (url, key) = (world.service.base_url(), world.service.admin_key().to_owned());
        world.apply(&credential_yaml(&key)).await;
        world.apply(&service_yaml("reference", &url)).await;
        world
    }

    /// The same without objects.
    pub async fn bare(prefix: &str) -> Self {
        Self::with(prefix, Options::default()).await
    }

    /// The same on a control plane with these options. All tests of a binary share one, so they must give the same options.
    pub async fn with(prefix: &str, options: Options) -> Self {
        let plane = ControlPlane::shared(options).await.expect("start the control plane");
        let client = plane.client().await.expect("make a client");
        install_crds(&client).await;
        let service = ReferenceService::start(binary("reference-service")).await.expect("start the service");
        let namespace = cluster::namespace(&client, prefix).await.expect("make a namespace");
        Self { plane, client, service, namespace }
    }

    pub fn operator_options(&self) -> operator::Options {
        self.operator_options_as(self.plane.kubeconfig_path().expect("write the kubeconfig"))
    }

    pub fn operator_options_as(&self, kubeconfig: PathBuf) -> operator::Options {
        operator::Options::new(binary("artifact-token-operator"), kubeconfig)
            .argument(format!("--namespaces={}", self.namespace))
            .argument("--token-settle=1s")
            .argument("--refusal-settle=1s")
            .argument("--orphan-grace=5s")
            .argument("--settle-margin=1s")
            .argument("--first-retry=500ms")
            .argument(format!("--default-overlap={OVERLAP_MILLISECONDS}ms"))
            .variable("RUST_LOG", "info,artifact_token_operator=debug")
    }

    pub async fn operator(&self) -> Operator {
        Operator::start(self.operator_options()).await.expect("start the operator")
    }

    pub async fn apply(&self, yaml: &str) {
        cluster::apply(&self.client, yaml, &self.namespace).await.unwrap_or_else(|error| panic!("{error:#}\n{yaml}"));
    }

    pub fn tokens(&self) -> Api<ArtifactToken> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn services(&self) -> Api<TokenService> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn token(&self, name: &str) -> ArtifactToken {
        self.tokens().get(name).await.expect("read the ArtifactToken")
    }

    /// Waits until the object satisfies `check`.
    pub async fn until(&self, name: &str, what: &str, check: impl Fn(&ArtifactToken) -> bool) -> ArtifactToken {
        let tokens = self.tokens();
        let look = || async {
            let token = tokens.get(name).await.map_err(|error| error.to_string())?;
            if check(&token) { Ok(token) } else { Err(format!("{:#?}", token.status)) }
        };
        poll(what, DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    pub async fn until_ready(&self, name: &str) -> ArtifactToken {
        self.until(name, &format!("{name} is Ready"), is_ready).await
    }

    /// Waits until the condition has this reason.
    pub async fn until_reason(&self, name: &str, type_: ConditionType, reason: Reason) -> Condition {
        let found = |token: &ArtifactToken| condition(token, type_).filter(|found| found.reason == reason).cloned();
        let token = self.until(name, &format!("{name} has {type_:?}/{reason}"), |token| found(token).is_some()).await;
        found(&token).expect("just seen")
    }

    pub async fn until_gone(&self, name: &str) {
        let tokens = self.tokens();
        let look = || async {
            match tokens.get_opt(name).await.map_err(|error| error.to_string())? {
                None => Ok(()),
                Some(token) => Err(format!("still there: {:#?}", token.status)),
            }
        };
        poll(&format!("{name} is gone"), DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Waits until the service's live tokens satisfy `check`.
    pub async fn until_live(&self, what: &str, check: impl Fn(&[Row]) -> bool) -> Vec<Row> {
        let look = || async {
            let live = self.service.live().await.map_err(|error| error.to_string())?;
            if check(&live) { Ok(live) } else { Err(format!("live at the service: {live:#?}")) }
        };
        poll(what, DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    pub async fn until_service(&self, name: &str, type_: ConditionType, reason: Reason) -> Condition {
        let services = self.services();
        let look = || async {
            let service = services.get(name).await.map_err(|error| error.to_string())?;
            let status = service.status.unwrap_or_default();
            let found = status.conditions.iter().find(|found| found.type_ == type_ && found.reason == reason).cloned();
            found.ok_or_else(|| format!("{:#?}", status.conditions))
        };
        poll(&format!("{name} has {type_:?}/{reason}"), DEADLINE, look)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    pub async fn annotate(&self, name: &str, key: &str, value: &str) {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        self.patch(name, patch).await;
    }

    pub async fn patch(&self, name: &str, patch: Value) {
        self.tokens()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .expect("patch the ArtifactToken");
    }

    pub async fn delete(&self, name: &str) {
        self.tokens().delete(name, &DeleteParams::default()).await.expect("delete the ArtifactToken");
    }

    pub async fn secret(&self, name: &str) -> Option<Secret> {
        self.secrets().get_opt(name).await.expect("read the Secret")
    }

    /// The value of `key` in the Secret.
    pub async fn value(&self, name: &str, key: &str) -> String {
        let secret = self.secret(name).await.expect("the Secret is there");
        String::from_utf8(secret.data.expect("data")[key].0.clone()).expect("text")
    }

    /// Whether the service accepts this value now.
    pub async fn accepts(&self, value: &str) -> bool {
        let url = format!("{}/v1/whoami", self.service.base_url());
        let request =
            testbed::http::client().expect("client").get(url).header("Authorization", format!("Bearer {value}"));
        request.send().await.expect("ask the service").status() == 200
    }

    /// Waits until the world is at rest, and checks that one token lives at the service, and that the Secret holds it.
    pub async fn agrees(&self, name: &str, secret: &str) -> ArtifactToken {
        let live = self.until_live("one token lives", |live| live.len() == 1).await;
        let id = live[0].id.clone();
        let token = self
            .until(name, "the ledger has the one live token", |token| {
                let ledger = &token.status.as_ref().unwrap().ledger;
                ledger.current.as_ref().is_some_and(|current| current.id.as_str() == id) && ledger.superseded.is_empty()
            })
            .await;
        assert!(is_ready(&token), "{:#?}", token.status);
        let stored = self.secret(secret).await.expect("the Secret is there");
        assert_eq!(stored.annotations()["artifact-token.dev/token-id"], id);
        assert!(self.accepts(&self.value(secret, "token").await).await, "the service refuses the token in the Secret");
        token
    }
}

/// The path of a program of this project. Cargo builds it before the tests, into the folder above the one of the test program.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test program has a path");
    let folder = test.parent().and_then(Path::parent).expect("the test program lies in target/PROFILE/deps");
    folder.join(name)
}

/// The folder with the CRDs.
pub fn crds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds")
}

/// Installs the CRDs once in a process; the first test of a binary does it for all.
async fn install_crds(client: &Client) {
    static INSTALLED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let folder = crds();
    INSTALLED.get_or_init(|| async { cluster::apply_crds(client, &folder).await.expect("install the CRDs") }).await;
}

pub fn condition(token: &ArtifactToken, type_: ConditionType) -> Option<&Condition> {
    token.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
}

pub fn is_ready(token: &ArtifactToken) -> bool {
    condition(token, ConditionType::Ready).is_some_and(|ready| ready.status == ConditionStatus::True)
        && token.status.as_ref().and_then(|status| status.observed_generation) == token.metadata.generation
}

pub fn attempt(token: &ArtifactToken) -> u32 {
    token.status.as_ref().and_then(|status| status.ledger.current.as_ref()).map_or(0, |current| current.attempt)
}

pub fn credential_yaml(key: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: reference-admin}}\nstringData: {{key: \"{key}\"}}\n")
}

pub fn service_yaml(name: &str, url: &str) -> String {
    format!(
        "apiVersion: {}/v1alpha1\nkind: TokenService\nmetadata: {{name: {name}}}\nspec:\n  preset: Reference\n  baseURL: {url}\n  \
         connection: {{insecureHTTP: true}}\n  credentials: {{adminKey: {{name: reference-admin, key: key}}}}\n  \
         naming: {{prefix: test}}\n  limits: {{requestsPerMinute: 6000}}\n  constraints: {{minimumInterval: 10s}}\n",
        api::GROUP
    )
}

/// A token in the Secret `NAME-secret`, without rotation by age.
pub fn token_yaml(name: &str) -> String {
    format!(
        "apiVersion: {}/v1alpha1\nkind: ArtifactToken\nmetadata: {{name: {name}}}\nspec:\n  serviceRef: {{name: reference}}\n  \
         rotation: {{policy: Disabled}}\n  secret:\n    name: {name}-secret\n    data: [{{key: token, format: Raw}}]\n",
        api::GROUP
    )
}
