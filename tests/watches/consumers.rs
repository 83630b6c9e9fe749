//! Consumers that lag: each reads a Secret, and uses for a while what it read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::task::JoinHandle;

use support::{OVERLAP_MILLISECONDS, World};

/// A consumer reads again after this time.
const READ_AFTER: Duration = Duration::from_millis(OVERLAP_MILLISECONDS / 3);
/// What was read longer ago than this is no measure: its reader lags by more than the overlap, or nearly.
const STALE: Duration = Duration::from_millis(OVERLAP_MILLISECONDS * 2 / 3);
/// Between two uses.
const PAUSE: Duration = Duration::from_millis(50);
/// A read of a Secret, and a use, are answered within this time or do not count.
const ANSWER: Duration = Duration::from_secs(2);

/// One consumer for each of some objects, until [`Consumers::end`].
pub struct Consumers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Tally>>,
}

/// How their uses went.
#[derive(Debug, Default)]
pub struct Tally {
    pub accepted: usize,
    pub rejected: Vec<String>,
    /// With a value from before an outage: the consumer could not read.
    pub stale: usize,
}

impl Consumers {
    /// One consumer for each object's Secret `NAME-secret`, which exists.
    pub fn start(world: &World, names: &[&str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let url = format!("{}/v1/whoami", world.service.base_url());
        let consume = |name: &&str| {
            let one = Consumer { secrets: world.secrets(), secret: format!("{name}-secret"), url: url.clone() };
            tokio::spawn(one.run(stop.clone()))
        };
        Self { tasks: names.iter().map(consume).collect(), stop }
    }

    /// Stops them. Fails if one was rejected, or if they saw nothing.
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
            status => tally.rejected.push(format!("{}: {status} for what was read {age:?} before", self.secret)),
        }
    }
}

fn value(secret: &Secret) -> Option<String> {
    let value = secret.data.as_ref()?.get("token")?;
    String::from_utf8(value.0.clone()).ok()
}
