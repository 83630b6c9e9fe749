//! A real `npm` is the consumer: it gets the `.npmrc` of the Secret and nothing else.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result, bail, ensure};
use testbed::folder::RunFolder;
use testbed::verdaccio;
use tokio::process::Command;

/// The package. Verdaccio shows its scope only to users who log in.
const PACKAGE: &str = "@e2e/quickstart";
/// Arguments for little output and no retries.
const FLAGS: [&str; 4] = ["--no-update-notifier", "--no-fund", "--no-audit", "--fetch-retries=0"];
/// No proxy for loopback.
const PROXIES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// npm with its own folders.
#[derive(Debug)]
pub struct Npm {
    folder: RunFolder,
}

impl Npm {
    /// Finds npm.
    pub fn new() -> Result<Self> {
        verdaccio::npm()?;
        Ok(Self { folder: RunFolder::create("quickstart-npm")? })
    }

    /// Keeps the content of a `.npmrc` in a file that only this user can read.
    pub fn keep(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.npmrc(name);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
        let written = file.as_mut().map_err(|error| error.to_string()).map(|file| file.write_all(content));
        ensure!(matches!(written, Ok(Ok(()))), "write {}", path.display());
        Ok(())
    }

    /// Publishes a version of the package with the `.npmrc` kept under `name`.
    pub async fn publish(&self, name: &str, version: &str) -> Result<()> {
        let package = format!(r#"{{"name": "{PACKAGE}", "version": "{version}"}}"#);
        let place = self.project(&format!("publish-{version}"), &package)?;
        self.run(name, &place, &["publish"]).await.and_then(|output| succeeded(&output))
    }

    /// Installs a version of the package with the `.npmrc` kept under `name`.
    pub async fn install(&self, name: &str, version: &str) -> Result<()> {
        let output = self.try_install(name, version).await?;
        succeeded(&output)
    }

    /// Checks that the server refuses the package to the `.npmrc` kept under `name`.
    pub async fn refused(&self, name: &str, version: &str) -> Result<()> {
        let output = self.try_install(name, version).await?;
        ensure!(!output.status.success(), "npm still works with a revoked token");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = errors.lines().find(|line| line.contains("E401") || line.contains("E403"));
        let Some(line) = line else { bail!("npm failed for another reason:\n{errors}") };
        println!("    {line}   (the old token is dead: as it should be)");
        Ok(())
    }

    async fn try_install(&self, name: &str, version: &str) -> Result<Output> {
        // A new project and a new cache each time, so that npm cannot answer from its cache.
        let place = RunFolder::create("quickstart-install")?;
        fs::write(place.file("package.json"), r#"{"name": "consumer", "version": "1.0.0"}"#)?;
        let cache = place.file("cache").to_string_lossy().into_owned();
        let wanted = format!("{PACKAGE}@{version}");
        self.run(name, place.path(), &["install", "--prefer-online", "--cache", &cache, &wanted]).await
    }

    async fn run(&self, name: &str, place: &Path, arguments: &[&str]) -> Result<Output> {
        let shown: Vec<&str> = arguments.iter().copied().filter(|word| !word.contains("/cache")).collect();
        let shown = shown.join(" ").replace(" --prefer-online --cache", "");
        println!("  $ NPM_CONFIG_USERCONFIG=npmrc-{name} npm {shown}");
        let mut command = Command::from(verdaccio::npm()?);
        // Settings in the caller's environment would override those of the file.
        let settings = env::vars_os().map(|(key, _)| key);
        for key in settings.filter(|key| key.to_string_lossy().to_lowercase().starts_with("npm_config_")) {
            command.env_remove(key);
        }
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        command.env("NPM_CONFIG_USERCONFIG", self.npmrc(name)).env("NPM_CONFIG_CACHE", self.folder.file("cache"));
        command.args(FLAGS).args(arguments).current_dir(place).stdin(Stdio::null()).kill_on_drop(true);
        command.output().await.context("run npm")
    }

    fn project(&self, name: &str, package: &str) -> Result<PathBuf> {
        let place = self.folder.file(name);
        fs::create_dir_all(&place).with_context(|| format!("create {}", place.display()))?;
        fs::write(place.join("package.json"), package).context("write package.json")?;
        Ok(place)
    }

    fn npmrc(&self, name: &str) -> PathBuf {
        self.folder.file(&format!("npmrc-{name}"))
    }
}

fn succeeded(output: &Output) -> Result<()> {
    ensure!(output.status.success(), "npm: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    for line in String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.trim().is_empty()) {
        println!("    {line}");
    }
    Ok(())
}
