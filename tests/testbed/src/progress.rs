//! Long steps: one builder at a time, and a line every few seconds that says what happens.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::process::Process;

/// How often a long step reports that it still runs.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// How often a long step is checked: far more often than a person notices.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Lines of a failed step's log that its error carries: enough for a compiler's message.
const TAIL_LINES: usize = 30;

/// Writes a line directly to the standard error stream: the harness would show captured output only after the wait.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "testbed: {line}");
}

/// Reports a step that takes long. Says nothing about steps that end within the first interval.
struct Progress<'a> {
    what: &'a str,
    began: Instant,
    reported: Duration,
}

impl<'a> Progress<'a> {
    fn begin(what: &'a str) -> Self {
        Self { what, began: Instant::now(), reported: Duration::ZERO }
    }

    fn tick(&mut self) {
        let elapsed = self.began.elapsed();
        if elapsed - self.reported >= REPORT_EVERY {
            self.reported = elapsed;
            say(&format!("{}: {} s so far (once for this target directory)", self.what, elapsed.as_secs()));
        }
        sleep(LOOK_EVERY);
    }

    fn end(&self) {
        if !self.reported.is_zero() {
            say(&format!("{}: done after {} s", self.what, self.began.elapsed().as_secs()));
        }
    }
}

/// Runs `command` to its end with its output in `log`, and fails with the log's tail when it does not succeed.
///
/// Blocks the thread. The command dies with this process.
pub fn run(what: &str, command: &Command, log: &Path) -> Result<()> {
    let mut progress = Progress::begin(what);
    let mut process = Process::start(what, command, log)?;
    loop {
        match process.exit_status()? {
            Some(status) if status.success() => break,
            Some(status) => {
                bail!("{what}: {status}; end of {}:\n{}", log.display(), process.log_tail(TAIL_LINES))
            }
            None => progress.tick(),
        }
    }
    progress.end();
    Ok(())
}

/// Waits until nobody else holds the lock file `path`, and holds it until the returned file is dropped.
///
/// Blocks the thread. The operating system frees the lock when its holder dies, however it dies.
pub fn lock(what: &str, path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    let waiting = format!("waiting for another process: {what}");
    let mut progress = Progress::begin(&waiting);
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => progress.tick(),
            Err(TryLockError::Error(error)) => return Err(anyhow!(error).context(format!("lock {}", path.display()))),
        }
    }
    progress.end();
    Ok(file)
}
