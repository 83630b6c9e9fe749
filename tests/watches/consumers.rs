//! Consumers that lag: each reads a Secret, and uses the token that it read for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::task::JoinHandle;

use support::{OVERLAP_MILLISECONDS, World};

/// A consumer reads again after this time.
const READ_AFTER: Duration = Duration::from_millis(OVERLAP_MILLISECONDS / 3);
/// A token that was read longer ago than this does not count: its consumer lags by nearly the overlap, or more.
const STALE: Duration = Duration::from_millis(OVERLAP_MILLISECONDS * 2 / 3);
/// Between two uses.
const PAUSE: Duration = Duration::from_millis(50);
/// A read of a Secret or a use without an answer within this time does not count.
const ANSWER: Duration = Duration::from_secs(2);

/// One consumer for each of several objects, until [`Consumers::end`].
pub struct Consumers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Tally>>,
}

/// The outcomes of their uses.
#[derive(Debug, Default)]
pub struct Tally {
    pub accepted: usize,
    pub rejected: Vec<String>,
    /// Rejected uses of a value from before an outage, because the consumer could not read a newer one.
    pub stale: usize,
}

impl Consumers {
    /// Starts one consumer for the Secret `NAME-secret` of each object. The Secrets must exist.
    pub fn start(world: &World, names: &[&str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let url = format!("{}/v1/whoami", world.service.base_url());
        let consume = |name: &&str| {
            let one = Consumer { secrets: world.secrets(), secret: format!("{name}-secret"), url: url.clone() };
            tokio::spawn(one.run(stop.clone()))
        };
        Self { tasks: names.iter().map(consume).collect(), stop }
    }

    /// Stops the consumers. Fails if a use was rejected, or if a consumer never used its token.
    pub async fn end(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Tally::default();
        for task in self.tasks {
            let tally = task.await.unwrap();
            assert!(tally.accepted > 0, "a consumer never used its token");
            sum.accepted += tally.accepted;
            sum.stale += tally.stale;
            sum.rejected.extend(tally.rejected);
        }
        assert!(sum.rejected.is_empty(), "consumers were rejected: {:#?}", sum.rejected);
        sum
    }
}

struct Consumer {
    secrets: Api<Secret>,
    secret: String,
    url: String,
}

impl Consumer {
    async fn run(self, stop: Arc<AtomicBool>) -> Tally {
        let mut tally = Tally::default();
        let mut held: Option<(String, Instant)> = None;
        while !stop.load(Ordering::Relaxed) {
            if held.as_ref().is_none_or(|(_, read)| read.elapsed() >= READ_AFTER) {
                let asked = Instant::now();
                if let Ok(Ok(secret)) = tokio::time::timeout(ANSWER, self.secrets.get(&self.secret)).await {
                    held = value(&secret).map(|value| (value, asked));
                }
            }
            if let Some((value, read)) = &held {
                self.consume(value, *read, &mut tally).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
        tally
    }

    async fn consume(&self, value: &str, read: Instant, tally: &mut Tally) {
        let request =
            testbed::http::client().unwrap().get(&self.url).header("Authorization", format!("Bearer {value}"));
        let Ok(Ok(answer)) = tokio::time::timeout(ANSWER, request.send()).await else { return };
        let age = read.elapsed();
        match answer.status().as_u16() {
            200 => tally.accepted += 1,
            _ if age >= STALE => tally.stale += 1,
            status => tally.rejected.push(format!("{}: {status} for a token read {age:?} before", self.secret)),
        }
    }
}

fn value(secret: &Secret) -> Option<String> {
    let value = secret.data.as_ref()?.get("token")?;
    String::from_utf8(value.0.clone()).ok()
}
