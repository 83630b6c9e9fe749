//! Verdaccio, the npm registry server, installed on demand. Needs Node.js with npm on `PATH`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::folder::{RunFolder, target_directory};
use crate::process::Process;
use crate::random::random_hex;
use crate::{http, progress};

/// The package that npm installs. It has an override, because a dependency asks for a tag of node-fetch that some registries lack.
const PACKAGE: &str = r#"{
  "name": "testbed-verdaccio",
  "version": "1.0.0",
  "private": true,
  "dependencies": { "verdaccio": "6.8.0" },
  "overrides": { "node-fetch": "2.6.7" }
}
"#;
/// Limit for the server to answer: a second on an idle machine.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How often the server is started again because somebody else took its port first.
const PORT_ATTEMPTS: usize = 4;
/// The name of the first user.
const USER: &str = "testbed";

/// Installs the server under the target directory, and returns the script that starts it.
///
/// Blocks the thread: about half a minute the first time. Parallel callers install it only once.
pub fn ensure() -> Result<PathBuf> {
    let folder = target_directory().join("verdaccio");
    let script = folder.join("node_modules/verdaccio/bin/verdaccio");
    // Written last, with the installed version, so that an interrupted or an older installation is replaced.
    let complete = folder.join("installed.json");
    let installed = || fs::read_to_string(&complete).is_ok_and(|package| package == PACKAGE);
    if installed() {
        return Ok(script);
    }
    let _lock = progress::lock("installing verdaccio", &folder.join("install.lock"))?;
    if installed() {
        return Ok(script);
    }
    fs::write(folder.join("package.json"), PACKAGE).context("write package.json")?;
    let mut install = npm()?;
    install.args(["install", "--no-audit", "--no-fund", "--no-update-notifier"]).current_dir(&folder);
    progress::run("installing verdaccio with npm", &install, &folder.join("install.log"))?;
    fs::write(&complete, PACKAGE).context("mark the installation as complete")?;
    Ok(script)
}

/// The `npm` command of `PATH`, or an error that says what to install.
pub fn npm() -> Result<Command> {
    let found = Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        bail!("no working npm on PATH: install Node.js 20 or newer with npm");
    }
    Ok(Command::new("npm"))
}

/// A running server with one user. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Verdaccio {
    process: Process,
    script: PathBuf,
    base_url: String,
    password: String,
    folder: RunFolder,
}

impl Verdaccio {
    /// Installs the server where it is missing, starts it on a free port of 127.0.0.1 and registers a user.
    pub async fn start() -> Result<Self> {
        let script = spawn_blocking(ensure).await.context("install verdaccio")??;
        let folder = RunFolder::create("verdaccio")?;
        let mut attempt = 1;
        let (process, base_url) = loop {
            let port = http::free_port()?;
            fs::write(folder.file("config.yaml"), configuration(port)).context("write the configuration")?;
            let base_url = format!("http://127.0.0.1:{port}");
            let mut process = launch(&script, &folder)?;
            match ready(&mut process, &base_url).await {
                Ok(()) => break (process, base_url),
                Err(error) if attempt == PORT_ATTEMPTS || !process.log().contains("EADDRINUSE") => return Err(error),
                Err(_) => attempt += 1,
            }
        };
        let password = random_hex(12)?;
        let this = Self { process, script, base_url, password, folder };
        this.register(USER, &this.password).await?;
        Ok(this)
    }

