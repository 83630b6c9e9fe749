//! A consumer reads a Secret, and later calls the service with the token that it read, never later than the overlap (S2).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use testbed::http;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// Pause between two calls.
const PAUSE: Duration = Duration::from_millis(120);

/// A consumer at work.
pub struct Consumer {
    done: Arc<AtomicBool>,
    counted: Arc<Counted>,
    task: Mutex<JoinHandle<Tally>>,
}

/// Calls count with a token whose read began at this time or later. Without a time, no call counts.
///
/// A flag would not do: a leaked token can be replaced between two rounds of a consumer, which would then count a call with the dead one.
struct Counted(RwLock<Option<Instant>>);

impl Counted {
    fn from(&self, time: Option<Instant>) {
        *self.0.write().expect("no panic while it was locked") = time;
    }

    fn has(&self, read: Instant) -> bool {
        self.0.read().expect("no panic while it was locked").is_some_and(|from| read >= from)
    }
}

/// The calls of a consumer.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Calls that count.
    pub calls: usize,
    /// Calls that the service refused.
    pub rejected: Vec<String>,
}

/// What a consumer reads, and which service it calls.
pub struct Options {
    /// Where the Secret is.
    pub secrets: Api<Secret>,
    /// Its name.
    pub secret: String,
    /// The key of the token.
    pub key: String,
    /// Answers 200 to a living token, and 401 to any other.
    pub url: String,
    /// The consumer never uses a token for longer than this.
    pub overlap: Duration,
}

impl Consumer {
    /// Starts a consumer in the current runtime, and it ends with that.
    pub fn start(options: Options) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let counted = Arc::new(Counted(RwLock::new(Some(Instant::now()))));
        let task = Mutex::new(tokio::spawn(options.work(done.clone(), counted.clone())));
        Self { done, counted, task }
    }

    /// From now on, no call counts, because tokens are revoked without an overlap: the object is deleted, or a token leaked.
    pub fn excuse(&self) {
        self.counted.from(None);
    }

    /// From now on, calls count again, with tokens that are read from now on.
    pub fn count_again(&self) {
        self.counted.from(Some(Instant::now()));
    }

    /// Stops the consumer, and returns its tally. To be called once.
    pub async fn stop(&self) -> Tally {
        self.done.store(true, Ordering::SeqCst);
        (&mut *self.task.lock().await).await.expect("a consumer that works")
    }
}

impl Options {
    async fn work(self, done: Arc<AtomicBool>, counted: Arc<Counted>) -> Tally {
        let client = http::client().expect("a client");
        let mut tally = Tally::default();
        let mut read: VecDeque<(Instant, String)> = VecDeque::new();
        while !done.load(Ordering::SeqCst) {
            let now = Instant::now();
            if let Some(value) = self.read().await {
                read.push_back((now, value));
            }
            let lag = self.overlap.mul_f64(fraction());
            let old_enough = |(since, _): &&(Instant, String)| since.elapsed() >= lag && counted.has(*since);
            if let Some((since, value)) = read.iter().rev().find(old_enough) {
                let request = client.get(&self.url).bearer_auth(value);
                let answer = http::answer(request).await;
                let held = since.elapsed();
                // The machine may have stood still. A token that is used after its overlap may be dead.
                if held < self.overlap && counted.has(*since) {
                    tally.count(answer, held);
                }
            }
            read.retain(|(since, _)| since.elapsed() < self.overlap);
            tokio::time::sleep(PAUSE).await;
        }
        tally
    }

    async fn read(&self) -> Option<String> {
        let secret = self.secrets.get_opt(&self.secret).await.ok()??;
        String::from_utf8(secret.data?.remove(&self.key)?.0).ok().filter(|value| !value.is_empty())
    }
}

impl Tally {
    fn count(&mut self, answer: anyhow::Result<(u16, String)>, held: Duration) {
        self.calls += 1;
        match answer {
            Ok((200, _)) => {}
            Ok((status, body)) => self.rejected.push(format!("{status} {body}, {held:?} after it was read")),
            Err(error) => self.rejected.push(format!("no answer: {error:#}")),
        }
    }
}

/// A random number from 0 to 1.
fn fraction() -> f64 {
    let mut bytes = [0_u8; 4];
    getrandom::fill(&mut bytes).expect("random bytes");
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_with_a_token_that_was_read_before_an_excuse_never_counts() {
        let before = Instant::now();
        let (end, after) = (before + Duration::from_millis(1), before + Duration::from_millis(2));
        let counted = Counted(RwLock::new(Some(before)));
        assert!(counted.has(before));
        counted.from(None);
        assert!(!counted.has(before) && !counted.has(after), "while no call counts");
        counted.from(Some(end));
        assert!(!counted.has(before), "the excuse began and ended between the read and the call");
        assert!(counted.has(after));
    }
}
