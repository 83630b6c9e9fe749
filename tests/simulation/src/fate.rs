//! What becomes of single calls: lost, late, answered with an error, or the death of the caller.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives; the caller sees a broken connection.
    LostBefore,
    /// It is performed; the caller sees a broken connection.
    LostAfter,
    /// It is not performed; this status is answered.
    Status(u16),
    /// The caller dies before it leaves.
    KillBefore,
    /// It is performed, and the caller dies before the answer.
    KillAfter,
    /// It arrives so many seconds late.
    Late(u16),
    /// It is performed at once, and its answer takes so many seconds: what it says, the time included, is old by then.
    Slow(u16),
}

impl Fate {
    /// Whether the caller dies of it.
    pub fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter)
    }
}

/// Which calls a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Writes to the API server.
    ApiWrite,
    /// Reads of the API server, watches left out.
    ApiRead,
    /// A token is asked for.
    Generate,
    /// A token is tried.
    Verify,
    /// All tokens are listed.
    List,
    /// A token is ended.
    Revoke,
}

/// All classes of calls.
pub const CLASSES: [Class; 6] =
    [Class::ApiWrite, Class::ApiRead, Class::Generate, Class::Verify, Class::List, Class::Revoke];

/// A fault: the `nth` call of a class that is about one object (or about none) meets its fate. Numbers of one object's calls stay the
/// same when other objects do less, so that a plan can be shrunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which calls are counted.
    pub class: Class,
    /// The object that they are about; `None` for calls about no single object.
    pub of: Option<usize>,
    /// The first call is number 1.
    pub nth: u32,
    /// What becomes of it.
    pub fate: Fate,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.of.map(|index| format!(" for t{index}")).unwrap_or_default();
        write!(f, "{:?} number {}{of}: {:?}", self.class, self.nth, self.fate)
    }
}

/// The faults of a life, and the counts of calls that find them.
#[derive(Debug, Default)]
pub struct Faults {
    planned: Mutex<Vec<Fault>>,
    counts: Mutex<BTreeMap<(Class, Option<usize>), u32>>,
    met: Mutex<Vec<(Duration, Fault)>>,
}

impl Faults {
    /// Those of a plan.
    pub fn new(planned: &[Fault]) -> Self {
        Self { planned: Mutex::new(planned.to_vec()), ..Self::default() }
    }

    /// Counts a call, and says what becomes of it.
    pub fn meet(&self, class: Class, of: Option<usize>, now: Duration) -> Option<Fate> {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry((class, of)).or_default();
        *count += 1;
        let met = |fault: &&Fault| fault.class == class && fault.of == of && fault.nth == *count;
        let fault = self.planned.lock().unwrap().iter().find(met).copied()?;
        self.met.lock().unwrap().push((now, fault));
        Some(fault.fate)
    }

    /// Those that calls have met, and when.
    pub fn met(&self) -> Vec<(Duration, Fault)> {
        self.met.lock().unwrap().clone()
    }

    /// How many calls of each kind were counted.
    pub fn counts(&self) -> BTreeMap<(Class, Option<usize>), u32> {
        self.counts.lock().unwrap().clone()
    }

    /// From now on nothing goes wrong any more.
    pub fn end(&self) {
        self.planned.lock().unwrap().clear();
    }
}

/// The line between one process and the world. Once it is cut, the process sends nothing more, and no answer comes. What it has sent
/// lands.
#[derive(Debug)]
pub struct Line {
    /// The number of the process.
    pub who: u32,
    cut: AtomicBool,
    silent_until: Mutex<Option<Instant>>,
    /// Somebody killed the process.
    pub died: Notify,
}

impl Line {
    /// A line of a process that lives.
    pub fn new(who: u32) -> Self {
        Self { who, cut: AtomicBool::new(false), silent_until: Mutex::default(), died: Notify::new() }
    }

    /// kill -9, as the world sees it.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        self.died.notify_one();
    }

    /// For so long nothing goes out or comes in; then what waited goes on.
    pub fn hold(&self, length: Duration) {
        *self.silent_until.lock().unwrap() = Some(Instant::now() + length);
    }

    fn silent_until(&self) -> Option<Instant> {
        self.silent_until.lock().unwrap().filter(|until| Instant::now() < *until)
    }

    /// Waits while the line is held, and for ever if the process is dead.
    pub async fn alive(&self) {
        while let Some(until) = self.silent_until() {
            sleep_until(until).await;
        }
        if self.cut.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}
