//! A child process that ends with its handle, whatever happens to its parent.
//!
//! The handle's drop covers the ordinary end and panics. For Ctrl-C, SIGKILL and statics that are never dropped,
//! each child has a watcher: a shell that waits on a pipe whose other end only the parent holds. The operating
//! system closes that end whenever the parent dies, and the watcher kills the child's process group. (The parent
//! death signal of Linux would not do: it fires when the *thread* that started the child ends, and test runtimes
//! end their threads.)
//!
//! The child leads a process group of its own, so that Ctrl-C reaches only the parent, and so that a process
//! number cannot be reused while the watcher, a member of that group, lives.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::time::{Instant, sleep};

/// Starts the watcher, then becomes the child. The watcher drops its output so that no pipe stays open for it.
const WATCHED: &str = r#"exec 3<&0
( trap '' INT TERM HUP; read -r _ <&3; kill -s KILL -- "-$$" ) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-"#;

/// Pause between two looks at a child.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Lines of a child's log that an error carries.
const TAIL_LINES: usize = 40;

/// A signal to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: end in good order.
    Terminate,
    /// SIGINT, which Ctrl-C sends.
    Interrupt,
    /// SIGSTOP: stop and answer nobody, until [`Signal::Resume`].
    Pause,
    /// SIGCONT: go on after [`Signal::Pause`].
    Resume,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
            Self::Pause => "STOP",
            Self::Resume => "CONT",
        }
    }
}

/// A running child with a log file. Dropping it kills it and everything it started.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    watcher: Option<ChildStdin>,
    log: PathBuf,
    stdout: Option<PathBuf>,
}

impl Process {
    /// Starts `command` with its output appended to `log`.
    ///
    /// Uses the command's program, arguments, environment and working directory, and sets its streams. It cannot see
    /// whether the command clears the environment, and does not clear it. `name` is for messages.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        Self::spawn(name, command, log, None)
    }

    /// Like [`Process::start`], with the standard output in a file of its own for [`Process::first_line`].
    pub fn start_with_stdout(name: &str, command: &Command, log: &Path, stdout: &Path) -> Result<Self> {
        Self::spawn(name, command, log, Some(stdout))
    }

    fn spawn(name: &str, command: &Command, log: &Path, stdout: Option<&Path>) -> Result<Self> {
        let errors = open(log)?;
        let output = match stdout {
            // Truncated, so that the first line is from this child and not from an earlier one.
            Some(path) => File::create(path).with_context(|| format!("create {}", path.display()))?,
            None => errors.try_clone().context("share the log file")?,
        };
        let mut watched = Command::new("sh");
        watched.args(["-c", WATCHED, "sh"]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => watched.env(key, value),
                None => watched.env_remove(key),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            watched.current_dir(directory);
        }
        watched.process_group(0).stdin(Stdio::piped()).stdout(output).stderr(errors);
        let mut child = watched.spawn().with_context(|| format!("start {name}"))?;
        // Taken out of the child, because waiting for a child closes the pipe in it.
        let watcher = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, watcher, log: log.to_owned(), stdout: stdout.map(Path::to_owned) })
    }

    /// The process number, stable for the life of the handle.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended; `None` while it runs.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("look at {}", self.name))
    }

    /// Whether the process runs. A paused process runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.exit_status(), Ok(None))
    }

    /// Sends a signal to the process alone, not to what it started.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if !send(self.pid(), signal.name()) {
            bail!("send {signal:?} to {}: no such process", self.name);
        }
        Ok(())
    }

    /// Sends `signal` and waits for the end. When `deadline` passes first, kills the process and fails.
    pub async fn stop(&mut self, signal: Signal, deadline: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.exit_status()? {
            return Ok(status);
        }
        self.signal(signal)?;
        let ended = self.wait(deadline).await;
        self.kill();
        ended
    }

    /// Waits until the process has ended by itself.
    pub async fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + deadline;
        loop {
            if let Some(status) = self.exit_status()? {
                return Ok(status);
            }
            if Instant::now() >= end {
                bail!("{} still runs after {deadline:?}; end of its log:\n{}", self.name, self.log_tail(TAIL_LINES));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until `look` returns `Ok`. Fails at once when the process ends, and when `deadline` passes.
    ///
    /// The error has the last answer of `look` and the end of the log.
    pub async fn wait_until<Look, Answer>(&mut self, what: &str, deadline: Duration, mut look: Look) -> Result<()>
    where
        Look: FnMut() -> Answer,
        Answer: Future<Output = Result<(), String>>,
    {
        let end = Instant::now() + deadline;
        loop {
            let ended = self.exit_status()?;
            let seen = match tokio::time::timeout_at(end, look()).await {
                Ok(Ok(())) if ended.is_none() => return Ok(()),
                Ok(Ok(())) => String::from("another process answers"),
                Ok(Err(seen)) => seen,
                Err(_) => String::from("no answer"),
            };
            let tail = || format!("last seen: {seen}; end of its log:\n{}", self.log_tail(TAIL_LINES));
            if let Some(status) = ended {
                bail!("{} ended ({status}) before {what}; {}", self.name, tail());
            }
            if Instant::now() >= end {
                bail!("{}: waited {deadline:?} for {what}; {}", self.name, tail());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Kills the process and everything it started, and waits for its end. Does nothing if it has ended.
    pub fn kill(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        self.watcher = None;
        let _ = self.child.wait();
    }

    /// Everything the process has written, including its standard output, unless that has its own file.
    pub fn log(&self) -> String {
        match fs::read(&self.log) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("(cannot read {}: {error})", self.log.display()),
        }
    }

    /// The last `lines` lines of [`Process::log`], for messages.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// The first complete line of the standard output, without its end. For [`Process::start_with_stdout`] only.
    pub async fn first_line(&mut self, deadline: Duration) -> Result<String> {
        let path = self.stdout.clone().ok_or_else(|| anyhow!("{} has no standard output of its own", self.name))?;
        let read = || match fs::read_to_string(&path) {
            Ok(text) => Ok(text.split_once('\n').map(|(line, _)| line.to_owned())),
            Err(error) if error.kind() == ErrorKind::InvalidData => Ok(None),
            Err(error) => Err(anyhow!(error).context(format!("read {}", path.display()))),
        };
        let look = || {
            let seen = match read() {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(String::from("no complete line")),
                Err(error) => Err(error.to_string()),
            };
            std::future::ready(seen)
        };
        self.wait_until("the first line of its output", deadline, look).await?;
        read()?.ok_or_else(|| anyhow!("the first line of {} went away", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends the signal of this name, such as `KILL`, to a process. Returns whether there is such a process.
pub(crate) fn send(pid: u32, signal: &str) -> bool {
    // The shell's own `kill`, because a small image has no other.
    let kill = ["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &pid.to_string()];
    Command::new("sh").args(kill).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn open(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    File::options().create(true).append(true).open(log).with_context(|| format!("open {}", log.display()))
}

#[cfg(test)]
mod tests;
