//! One control plane for all tests of this program, with the CRDs as the code generates them.

use std::path::PathBuf;
use std::sync::Arc;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::token_service::TokenService;
use artifact_token_operator::api::{GROUP, crds};
use futures::stream::{self, StreamExt as _};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use testbed::{ControlPlane, Options, cluster};
use tokio::sync::OnceCell;

/// Requests at the same time: enough to keep the API server busy.
const AT_A_TIME: usize = 8;

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// A kind of this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ArtifactToken,
    TokenService,
    ClusterTokenService,
}

pub const KINDS: [Kind; 3] = [Kind::ArtifactToken, Kind::TokenService, Kind::ClusterTokenService];
/// The kinds with the fields and rules of a service.
pub const SERVICES: [Kind; 2] = [Kind::TokenService, Kind::ClusterTokenService];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::ArtifactToken => "ArtifactToken",
            Self::TokenService => "TokenService",
            Self::ClusterTokenService => "ClusterTokenService",
        }
    }

    /// The schema of its only version, as generated.
    pub fn schema(self) -> Value {
        let crd = crds().into_iter().find(|crd| crd.spec.names.kind == self.name()).unwrap();
        serde_json::to_value(&crd).unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take()
    }

    /// The operator must be able to read every object that the API server accepts: one unreadable object ends the watch of all.
    fn must_be_readable(self, object: &Value) {
        let read = match self {
            Self::ArtifactToken => serde_json::from_value::<ArtifactToken>(object.clone()).err(),
            Self::TokenService => serde_json::from_value::<TokenService>(object.clone()).err(),
            Self::ClusterTokenService => serde_json::from_value::<ClusterTokenService>(object.clone()).err(),
        };
        assert!(read.is_none(), "accepted, but the operator cannot read it: {}\n{object:#}", read.unwrap());
    }
}

/// The API server's answer.
#[derive(Clone, Debug)]
pub enum Verdict {
    Accepted(Value),
    Refused(String),
}

impl Verdict {
    pub fn result(self) -> Result<Value, String> {
        match self {
            Self::Accepted(object) => Ok(object),
            Self::Refused(message) => Err(format!("refused: {message}")),
        }
    }

    pub fn accepted(self) -> Value {
        self.result().unwrap()
    }

    /// Checks that this is a refusal with all of `words`.
    pub fn refused_with(&self, words: &[&str]) -> Result<String, String> {
        match self {
            Self::Accepted(_) => Err(format!("accepted, expected a refusal with {words:?}")),
            Self::Refused(message) if words.iter().all(|words| message.contains(words)) => Ok(message.clone()),
            Self::Refused(message) => Err(format!("refused without {words:?}: {message}")),
        }
    }
}

pub struct World {
    pub control_plane: Arc<ControlPlane>,
    pub client: Client,
    /// The namespace of this test alone.
    pub namespace: String,
}

/// The shared control plane with the CRDs, and a new namespace.
pub async fn world() -> World {
    let control_plane = ControlPlane::shared(Options::default()).await.unwrap();
    let client = control_plane.client().await.unwrap();
    INSTALLED.get_or_init(|| async { cluster::apply_crds(&client, &crd_folder()).await.unwrap() }).await;
    let namespace = cluster::namespace(&client, "api").await.unwrap();
    World { control_plane, client, namespace }
}

/// The CRDs as the code generates them; the files in `crds/` may be older.
pub fn crd_folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("api-crds");
    std::fs::create_dir_all(&folder).unwrap();
    for crd in crds() {
        let text = serde_saphyr::to_string(&crd).unwrap();
        std::fs::write(folder.join(format!("{}.yaml", crd.spec.names.plural)), text).unwrap();
    }
    folder
}

impl World {
    pub fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1alpha1", kind.name()));
        match kind {
            Kind::ArtifactToken | Kind::TokenService => {
                Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
            }
            Kind::ClusterTokenService => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// The name that [`World::create`] gives to the object `name`. A kind without a namespace gets another name in each test.
    pub fn name(&self, kind: Kind, name: &str) -> String {
        if kind == Kind::ClusterTokenService { format!("{name}-{}", self.namespace) } else { name.to_owned() }
    }

    /// Creates `object`, not as a dry run.
    pub async fn create(&self, kind: Kind, object: &Value) -> Value {
        let mut object = object.clone();
        object["metadata"]["name"] = self.name(kind, object["metadata"]["name"].as_str().unwrap()).into();
        let created = self.api(kind).create(&PostParams::default(), &dynamic(&object)).await;
        verdict(kind, created).accepted()
    }

    /// The API server's answer to the creation of `object`, as a dry run.
    pub async fn try_create(&self, kind: Kind, object: &Value) -> Verdict {
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        verdict(kind, self.api(kind).create(&parameters, &dynamic(object)).await)
    }

    /// The same for a server-side apply of `object`.
    pub async fn try_apply(&self, kind: Kind, object: &Value) -> Verdict {
        let name = object["metadata"]["name"].as_str().unwrap();
        let parameters = PatchParams { dry_run: true, ..PatchParams::apply("api-test") };
        verdict(kind, self.api(kind).patch(name, &parameters, &Patch::Apply(object)).await)
    }

    /// The same for a merge patch of an existing object.
    pub async fn try_patch(&self, kind: Kind, name: &str, patch: &Value) -> Verdict {
        let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
        verdict(kind, self.api(kind).patch(&self.name(kind, name), &parameters, &Patch::Merge(patch)).await)
    }

    /// The same for a status of an existing object that has none yet.
    pub async fn try_status(&self, kind: Kind, name: &str, status: &Value) -> Verdict {
        let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
        let patch = json!({"status": status});
        let name = self.name(kind, name);
        verdict(kind, self.api(kind).patch_status(&name, &parameters, &Patch::Merge(&patch)).await)
    }
}

/// Runs `probe` for all items, several at a time, and panics with all problems, not only the first one.
pub async fn check_all<T, Probe, Answer>(items: impl IntoIterator<Item = T>, probe: Probe)
where
    Probe: FnMut(T) -> Answer,
    Answer: Future<Output = Result<(), String>>,
{
    let answers: Vec<_> = stream::iter(items).map(probe).buffer_unordered(AT_A_TIME).collect().await;
    let count = answers.len();
    let problems: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(problems.is_empty(), "{} of {count} cases failed:\n{}", problems.len(), problems.join("\n"));
    println!("{count} cases");
}

pub fn dynamic(object: &Value) -> DynamicObject {
    serde_json::from_value(object.clone()).unwrap()
}

fn verdict(kind: Kind, answer: kube::Result<DynamicObject>) -> Verdict {
    match answer {
        Ok(object) => {
            let object = serde_json::to_value(&object).unwrap();
            kind.must_be_readable(&object);
            Verdict::Accepted(object)
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => Verdict::Refused(status.message.clone()),
        Err(error) => panic!("no verdict: {error}"),
    }
}
