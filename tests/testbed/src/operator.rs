//! The operator as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Result;

use crate::folder::RunFolder;
use crate::http;
use crate::process::{Process, Signal};

/// Limit for the operator to become ready: it lists its objects first.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// Lines of the log that a failing test prints.
const TAIL_LINES: usize = 80;

/// How to start the operator.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary; tests pass `env!("CARGO_BIN_EXE_artifact-token-operator")`.
    pub binary: PathBuf,
    /// The kubeconfig, for `--kubeconfig`.
    pub kubeconfig: PathBuf,
    /// More arguments.
    pub arguments: Vec<String>,
    /// More environment variables. `RUST_LOG` is `debug` unless it is among them.
    pub environment: Vec<(String, String)>,
}

impl Options {
    /// The binary with the cluster of a kubeconfig, and no other options.
    pub fn new(binary: impl AsRef<Path>, kubeconfig: impl AsRef<Path>) -> Self {
        let (binary, kubeconfig) = (binary.as_ref().to_owned(), kubeconfig.as_ref().to_owned());
        Self { binary, kubeconfig, arguments: Vec::new(), environment: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running operator. Dropping it kills it; a test that is failing then prints the end of its log.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    options: Options,
    admin_address: String,
    folder: RunFolder,
}

impl Operator {
    /// Starts the operator and waits until `GET /readyz` of its admin address is 200, at most a minute.
    pub async fn start(options: Options) -> Result<Self> {
        let mut operator = Self::launch(options)?;
        operator.ready().await?;
        Ok(operator)
    }

    /// Starts the operator, and does not wait until it is ready.
    pub fn launch(options: Options) -> Result<Self> {
        let folder = RunFolder::create("operator")?;
        let admin_address = format!("127.0.0.1:{}", http::free_port()?);
        let process = spawn(&options, &admin_address, &folder)?;
        Ok(Self { process, options, admin_address, folder })
    }

    /// Waits until the operator reports that it is ready. Fails at once when it has ended.
    pub async fn ready(&mut self) -> Result<()> {
        let url = format!("http://{}/readyz", self.admin_address);
        self.process.wait_until("/readyz", READY_DEADLINE, || http::look(&url)).await
    }

    /// Kills the operator if it runs, and starts it again with the same options and the same log. Does not wait
    /// until it is ready.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill();
        self.admin_address = format!("127.0.0.1:{}", http::free_port()?);
        self.process = spawn(&self.options, &self.admin_address, &self.folder)?;
        Ok(())
    }

    /// Kills the operator (SIGKILL), and returns when it has ended.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks the operator to end (SIGTERM) and waits for it. If it outlives `deadline`, it is killed, which is an error.
    pub async fn stop(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.stop(Signal::Terminate, deadline).await
    }

    /// The process, for signals and its end.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The process number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Everything the operator has logged, restarts included.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Where the operator serves health and metrics, `127.0.0.1:PORT`. The address changes at a restart.
    pub fn admin_address(&self) -> &str {
        &self.admin_address
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("end of the operator's log:\n{}", self.process.log_tail(TAIL_LINES));
        }
    }
}

fn spawn(options: &Options, admin_address: &str, folder: &RunFolder) -> Result<Process> {
    let mut command = Command::new(&options.binary);
    command.arg("--kubeconfig").arg(&options.kubeconfig).args(["--admin-address", admin_address]);
    command.args(&options.arguments).env("RUST_LOG", "debug");
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    Process::start("the operator", &command, &folder.file("operator.log"))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn script(folder: &RunFolder, text: &str) -> PathBuf {
        let path = folder.file("script");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn an_operator_that_ends_is_reported_with_its_arguments_and_log() {
        let folder = RunFolder::create("operator-test").unwrap();
        let binary = script(&folder, "echo \"$RUST_LOG $MOON $*\"; exit 3");
        let options = Options::new(binary, "/kubeconfig").argument("--fast").variable("MOON", "full");
        let failure = format!("{:#}", Operator::start(options).await.unwrap_err());
        assert!(failure.contains("exit status: 3"), "{failure}");
        assert!(failure.contains("debug full --kubeconfig /kubeconfig --admin-address 127.0.0.1:"), "{failure}");
    }

    #[tokio::test]
    async fn a_restart_is_another_process_with_the_same_log() {
        let folder = RunFolder::create("operator-test").unwrap();
        let binary = script(&folder, "echo started; exec sleep 600");
        let mut operator = Operator::launch(Options::new(binary, "/kubeconfig")).unwrap();
        let first = operator.pid();
        let both = |operator: &Operator| operator.log().matches("started").count();
        for expected in [1, 2] {
            let look = || std::future::ready(if both(&operator) == expected { Ok(()) } else { Err(operator.log()) });
            crate::poll("the log", Duration::from_secs(10), look).await.unwrap();
            if expected == 1 {
                operator.restart().unwrap();
            }
        }
        assert_ne!(operator.pid(), first);
        assert!(!operator.stop(Duration::from_secs(10)).await.unwrap().success());
    }
}
