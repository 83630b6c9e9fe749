//! The token service of the tour, and its own list of tokens. This module does not ask the operator.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use testbed::folder::RunFolder;
use testbed::{Process, Verdaccio, http};

use crate::by_hand::{AKINON, Page, SEAL, System};

/// The address of the reference service in the YAML files of the examples.
const REFERENCE_ADDRESS: &str = "127.0.0.1:8090";
/// The address of Verdaccio in the YAML files of the examples: its default.
const VERDACCIO_URL: &str = "http://127.0.0.1:4873";
/// Limit for the reference service to print its addresses.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// The state of a token that the service accepts.
const LIVE: &str = "Live";

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The truthful service of this repository.
    Reference,
    /// The npm registry server.
    Verdaccio,
    /// The API tokens of Appetize, played by the reference service.
    Appetize,
    /// The artifact server tokens of Seal Security, which a person makes; played by the reference service.
    Seal,
    /// The access tokens of the Akinon Seller Center, which a person makes; played by the reference service.
    Akinon,
}

impl Kind {
    /// The folder of the YAML files.
    pub fn folder(self) -> PathBuf {
        let name = match self {
            Self::Reference => "quickstart",
            Self::Verdaccio => "verdaccio",
            Self::Appetize => "appetize",
            Self::Seal => "seal",
            Self::Akinon => "akinon",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
    }

    /// The ArtifactToken in those files.
    pub fn token(self) -> &'static str {
        match self {
            Self::Reference => "ci-pipeline",
            Self::Verdaccio => "npm-publish",
            Self::Appetize => "ci-uploads",
            Self::Seal => "ci-seal",
            Self::Akinon => "ci-akinon",
        }
    }

    /// Where a person makes its tokens, if the service cannot.
    fn system(self) -> Option<&'static System> {
        match self {
            Self::Reference | Self::Verdaccio | Self::Appetize => None,
            Self::Seal => Some(&SEAL),
            Self::Akinon => Some(&AKINON),
        }
    }
}

/// The service's own list of tokens.
#[derive(Clone, Debug)]
pub struct List {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The tokens.
    pub rows: Vec<Row>,
}

/// A token as the service lists it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The identifier under which the operator knows it: the service's own, where the operator learns that.
    pub id: String,
    /// Whether the service accepts it.
    pub live: bool,
    /// What the service shows of it, by column.
    pub cells: Vec<String>,
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    /// Which one it is.
    pub kind: Kind,
    /// The address to put into the YAML files instead of theirs, if it differs.
    pub address: Option<(String, String)>,
    /// The page on which a person makes its tokens, if the service cannot.
    pub page: Option<Page>,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Reference { _process: Process, url: String, control: String, key: String, _folder: RunFolder },
    Verdaccio { server: Box<Verdaccio>, username: String, password: String },
}

impl Service {
    /// Starts the service with the credential that stands in its `credential.yaml`.
    pub async fn start(kind: Kind, reference_service: &Path) -> Result<Self> {
        match kind {
            Kind::Verdaccio => verdaccio().await,
            Kind::Reference | Kind::Appetize | Kind::Seal | Kind::Akinon => reference(kind, reference_service).await,
        }
    }

    /// A YAML file with the service's real address, to be applied.
    pub fn yaml(&self, path: &Path) -> Result<String> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Ok(self.address.iter().fold(text, |text, (written, real)| text.replace(written, real)))
    }

    /// The tokens that the service lists. The reference service lists dead ones, too.
    pub async fn tokens(&self) -> Result<List> {
        if let Some(page) = &self.page {
            return page.tokens().await;
        }
        match &self.running {
            Running::Reference { control, .. } => {
                let books = get(&format!("{control}/control/books"), None).await?;
                rows(&books["tokens"], |token| [&token["id"], &token["name"], &token["state"]].map(text))
            }
            Running::Verdaccio { server, username, password } => {
                let url = format!("{}/-/npm/v1/tokens", server.base_url());
                let list = get(&url, Some(http::basic(username, password))).await?;
                rows(&list["objects"], |token| [text(&token["key"]), "-".into(), LIVE.into()])
            }
        }
    }

    /// Whether the service accepts this token now.
    pub async fn accepts(&self, token: &str) -> Result<bool> {
        match &self.running {
            Running::Reference { url, .. } => {
                let client = http::client()?;
                let request = match &self.page {
                    Some(page) => page.used(token)?,
                    None if self.kind == Kind::Appetize => {
                        client.get(format!("{url}/appetize/v2/tags")).header("x-api-key", token)
                    }
                    None => client.get(format!("{url}/v1/whoami")).header("authorization", format!("Bearer {token}")),
                };
                match http::answer(request).await?.0 {
                    200 => Ok(true),
                    401 => Ok(false),
                    status => bail!("the service answers {status}"),
                }
            }
            Running::Verdaccio { server, .. } => server.is_accepted(token).await,
        }
    }

    /// Revokes a token behind the operator's back, if the service has a page for that.
    pub async fn revoke_by_hand(&self, id: &str) -> Result<()> {
        let Running::Reference { control, .. } = &self.running else { bail!("this service has no such page") };
        let (status, body) =
            http::answer(http::client()?.post(format!("{control}/control/tokens/{id}/revoke"))).await?;
        ensure!(status == 204, "revoke by hand: {status} {body}");
        Ok(())
    }

    /// How to see the service's own list from a shell.
    pub fn list_command(&self) -> String {
        if let Some(page) = &self.page {
            return page.command();
        }
        match &self.running {
            Running::Reference { url, key, .. } if self.kind == Kind::Appetize => {
                format!("curl -s -H 'X-API-KEY: {key}' {url}/appetize/v2/api-tokens")
            }
            Running::Reference { control, .. } => format!("curl -s {control}/control/books"),
            Running::Verdaccio { server, username, password } => {
                format!("curl -s -u {username}:{password} {}/-/npm/v1/tokens", server.base_url())
            }
        }
    }
}

