//! Restarts an operator that was killed, as its Deployment does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use testbed::{Operator, operator};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

/// Pause between two looks at the process.
const PAUSE: Duration = Duration::from_millis(20);
/// A failing scenario shows the lines of the operator's log that have one of these.
const SHOWN: [&str; 5] =
    [": artifact_token_operator", "next step", "paused object", "not written", "a pass could not go on"];
/// It shows at most so many of them, the last ones.
const MAX_SHOWN: usize = 60;

pub struct Supervisor {
    operator: Arc<Mutex<Operator>>,
    pid: Arc<AtomicU32>,
    restarts: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Supervisor {
    /// Starts an operator, and does not wait until it is ready.
    pub fn start(options: operator::Options) -> Self {
        let operator = Operator::launch(options).expect("start the operator");
        let (pid, restarts) = (Arc::new(AtomicU32::new(operator.pid())), Arc::new(AtomicUsize::new(0)));
        let operator = Arc::new(Mutex::new(operator));
        let (watched, last_pid, counted) = (operator.clone(), pid.clone(), restarts.clone());
        let supervise = async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                let mut operator = watched.lock().await;
                if !operator.process().is_running() {
                    counted.fetch_add(1, Ordering::SeqCst);
                    operator.restart().expect("start the operator again");
                    last_pid.store(operator.pid(), Ordering::SeqCst);
                }
            }
        };
        Self { operator, pid, restarts, task: tokio::spawn(supervise).abort_handle() }
    }

    /// The id of the current process; the value follows restarts.
    pub fn pid(&self) -> Arc<AtomicU32> {
        self.pid.clone()
    }

    /// How often the operator ended and was started again.
    pub fn restarts(&self) -> usize {
        self.restarts.load(Ordering::SeqCst)
    }

    /// Waits until the operator is ready.
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
        let ours: Vec<&str> = log.lines().filter(|line| SHOWN.iter().any(|word| line.contains(word))).collect();
        ours[ours.len().saturating_sub(MAX_SHOWN)..].join("\n")
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.task.abort();
    }
}
