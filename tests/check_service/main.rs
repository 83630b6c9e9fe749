//! `kubectl artifact-token check-service`: the real program, at a real service. After each run the service's books say what lives there,
//! and nothing that the person saw has a value.
//!
//! | module | what it holds |
//! |---|---|
//! | `declared` | a right declaration, and each operation declared wrong |
//! | `ended` | what the trial leaves behind when an answer gets lost, or somebody ends it |
//! | `hostile` | a service that repeats what it was sent, and one whose ids are tokens |
//! | `given` | where the object, the credentials and the authorities come from, and what is no usage |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod declared;
mod ended;
mod given;
mod hostile;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::canary::Canary;
use testbed::folder::RunFolder;
use testbed::reference_service::Row;
use testbed::{ReferenceService, http};

/// What the value of every token of the service begins with.
const VALUE: &str = "ref_";
/// A lifetime that the service gives, so that a token that a test leaves behind ends by itself.
const LIFETIME: &str = "--lifetime=1h";

/// A service, and a folder for the files of the person.
struct Bench {
    service: ReferenceService,
    folder: RunFolder,
}

/// What the person saw.
struct Told {
    code: Option<i32>,
    text: String,
}

impl Bench {
    async fn start() -> Self {
        let service = ReferenceService::start(support::binary("reference-service")).await.unwrap();
        Self { service, folder: RunFolder::create("check-service").unwrap() }
    }

    /// A service object at the service; `change` gets it.
    fn object(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut object = json!({
            "apiVersion": "artifact-token.dev/v1alpha1", "kind": "TokenService", "metadata": {"name": "registry"},
            "spec": {
                "preset": "Reference", "baseURL": self.service.base_url(), "connection": {"insecureHTTP": true},
                "credentials": {"adminKey": {"name": "registry-admin", "key": "key"}},
                "naming": {"prefix": "test"}, "limits": {"requestsPerMinute": 6000},
            },
        });
        change(&mut object);
        object
    }

    /// The credential that the object refers to.
    fn secret(&self) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry-admin"},
            "stringData": {"key": self.service.admin_key()}})
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The command for a file with these objects, without a cluster.
    fn command(&self, objects: &[Value], arguments: &[&str]) -> Command {
        let file = self.write("service.yaml", &json!({"kind": "List", "items": objects}).to_string());
        let mut command = Command::new(support::binary("kubectl-artifact_token"));
        command.args(["check-service", "-f"]).arg(file).args(arguments);
        if !arguments.iter().any(|argument| argument.starts_with("--settle")) {
            command.arg("--settle=1s");
        }
        command.env("KUBECONFIG", self.folder.path().join("no-kubeconfig"));
        command
    }

    async fn run(&self, command: Command) -> Told {
        let output = output(command).await;
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        self.assert_no_value(&text);
        Told { code: output.status.code(), text }
    }

    /// Checks the object, with its credential in the same file.
    async fn check(&self, change: impl FnOnce(&mut Value)) -> Told {
        self.run(self.command(&[self.object(change), self.secret()], &[LIFETIME])).await
    }

    fn assert_no_value(&self, text: &str) {
        let mut canary = Canary::default();
        canary.add("the admin key", self.service.admin_key());
        let found = canary.find("the output", text);
        assert!(found.is_empty() && !text.contains(VALUE), "{found:?}\n{text}");
    }

    async fn live(&self) -> Vec<Row> {
        self.service.live().await.unwrap()
    }

    /// The service has made this number of tokens, and none of them lives.
    async fn assert_clean(&self, made: usize, told: &Told) {
        let tokens = self.service.books().await.unwrap().tokens;
        assert_eq!(tokens.len(), made, "{tokens:#?}\n{}", told.text);
        assert!(self.live().await.is_empty(), "{tokens:#?}\n{}", told.text);
    }

    /// Generates a token as somebody else would, and returns its value.
    async fn generate(&self, name: &str) -> String {
        let url = format!("{}/v1/tokens", self.service.base_url());
        let request = http::client().unwrap().post(url);
        let request = request.header("authorization", format!("Bearer {}", self.service.admin_key()));
        let (status, text) = http::answer(http::with_json(request, &json!({"name": name}))).await.unwrap();
        assert_eq!(status, 201, "{text}");
        let token: Value = serde_json::from_str(&text).unwrap();
        token["token"].as_str().unwrap().to_owned()
    }
}

impl Told {
    /// The command ended with this code, and the person saw all of this.
    fn assert(&self, code: i32, wanted: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.text);
        // A longer sentence goes on in the next line.
        let unwrapped = self.text.replace("\n  ", " ");
        for wanted in wanted {
            let told = |text: &str| text.contains(wanted);
            assert!(told(&self.text) || told(&unwrapped), "{wanted:?} is not in:\n{}", self.text);
        }
    }
}

/// The output of a command, while the service of the test goes on.
async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}
