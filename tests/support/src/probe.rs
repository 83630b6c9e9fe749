//! A consumer: it reads a Secret, and later calls the service with what it read, never later than the overlap (S2).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use testbed::http;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// Pause between two calls.
const PAUSE: Duration = Duration::from_millis(120);

/// A consumer at work.
pub struct Probe {
    done: Arc<AtomicBool>,
    excused: Arc<AtomicBool>,
    task: Mutex<JoinHandle<Figures>>,
}

/// What a consumer saw.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Calls that counted.
    pub calls: usize,
    /// Those that the service refused.
    pub rejected: Vec<String>,
}

/// What a consumer reads, and whom it calls.
pub struct Consumer {
    /// Where the Secret is.
    pub secrets: Api<Secret>,
    /// Its name.
    pub secret: String,
    /// The key of the token.
    pub key: String,
    /// What answers 200 to a living token, and 401 to any other.
    pub url: String,
    /// It never holds anything for longer.
    pub overlap: Duration,
}

impl Probe {
    /// Starts a consumer. It lives in the runtime in which it is started.
    pub fn start(consumer: Consumer) -> Self {
        let (done, excused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let task = Mutex::new(tokio::spawn(consumer.work(done.clone(), excused.clone())));
        Self { done, excused, task }
    }

    /// Nothing counts from now on, because tokens are revoked without an overlap: the object goes, or a token leaked.
    pub fn excuse(&self) {
        self.excused.store(true, Ordering::SeqCst);
    }

    /// Everything counts again: what is read from now on.
    pub fn count_again(&self) {
        self.excused.store(false, Ordering::SeqCst);
    }

    /// Ends the consumer, and gives what it saw. For once.
    pub async fn stop(&self) -> Figures {
        self.done.store(true, Ordering::SeqCst);
        (&mut *self.task.lock().await).await.expect("a consumer that works")
    }
}

impl Consumer {
    async fn work(self, done: Arc<AtomicBool>, excused: Arc<AtomicBool>) -> Figures {
        let client = http::client().expect("a client");
        let mut figures = Figures::default();
        let mut read: VecDeque<(Instant, String)> = VecDeque::new();
        while !done.load(Ordering::SeqCst) {
            let now = Instant::now();
            if let Some(value) = self.read().await {
                read.push_back((now, value));
            }
            if excused.load(Ordering::SeqCst) {
                read.clear();
            }
            let lag = self.overlap.mul_f64(fraction());
            if let Some((since, value)) = read.iter().rev().find(|(since, _)| since.elapsed() >= lag) {
                let request = client.get(&self.url).bearer_auth(value);
                let answer = http::answer(request).await;
                let held = since.elapsed();
                // A machine that stood still meanwhile has made a consumer of it that nobody promised anything.
                if held < self.overlap && !excused.load(Ordering::SeqCst) {
                    figures.count(answer, held);
                }
            }
            read.retain(|(since, _)| since.elapsed() < self.overlap);
            tokio::time::sleep(PAUSE).await;
        }
        figures
    }

    async fn read(&self) -> Option<String> {
        let secret = self.secrets.get_opt(&self.secret).await.ok()??;
        String::from_utf8(secret.data?.remove(&self.key)?.0).ok().filter(|value| !value.is_empty())
    }
}

impl Figures {
    fn count(&mut self, answer: anyhow::Result<(u16, String)>, held: Duration) {
        self.calls += 1;
        match answer {
            Ok((200, _)) => {}
            Ok((status, body)) => self.rejected.push(format!("{status} {body}, {held:?} after it was read")),
            Err(error) => self.rejected.push(format!("no answer: {error:#}")),
        }
    }
}

/// Of 0 to 1, by chance.
fn fraction() -> f64 {
    let mut bytes = [0_u8; 4];
    getrandom::fill(&mut bytes).expect("random bytes");
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}
