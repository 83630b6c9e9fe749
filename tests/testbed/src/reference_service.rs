//! The reference service: a token service that records everything that happens.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::folder::RunFolder;
use crate::http;
use crate::process::Process;
use crate::random::random_hex;

/// Limit for the service to print its addresses.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// Everything the service knows.
#[derive(Clone, Debug, Deserialize)]
pub struct Books {
    /// Every token ever generated.
    pub tokens: Vec<Row>,
    /// Mails that told the admins of a new token; only those of Appetize do.
    pub mails: usize,
    /// Calls since the start or the last [`ReferenceService::reset_calls`].
    pub calls: Calls,
    /// Every call, oldest first.
    pub log: Vec<Call>,
}

/// A token at the service.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The service's identifier; not secret.
    pub id: String,
    /// The name the caller gave.
    pub name: String,
    /// When it was generated (RFC 3339).
    pub created_time: String,
    /// When it expires by itself.
    #[serde(default)]
    pub expiration_time: Option<String>,
    /// When it was revoked.
    #[serde(default)]
    pub revoked_time: Option<String>,
    /// Its present state.
    pub state: State,
    /// Its scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Uses that were accepted.
    #[serde(default)]
    pub accepted_count: u64,
    /// Uses that were refused.
    #[serde(default)]
    pub refused_count: u64,
}

/// The state of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum State {
    /// It is accepted.
    Live,
    /// Somebody revoked it.
    Revoked,
    /// Its time is over.
    Expired,
    /// The service forgot it by itself.
    Dropped,
}

/// Calls by operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Calls {
    /// Calls that generate.
    pub generate: u64,
    /// Calls that verify.
    pub verify: u64,
    /// Calls that list.
    pub list: u64,
    /// Calls that revoke.
    pub revoke: u64,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The operation.
    pub operation: String,
    /// When (RFC 3339).
    pub time: String,
    /// The HTTP status of the answer; 0 if the answer was lost or cut.
    pub status: u16,
    /// The token that it concerned, if there is one.
    #[serde(default)]
    pub token_id: Option<String>,
    /// Who called: `Admin`, `Token`, `None` or `Wrong`.
    pub credential: String,
}

/// A running reference service. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct ReferenceService {
    process: Process,
    binary: PathBuf,
    admin_key: String,
    addresses: Addresses,
    folder: RunFolder,
}

/// The line that the service prints when it is ready.
#[derive(Clone, Debug, Deserialize)]
struct Addresses {
    address: String,
    control: String,
}

impl ReferenceService {
    /// Starts the service of `binary` on free ports of 127.0.0.1, with empty books and a random admin key.
    pub async fn start(binary: impl AsRef<Path>) -> Result<Self> {
        let binary = binary.as_ref().to_owned();
        let folder = RunFolder::create("reference-service")?;
        let admin_key = random_hex(16)?;
        let any = Addresses { address: String::from("127.0.0.1:0"), control: String::from("127.0.0.1:0") };
        let (process, addresses) = launch(&binary, &any, &admin_key, &folder).await?;
        Ok(Self { process, binary, admin_key, addresses, folder })
    }

    /// Kills the service and starts it again with its data, on the same ports. Waits until it answers.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill();
        let (process, addresses) = launch(&self.binary, &self.addresses, &self.admin_key, &self.folder).await?;
        (self.process, self.addresses) = (process, addresses);
        Ok(())
    }

    /// Where the service answers, `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addresses.address)
    }

    /// The address of its control API, `http://127.0.0.1:PORT`.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.addresses.control)
    }

    /// The credential that may do everything.
    pub fn admin_key(&self) -> &str {
        &self.admin_key
    }

    /// The process: for its log, for pausing it, for killing it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Everything that happened.
    pub async fn books(&self) -> Result<Books> {
        let body = control(http::client()?.get(self.control("books"))).await?;
        serde_json::from_str(&body).with_context(|| format!("read the books: {body}"))
    }

    /// The tokens that are accepted now.
    pub async fn live(&self) -> Result<Vec<Row>> {
        let mut tokens = self.books().await?.tokens;
        tokens.retain(|token| token.state == State::Live);
        Ok(tokens)
    }

    /// Replaces the faults by an array of fault objects.
    pub async fn faults(&self, faults: Value) -> Result<()> {
        control(http::with_json(http::client()?.put(self.control("faults")), &faults)).await.map(drop)
    }

    /// Ends all faults.
    pub async fn clear_faults(&self) -> Result<()> {
        control(http::client()?.delete(self.control("faults"))).await.map(drop)
    }

    /// Sends a form as the browser of a signed-in person does, and returns the token that the page shows.
    pub async fn make_by_hand(&self, page: &str, form: &str) -> Result<String> {
        let request = http::client()?.post(format!("{}{page}", self.base_url()));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        let (status, html) = http::answer(request.header("authorization", http::basic("ada", &self.admin_key))).await?;
        let shown = html.split_once("<code id=\"token\">").and_then(|(_, rest)| rest.split_once("</code>"));
        let (value, _) = shown.with_context(|| format!("the page shows no token: {status} {html}"))?;
        Ok(value.to_owned())
    }

    /// Counts calls from zero again.
    pub async fn reset_calls(&self) -> Result<()> {
        control(http::client()?.post(self.control("reset-calls"))).await.map(drop)
    }

    fn control(&self, path: &str) -> String {
        format!("{}/control/{path}", self.control_url())
    }
}

async fn launch(
    binary: &Path,
    wanted: &Addresses,
    admin_key: &str,
    folder: &RunFolder,
) -> Result<(Process, Addresses)> {
    let mut command = Command::new(binary);
    command.args(["--listen", &wanted.address, "--control-listen", &wanted.control, "--admin-key", admin_key]);
    command.arg("--data").arg(folder.file("data"));
    let (log, stdout) = (folder.file("reference-service.log"), folder.file("reference-service.stdout"));
    let mut process = Process::start_with_stdout("the reference service", &command, &log, &stdout)?;
    let line = process.first_line(READY_DEADLINE).await?;
    let addresses = serde_json::from_str(&line).with_context(|| format!("read its addresses: {line}"))?;
    Ok((process, addresses))
}

/// Sends a request to the control API. Every status 2xx is a success.
async fn control(request: reqwest::RequestBuilder) -> Result<String> {
    let (status, body) = http::answer(request).await?;
    if !(200..300).contains(&status) {
        bail!("the reference service's control API says {status}: {body}");
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_are_read_as_the_service_writes_them() {
        let books: Books = serde_json::from_value(serde_json::json!({
            "tokens": [{
                "id": "t1", "name": "ci", "createdTime": "2026-01-01T00:00:00Z", "expirationTime": null,
                "revokedTime": "2026-01-02T00:00:00Z", "state": "Revoked", "scopes": ["read"],
                "acceptedCount": 3, "refusedCount": 1,
            }],
            "mails": 0,
            "calls": {"generate": 1, "verify": 4, "list": 0, "revoke": 1},
            "log": [{"operation": "generate", "time": "2026-01-01T00:00:00Z", "status": 201, "tokenId": "t1",
                "credential": "Admin"}],
        }))
        .unwrap();
        assert_eq!(books.tokens[0].state, State::Revoked);
        assert_eq!(books.calls, Calls { generate: 1, verify: 4, list: 0, revoke: 1 });
        assert_eq!(books.log[0].token_id.as_deref(), Some("t1"));
    }
}