/// Starts the reference service, at the address of the YAML files if that is free.
async fn reference(kind: Kind, binary: &Path) -> Result<Service> {
    let free = TcpListener::bind(REFERENCE_ADDRESS).is_ok();
    let listen = if free { REFERENCE_ADDRESS } else { "127.0.0.1:0" };
    let folder = RunFolder::create("quickstart-service")?;
    let mut command = Command::new(binary);
    command.args(["--listen", listen]).arg("--data").arg(folder.file("data"));
    // The operator needs no credential for tokens that a person makes. The person signs in with that of the plain quick start.
    let key = credential(if kind.system().is_some() { Kind::Reference } else { kind }, "key")?;
    command.env("REFERENCE_SERVICE_ADMIN_KEY", &key);
    let (log, stdout) = (folder.file("service.log"), folder.file("service.stdout"));
    let mut process = Process::start_with_stdout("the reference service", &command, &log, &stdout)?;
    let line = process.first_line(READY_DEADLINE).await?;
    let addresses: Value = serde_json::from_str(&line).with_context(|| format!("read its addresses: {line}"))?;
    let url = |name: &str| format!("http://{}", text(&addresses[name]));
    let (written, real) = (format!("http://{REFERENCE_ADDRESS}"), url("address"));
    let (url, control) = (real.clone(), url("control"));
    let page = kind.system().map(|system| Page::new(system, &url, &key));
    let running = Running::Reference { _process: process, url, control, key, _folder: folder };
    let address = (written != real).then_some((written, real));
    Ok(Service { kind, address, page, running })
}

/// Starts Verdaccio on a free port, with the user of `credential.yaml`.
async fn verdaccio() -> Result<Service> {
    let server = Box::new(Verdaccio::start().await?);
    let (username, password) = (credential(Kind::Verdaccio, "username")?, credential(Kind::Verdaccio, "password")?);
    server.register(&username, &password).await?;
    let address = Some((VERDACCIO_URL.to_owned(), server.base_url().to_owned()));
    let running = Running::Verdaccio { server, username, password };
    Ok(Service { kind: Kind::Verdaccio, address, page: None, running })
}

/// A value of `credential.yaml`.
fn credential(kind: Kind, key: &str) -> Result<String> {
    let path = kind.folder().join("credential.yaml");
    let yaml = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let secret: Secret = serde_saphyr::from_str(&yaml).with_context(|| format!("understand {}", path.display()))?;
    let value = secret.string_data.and_then(|mut data| data.remove(key));
    value.with_context(|| format!("no {key} in {}", path.display()))
}

async fn get(url: &str, authorization: Option<String>) -> Result<Value> {
    let mut request = http::client()?.get(url);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let (status, body) = http::answer(request).await?;
    // Verdaccio answers this for a user who has no tokens.
    if status == 500 && body.contains("user not found") {
        return Ok(serde_json::json!({"objects": []}));
    }
    ensure!(status == 200, "list the service's tokens: {status} {body}");
    serde_json::from_str(&body).context("read the service's list")
}

fn rows(list: &Value, columns: impl Fn(&Value) -> [String; 3]) -> Result<List> {
    let tokens = list.as_array().context("the service's answer has no list of tokens")?;
    let row = |token| {
        let [id, name, state] = columns(token);
        Row { id: id.clone(), live: state == LIVE, cells: vec![id, name, state] }
    };
    Ok(List { columns: ["ID", "Name", "State"].map(str::to_owned).to_vec(), rows: tokens.iter().map(row).collect() })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
