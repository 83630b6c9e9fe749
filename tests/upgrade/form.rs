//! What an older version left in a cluster, put into this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::identity::uid16;
use chrono::Utc;
use serde_json::Value;
use testbed::{cluster, poll};

use crate::scene::Scene;
use crate::template::{Template, Words};

/// Long enough for a changed CRD to be in force.
const IN_FORCE: Duration = Duration::from_secs(60);
/// The file of the service objects. Every other one is of one `ArtifactToken`.
const SERVICES: &str = "services";

/// The forms that this version takes over, one a folder. A change of the ledger, of the marks or of a digest adds its own.
pub const FORMS: &[Form] = &[Form { folder: "0.1.0-8214ec5", gone: &["/claim/wish", "/current/wish"] }];

/// The form of one older version.
pub struct Form {
    /// The folder below `tests/upgrade`: version and commit.
    folder: &'static str,
    /// Fields of its status that this version's CRD does not know.
    gone: &'static [&'static str],
}

/// Which CRDs are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crds {
    Old,
    New,
}

impl Form {
    /// Puts CRDs into the cluster. [`Form::put_into`] and [`Form::until_seen_by`] wait until they are in force.
    pub async fn apply(&self, crds: Crds, scene: &Scene) {
        let folder = match crds {
            Crds::Old => self.folder().join("crds"),
            Crds::New => Path::new(env!("CARGO_MANIFEST_DIR")).join("crds"),
        };
        cluster::apply_crds(&scene.world.client, &folder).await.expect("apply the CRDs");
    }

    /// The names of its objects.
    pub fn names(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder()).expect("list the folder").map(|file| file.expect("a file").path());
        let yaml = files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        let stem = |file: PathBuf| file.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let mut names: Vec<String> = yaml.map(stem).filter(|name| name != SERVICES).collect();
        names.sort();
        names
    }

    /// Creates all objects, their Secrets, and their tokens at the service, as they were a moment ago.
    pub async fn put_into(&self, scene: &Scene, crds: Crds) {
        let now = Time::from(Utc::now());
        for service in self.read(SERVICES).as_array().expect("a list") {
            let mut words = words_of(scene, now);
            scene.create(&words.put_in(service)).await;
            self.write_status(scene, crds, service, &mut words).await;
        }
        for name in self.names() {
            self.put_one(scene, crds, &self.read(&name), words_of(scene, now)).await;
        }
    }

    async fn put_one(&self, scene: &Scene, crds: Crds, state: &Template, mut words: Words) {
        let mut object = state["object"].clone();
        let status = object.as_object_mut().expect("an object").remove("status").expect("a status");
        let created = scene.create(&words.put_in(&object)).await;
        let uid = text(&created["metadata"]["uid"]);
        let reference = &created["spec"]["serviceRef"];
        let service = scene.read(&text(&reference["kind"]), &text(&reference["name"])).await;
        words.add("uid", &uid);
        words.add("uid16", &uid16(&uid));
        words.add("service-uid", &text(&service["metadata"]["uid"]));
        for (index, name) in state["tokens"].as_array().expect("tokens").iter().enumerate() {
            let (id, value) = scene.world.generate_as(&words.put_in(name).to_string().replace('"', "")).await;
            let last = value.chars().skip(value.chars().count() - 4).collect::<String>();
            for (what, word) in [("id", id), ("value", value), ("hint", format!("****{last}"))] {
                words.add(&format!("{what}-{}", index + 1), &word);
            }
        }
        let secret = scene.create(&words.put_in(&state["secret"])).await;
        words.add("version", &text(&secret["metadata"]["resourceVersion"]));
        object["status"] = status;
        self.write_status(scene, crds, &object, &mut words).await;
    }

    /// Writes the status of a template until it is stored as these CRDs store it: a changed CRD takes a moment.
    async fn write_status(&self, scene: &Scene, crds: Crds, template: &Template, words: &mut Words) {
        let (kind, name) = (text(&template["kind"]), text(&words.put_in(&template["metadata"]["name"])));
        let status = words.put_in(&template["status"]);
        let write = || async {
            let stored = scene.write_status(&kind, &name, &status).await;
            let odd = self.gone.iter().find(|field| {
                let keeps = stored["status"].pointer(field).is_some();
                status.pointer(field).is_some() && keeps != (crds == Crds::Old)
            });
            odd.map_or(Ok(()), |field| Err(format!("{field} of {name}: not yet the {crds:?} CRDs")))
        };
        poll(&format!("the status of {name} is stored"), IN_FORCE, write).await.expect("the CRDs are in force");
    }

    /// Waits until readers do not see any more what the new CRDs do not know.
    pub async fn until_seen_by(&self, scene: &Scene) {
        for name in self.names() {
            let look = || async {
                let object = scene.read("ArtifactToken", &name).await;
                let old = self.gone.iter().find(|field| object["status"].pointer(field).is_some());
                old.map_or(Ok(()), |field| Err(format!("{name} still shows {field}")))
            };
            poll("the new CRDs are in force", IN_FORCE, look).await.expect("the CRDs are in force");
        }
    }

    fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(self.folder)
    }

    fn read(&self, name: &str) -> Template {
        let file = self.folder().join(format!("{name}.yaml"));
        let yaml = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }
}

/// What is the same for all objects of the scene. An object that is new has generation 1.
fn words_of(scene: &Scene, now: Time) -> Words {
    let mut words = Words::at(now);
    words.generation = Some(1);
    words.add("namespace", &scene.world.namespace);
    words.add("url", &scene.world.service.base_url());
    words
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}