    /// Kills the server and starts it again with its data, on the same port. Waits until it answers.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill();
        self.process = launch(&self.script, &self.folder)?;
        ready(&mut self.process, &self.base_url).await
    }

    /// Where the server answers, `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        USER
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The process: for its log, for pausing it, for killing it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Registers another user.
    pub async fn register(&self, name: &str, password: &str) -> Result<()> {
        let url = format!("{}/-/user/org.couchdb.user:{name}", self.base_url);
        let body = json!({"name": name, "password": password});
        let (status, body) = http::answer(http::with_json(http::client()?.put(url), &body)).await?;
        if status != 201 {
            bail!("register {name}: {status} {body}");
        }
        Ok(())
    }

    /// The keys of the user's tokens. Login tokens are not among them.
    pub async fn list(&self) -> Result<Vec<String>> {
        let request = http::client()?.get(format!("{}/-/npm/v1/tokens", self.base_url));
        let authorization = http::basic(self.user(), &self.password);
        let (status, body) = http::answer(request.header("authorization", authorization)).await?;
        // Release 6.8.0 answers this for a user who has no tokens.
        if status == 500 && body.contains("user not found") {
            return Ok(Vec::new());
        }
        if status != 200 {
            bail!("list tokens: {status} {body}");
        }
        let answer: Value = serde_json::from_str(&body).context("parse the list of tokens")?;
        let objects = answer["objects"].as_array().with_context(|| format!("no list of tokens: {body}"))?;
        let key = |object: &Value| object["key"].as_str().map(str::to_owned);
        objects.iter().map(|object| key(object).with_context(|| format!("a token without a key: {object}"))).collect()
    }

    /// Whether the server accepts a token now. It refuses an unknown one (401) and a revoked one (403); any other
    /// answer is an error.
    pub async fn is_accepted(&self, token: &str) -> Result<bool> {
        let request = http::client()?.get(format!("{}/-/npm/v1/user", self.base_url));
        let (status, body) = http::answer(request.header("authorization", format!("Bearer {token}"))).await?;
        match status {
            200 => Ok(true),
            401 | 403 => Ok(false),
            _ => bail!("verify a token: {status} {body}"),
        }
    }
}

fn launch(script: &Path, folder: &RunFolder) -> Result<Process> {
    let mut command = Command::new("node");
    command.arg(script).arg("--config").arg(folder.file("config.yaml")).current_dir(folder.path());
    Process::start("verdaccio", &command, &folder.file("verdaccio.log"))
}

async fn ready(process: &mut Process, base_url: &str) -> Result<()> {
    let ping = format!("{base_url}/-/ping");
    process.wait_until("an answer", READY_DEADLINE, || http::look(&ping)).await
}

/// The default token format (AES). No uplinks: the server knows only what is published to it.
fn configuration(port: u16) -> String {
    format!(
        "storage: ./storage
auth:
  htpasswd:
    file: ./htpasswd
    algorithm: bcrypt
    rounds: 4
    max_users: 1000
uplinks: {{}}
packages:
  '@e2e/*':
    access: $authenticated
    publish: $authenticated
    unpublish: $authenticated
  '**':
    access: $all
    publish: $authenticated
web: {{ enable: false }}
middlewares: {{}}
log: {{ type: stdout, format: json, level: http }}
listen: http://127.0.0.1:{port}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Installs from the npm registry, so it needs the feature of the real services.
    #[tokio::test]
    #[cfg_attr(not(feature = "real-services"), ignore = "needs the feature real-services")]
    async fn a_token_is_issued_listed_accepted_and_revoked() {
        let mut verdaccio = Verdaccio::start().await.unwrap();
        assert_eq!(verdaccio.list().await.unwrap(), Vec::<String>::new());
        let tokens = format!("{}/-/npm/v1/tokens", verdaccio.base_url());
        let authorization = http::basic(verdaccio.user(), verdaccio.password());
        let request = http::client().unwrap().post(&tokens).header("authorization", &authorization);
        let body = json!({"password": verdaccio.password(), "readonly": false, "cidr_whitelist": []});
        let (status, body) = http::answer(http::with_json(request, &body)).await.unwrap();
        assert_eq!(status, 200, "{body}");
        let issued: Value = serde_json::from_str(&body).unwrap();
        let (token, key) = (issued["token"].as_str().unwrap(), issued["key"].as_str().unwrap());
        assert_eq!(verdaccio.list().await.unwrap(), [key]);
        assert!(verdaccio.is_accepted(token).await.unwrap());
        assert!(!verdaccio.is_accepted("nothing").await.unwrap());

        verdaccio.restart().await.unwrap();
        assert!(verdaccio.is_accepted(token).await.unwrap(), "a token outlives a restart");
        let request = http::client().unwrap().delete(format!("{tokens}/token/{key}"));
        let (status, body) = http::answer(request.header("authorization", &authorization)).await.unwrap();
        assert_eq!(status, 200, "{body}");
        assert!(!verdaccio.is_accepted(token).await.unwrap());
        assert_eq!(verdaccio.list().await.unwrap(), Vec::<String>::new());
    }
}
