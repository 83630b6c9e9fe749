//! An operator that is started again when it was killed, as its Deployment does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use testbed::{Operator, operator};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

/// Pause between two looks at the process.
const PAUSE: Duration = Duration::from_millis(20);
/// What a failing life shows of its operator's log.
const TOLD: [&str; 5] =
    [": artifact_token_operator", "next step", "paused object", "not written", "a pass could not go on"];
/// Lines of the log that a failing life shows.
const TAIL: usize = 60;

pub struct Keeper {
    operator: Arc<Mutex<Operator>>,
    pid: Arc<AtomicU32>,
    restarts: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Keeper {
    /// Starts an operator, and does not wait for anything.
    pub fn start(options: operator::Options) -> Self {
        let operator = Operator::launch(options).expect("start the operator");
        let (pid, restarts) = (Arc::new(AtomicU32::new(operator.pid())), Arc::new(AtomicUsize::new(0)));
        let operator = Arc::new(Mutex::new(operator));
        let (kept, kept_pid, counted) = (operator.clone(), pid.clone(), restarts.clone());
        let keep = async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                let mut operator = kept.lock().await;
                if !operator.process().is_running() {
                    counted.fetch_add(1, Ordering::SeqCst);
                    operator.restart().expect("start the operator again");
                    kept_pid.store(operator.pid(), Ordering::SeqCst);
                }
            }
        };
        Self { operator, pid, restarts, task: tokio::spawn(keep).abort_handle() }
    }

    /// The process as it is now; whoever holds this sees through restarts.
    pub fn pid(&self) -> Arc<AtomicU32> {
        self.pid.clone()
    }

    /// How often it ended and was started again.
    pub fn restarts(&self) -> usize {
        self.restarts.load(Ordering::SeqCst)
    }

    /// Waits until it is ready.
    pub async fn ready(&self) {
        self.operator.lock().await.ready().await.expect("the operator becomes ready");
    }

    pub async fn admin_address(&self) -> String {
        self.operator.lock().await.admin_address().to_owned()
    }

    pub async fn log(&self) -> String {
        self.operator.lock().await.log()
    }

    pub async fn log_tail(&self) -> String {
        let log = self.log().await;
        let ours: Vec<&str> = log.lines().filter(|line| TOLD.iter().any(|word| line.contains(word))).collect();
        ours[ours.len().saturating_sub(TAIL)..].join("\n")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}
