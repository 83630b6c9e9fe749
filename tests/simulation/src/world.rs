//! What outlives a process: the virtual clock, and the record of what happened.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::excuses::Excuses;
use crate::fate::{Class, Fate, Faults};
use crate::layout::Layout;
use crate::mutation::Mutation;
use crate::overlaid::Overlaid;
use crate::plan::Plan;

/// More calls than any plan's life needs, beside those that come all the time: what needs more is a storm, and its life is ended.
const MOST_CALLS: u64 = 60_000;

/// At least so many seconds lie between two calls of those that come all the time.
const CALM: u64 = 100;

/// 2026-01-01T00:00:00Z.
pub const EPOCH: i64 = 1_767_225_600;

/// Everything that outlives a process.
#[derive(Debug)]
pub struct World {
    begun: Instant,
    /// By how many seconds the API server's clock is ahead.
    pub skew: AtomicI64,
    /// For how many seconds all operators' machines were suspended.
    pub slept: AtomicU32,
    /// By how many seconds watches lag.
    pub lag: Mutex<Overlaid<u32>>,
    /// What becomes of calls.
    pub faults: Faults,
    /// Where objects are.
    pub layout: Layout,
    /// The rule of the product that is broken, if there is one.
    pub mutation: Option<Mutation>,
    excuses: Mutex<Excuses>,
    /// Since when each process ran, and until when.
    processes: Mutex<Vec<(Duration, Option<Duration>)>>,
    random: Mutex<fastrand::Rng>,
    calls: AtomicU64,
    /// How many Secrets are read all the time.
    looks: u64,
    /// The life is to end early.
    pub exhausted: Notify,
    record: Mutex<Record>,
    traced: bool,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// A line each, with the time and the number of the process; empty unless the life is traced.
    pub trace: Vec<String>,
    /// The laws that were broken, each with a sentence.
    pub broken: Vec<(&'static str, String)>,
}

impl Record {
    /// A digest of the trace.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.trace.iter().for_each(|line| hasher.write(line.as_bytes()));
        hasher.finish()
    }

    /// The trace as a text.
    pub fn text(&self) -> String {
        self.trace.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }
}

impl World {
    /// A new world, at its beginning.
    pub fn new(plan: &Plan, traced: bool) -> Arc<Self> {
        // Where nobody watches Secrets, the one of each object is read instead.
        let looks = if plan.watches { 0 } else { plan.tokens as u64 };
        Arc::new(Self {
            begun: Instant::now(),
            skew: AtomicI64::new(0),
            slept: AtomicU32::new(0),
            lag: Mutex::default(),
            faults: Faults::new(&plan.faults),
            layout: plan.layout,
            mutation: plan.mutation,
            excuses: Mutex::default(),
            processes: Mutex::default(),
            // Other numbers than those of the product, which come from the seed itself.
            random: Mutex::new(fastrand::Rng::with_seed(plan.seed ^ 0x5eed)),
            calls: AtomicU64::new(0),
            looks,
            exhausted: Notify::new(),
            record: Mutex::default(),
            traced,
        })
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed() + Duration::from_secs(self.slept.load(Ordering::Relaxed).into())
    }

    /// The true wall clock.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(EPOCH, 0).unwrap_or_default() + self.elapsed()
    }

    /// The API server's wall clock.
    pub fn api_server_now(&self) -> DateTime<Utc> {
        self.now() + chrono::Duration::seconds(self.skew.load(Ordering::Relaxed))
    }

    /// Writes down what happened.
    pub fn say(&self, who: u32, what: impl FnOnce() -> String) {
        if self.traced {
            let line = format!("{:>10.3} {who} {}", self.elapsed().as_secs_f64(), what());
            self.record.lock().unwrap().trace.push(line);
        }
    }

    /// A law is broken.
    pub fn broke(&self, law: &'static str, how: String) {
        self.say(0, || format!("BROKEN {law}: {how}"));
        self.record.lock().unwrap().broken.push((law, how));
    }

    /// Counts a call of a process, and says what becomes of it.
    pub fn fate(&self, class: Class, of: Option<usize>) -> Option<Fate> {
        // Lists that watches begin with come each half hour, also where a life is a year.
        let most = MOST_CALLS + (1 + self.looks) * self.elapsed().as_secs() / CALM;
        if self.calls.fetch_add(1, Ordering::Relaxed) == most {
            self.broke("storm", format!("more than {most} calls"));
            self.end_early();
        }
        self.faults.meet(class, of, self.elapsed())
    }

    /// The life ends now: more of it would only cost time.
    pub fn end_early(&self) {
        self.exhausted.notify_one();
    }

    /// A random number of the world.
    pub fn random(&self, below: u64) -> u64 {
        self.random.lock().unwrap().u64(0..below)
    }

    /// A call is on its way for some milliseconds.
    pub async fn travel(&self) {
        tokio::time::sleep(Duration::from_millis(1 + self.random(4))).await;
    }

    /// What a law must know before it blames the product.
    pub fn excuses(&self) -> MutexGuard<'_, Excuses> {
        self.excuses.lock().unwrap()
    }

    /// A process begins; the number ends it.
    pub fn process_begins(&self) -> usize {
        let mut processes = self.processes.lock().unwrap();
        processes.push((self.elapsed(), None));
        processes.len() - 1
    }

    /// It ends.
    pub fn process_ends(&self, number: usize) {
        self.processes.lock().unwrap()[number].1 = Some(self.elapsed());
    }

    /// Whether a process ended since then.
    pub fn ended_since(&self, then: Duration) -> bool {
        self.processes.lock().unwrap().iter().any(|(_, ended)| ended.is_some_and(|ended| ended >= then))
    }

    /// How many processes ran at some time in between, each incarnation for itself.
    pub fn processes(&self, from: Duration, to: Duration) -> u64 {
        let ran =
            |(begun, ended): &&(Duration, Option<Duration>)| *begun <= to && ended.is_none_or(|ended| ended >= from);
        self.processes.lock().unwrap().iter().filter(ran).count() as u64
    }

    /// All that was written down.
    pub fn record(&self) -> Record {
        self.record.lock().unwrap().clone()
    }
}

/// A time as an object has it, to the second.
pub fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time of an object, since the beginning.
pub fn since_epoch(time: &str) -> Option<Duration> {
    let time = DateTime::parse_from_rfc3339(time).ok()?;
    u64::try_from(time.timestamp() - EPOCH).ok().map(Duration::from_secs)
}

/// A time as a `Date` header has it.
pub fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
