//! A life: a plan that runs in a thread of its own, with its laws.

mod api;
mod perform;
mod person;
mod secrets;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use futures::future::{Either, select};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::act::{Act, Ban};
use crate::api_server::ApiServer;
use crate::excuses::{Excuses, Gone};
use crate::fate::{Class, Line};
use crate::laws::{self, Unsettled};
use crate::layout::{Layout, Site};
use crate::objects::{self, Abilities};
use crate::overlaid::Overlaid;
use crate::plan::Plan;
use crate::process::{Process, Surroundings};
use crate::services::{Books, Services};
use crate::world::{Record, World};
use person::Person;

/// How long everything works again before it is judged: longer than the longest back-off, after an hour in which clocks disagree.
const REST: Duration = Duration::from_secs(3 * 3600);

/// How often somebody looks meanwhile.
const LOOK: Duration = Duration::from_secs(60);

/// A token of another credential than now, whose value is lost, counts as dead after a day without any sign of it (P9). Until then a
/// deletion waits. Which versions of the credential have the same values, only the process knows that has read them.
const UNSEEN: Duration = Duration::from_secs(26 * 3600);

/// A life's thread: the product's futures are deep.
const STACK: usize = 8 << 20;

/// What became of a life.
#[derive(Debug, Default)]
pub struct Report {
    /// What happened, and which laws were broken.
    pub record: Record,
    /// How many calls of each kind faults could have met.
    pub calls: BTreeMap<(Class, Option<usize>), u32>,
    /// Requests of operators to the API server, by verb and kind.
    pub requests: BTreeMap<String, u64>,
    /// Whether an operator listed or watched Secrets.
    pub listed_secrets: bool,
    /// The books of the first service, with the tokens of all.
    pub books: Books,
    /// All events.
    pub events: Vec<Value>,
    /// The most that one object did in an hour.
    pub most: laws::Most,
    /// Virtual time.
    pub lived: Duration,
    /// Real time.
    pub took: Duration,
}

impl Report {
    /// The names of the laws that were broken.
    pub fn laws(&self) -> BTreeSet<&'static str> {
        self.record.broken.iter().map(|(law, _)| *law).collect()
    }

    /// How they were broken.
    pub fn complaint(&self) -> String {
        let lines = self.record.broken.iter().take(5).map(|(law, how)| format!("  {law}: {how}\n"));
        lines.collect()
    }
}

/// What laws must know of a life to be just.
#[derive(Debug, Default)]
pub struct Facts {
    /// What was done, and when.
    pub done: Vec<(Duration, Act)>,
    /// Rotations that nobody heard of: there was no such object, or no API server to take it. By the number of the act.
    pub unheard: BTreeSet<usize>,
    /// By how many seconds the API server's clock was ahead from then on.
    pub skews: Vec<(Duration, i64)>,
    /// What each object was asked for: tokens that may be made.
    pub allowed_tokens: usize,
    /// How often an operator was killed, or ran beside another one.
    pub interrupted: usize,
    /// How often another controller fought over a Secret.
    pub fights: usize,
    /// Objects that nobody may expect to be there.
    pub deleted: BTreeSet<usize>,
    /// The identities of objects whose finalizer somebody took off right before the deletion: their tokens were let go.
    pub let_go: BTreeSet<String>,
    /// What was let go with the policy `Orphan`: the act, and the object's identity.
    pub orphaned: Vec<(usize, String)>,
    /// When objects were on their way out, by their identities.
    pub gone: Gone,
    /// The values of tokens that a person ended at the service.
    pub ended_by_hand: BTreeSet<String>,
    /// When all was to be in order.
    pub judged: Duration,
    /// When all tokens of an object until then were declared as leaked, and by how many seconds the API server's clock was ahead then.
    pub leaks: BTreeMap<usize, (Duration, i64)>,
    /// Objects that make nothing new.
    pub suspended: BTreeSet<usize>,
    /// Objects whose Secret somebody else had first.
    pub squatted: BTreeSet<usize>,
    /// Objects whose Secret says that it is another one's: a person must act.
    pub forged: BTreeSet<usize>,
    /// Objects whose Secret somebody made immutable: a person must delete it.
    pub immutable: BTreeSet<usize>,
    /// Objects whose Secret a hand made while there was no object: nobody takes it away.
    pub left: BTreeSet<usize>,
    /// The store forgot what the ledger had: a person may have to say whose a token is (P21).
    pub restored: bool,
    /// A list showed dead tokens, which the ledger may have forgotten: the same (P21).
    pub dead_listed: bool,
    /// Tokens died whose end nobody could know. If these are most of them, a person must act (P20).
    pub unbelieved_ended: bool,
    /// At the end there was a day in which nothing showed more.
    pub unseen: bool,
    /// What the first service object allows.
    pub per_minute: u32,
}

impl Facts {
    /// How far the API server's clock was behind the services' at most in between.
    pub fn behind(&self, from: Duration, to: Duration) -> Duration {
        let ends = self.skews.iter().skip(1).map(|(at, _)| *at).chain([Duration::MAX]);
        let then = self.skews.iter().zip(ends).filter(|((at, _), end)| *at <= to && *end >= from);
        Duration::from_secs(then.map(|((_, ahead), _)| ahead.min(&0).unsigned_abs()).max().unwrap_or_default())
    }

    /// Until when something may wait that was written while that clock was ahead by more than waits of an hour make up for (P7): it ends by
    /// that clock.
    pub fn far_ahead_until(&self) -> Duration {
        let ends = self.skews.iter().skip(1).map(|(at, _)| *at).chain([Duration::MAX]);
        let far = self.skews.iter().zip(ends).filter(|((_, ahead), _)| *ahead > 3600);
        let until = far.map(|((_, ahead), end)| end.saturating_add(Duration::from_secs(ahead.unsigned_abs())));
        until.max().unwrap_or_default()
    }
}

/// A life under way.
pub struct Life {
    /// Its plan.
    pub plan: Plan,
    /// All that a process touches.
    pub around: Surroundings,
    /// For the laws.
    pub facts: Facts,
    /// The line of the operator that always runs.
    first: Arc<Mutex<Option<Arc<Line>>>>,
    /// Nobody fights over a Secret any more.
    peace: Arc<AtomicBool>,
    /// The values that the credential has instead of its own.
    keys: Arc<Mutex<Overlaid<String>>>,
    /// What the service object forbids.
    bans: Arc<Mutex<Overlaid<Ban>>>,
    /// Who took the service object away, and will make it again.
    service_gone: Arc<Mutex<Overlaid<()>>>,
    /// What goes on beside the script; it ends with the life.
    beside: JoinSet<()>,
    /// The second of the plan that it is.
    second: u32,
    /// Makes requests by annotation differ.
    requests: u32,
    /// Makes the numbers of second operators differ.
    seconds: u32,
}

impl Plan {
    /// Runs it, in a fresh thread whose random numbers are the plan's.
    pub fn run(&self, traced: bool) -> Report {
        // What all lives share draws keys for maps in the thread that makes it, and a life that made it would differ from others: compiled
        // templates, as long as somebody uses them. Lives that nobody looks at make all that, and never end.
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            for service in [Abilities::ALL, Abilities { names: false, ..Abilities::ALL }, Abilities::BY_HAND] {
                let plan = Plan { service, layout: Layout::Shared, ..Self::quiet(0, 2, 60) };
                plan.run_once(false, true);
            }
        });
        self.run_once(traced, false)
    }

    fn run_once(&self, traced: bool, stays: bool) -> Report {
        let plan = self.clone();
        let live = move || {
            crate::determinism::seed(plan.seed);
            let begun = std::time::Instant::now();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            let runtime = runtime.expect("a runtime");
            let report = runtime.block_on(async {
                // Tokio counts whole milliseconds from the runtime's birth, and the clock stopped some microseconds later. From here on
                // every instant is a whole millisecond, so that equal plans are equal lives.
                sleep(Duration::from_millis(1)).await;
                Life::begin(plan, traced).live().await
            });
            if stays {
                std::mem::forget(runtime);
            }
            Report { took: begun.elapsed(), ..report }
        };
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(live).expect("a thread");
        thread.join().unwrap_or_else(|_| {
            let record = Record { broken: vec![("panic", "the life panicked".into())], ..Record::default() };
            Report { record, ..Report::default() }
        })
    }
}

impl Life {
    fn begin(plan: Plan, traced: bool) -> Self {
        let world = World::new(&plan, traced);
        let (api_server, services) = (ApiServer::new(world.clone()), Services::default());
        let around = Surroundings {
            api_server,
            services,
            world,
            watches: plan.watches,
            elects: plan.elects,
            lines: Arc::default(),
        };
        let facts = Facts { deleted: (0..plan.tokens).collect(), per_minute: plan.per_minute, ..Facts::default() };
        let per_minute = plan.layout.sites().iter().map(|site| (site.host, plan.limit(*site))).collect();
        *around.world.excuses() = Excuses { per_minute, ..Excuses::default() };
        Self {
            plan,
            around,
            facts,
            first: Arc::default(),
            peace: Arc::default(),
            keys: Arc::default(),
            bans: Arc::default(),
            service_gone: Arc::default(),
            beside: JoinSet::new(),
            second: 0,
            requests: 0,
            seconds: 0,
        }
    }

    async fn live(mut self) -> Report {
        let world = self.around.world.clone();
        // A storm is not watched to its end.
        let whole = matches!(
            select(std::pin::pin!(self.script()), std::pin::pin!(world.exhausted.notified())).await,
            Either::Left(_)
        );
        laws::of_costs(&self, whole);
        laws::of_watches(&self);
        laws::of_records(&self);
        laws::of_leaders(&self);
        if whole {
            laws::of_consumers(&self);
            laws::of_hands(&self);
            laws::of_survivors(&self);
        }
        Report {
            record: world.record(),
            calls: world.faults.counts(),
            requests: self.around.api_server.counts(),
            listed_secrets: self.around.api_server.listed_secrets(),
            books: Books { tokens: self.around.services.tokens(), ..self.around.services.with(|books| books.clone()) },
            events: self.around.api_server.events().into_iter().map(|(_, event)| event).collect(),
            most: laws::most(&self),
            lived: world.elapsed(),
            took: Duration::ZERO,
        }
    }

    async fn script(&mut self) {
        self.set_the_scene();
        self.keep_one();
        if self.plan.service.by_hand && self.plan.person {
            self.beside.spawn(Person::new(&self.around, &self.plan).lives());
        }
        let begun = Instant::now();
        let second = |second: u32| begun + Duration::from_secs(second.into());
        for (at, act) in self.plan.acts.clone() {
            sleep_until(second(at)).await;
            self.second = at;
            self.act(act);
        }
        sleep_until(second(self.plan.seconds)).await;
        self.mend_all();
        let unsettled = Unsettled::mended(self);
        self.rest(unsettled).await;
        if self.answer_conditions() {
            let unsettled = Unsettled::mended(self);
            self.rest(unsettled).await;
        }
        laws::of_rest(self);
        self.facts.judged = self.around.world.elapsed();
        let there: Vec<usize> = (0..self.plan.tokens).filter(|index| !self.facts.deleted.contains(index)).collect();
        there.iter().for_each(|index| self.act(Act::Delete(*index)));
        let unsettled = Unsettled::deleted(self, &there);
        self.rest(unsettled).await;
        let did = |what: fn(&Act) -> bool| self.plan.acts.iter().any(|(_, act)| what(act));
        let another_key = did(|act| matches!(act, Act::WrongCredential(_) | Act::OtherAccount(_)));
        let forgotten = did(|act| matches!(act, Act::Second(_) | Act::RemakeService(_) | Act::Restore(..)));
        // A hand that took the value out of the Secret may have taken the last one.
        let taken = did(|act| {
            let marked = matches!(act, Act::Forge(..) | Act::Mark(..) | Act::RestoreSecret(..));
            marked || matches!(act, Act::DeleteSecret(_) | Act::EditSecret(_) | Act::Fight(..))
        });
        // A process that dies by a fault has forgotten the values, too.
        let killed = self.plan.faults.iter().any(|fault| fault.fate.kills());
        // Nor does a list say it, where there is none.
        let unknown = another_key || !self.plan.service.finds();
        if unknown
            && (forgotten || taken || killed || self.facts.interrupted > 0)
            && !self.around.api_server.all("artifacttokens").is_empty()
        {
            self.facts.unseen = true;
            sleep(UNSEEN).await;
        }
        laws::of_the_end(self);
    }

    /// Some quiet hours, in which what is not yet as it should be is looked at again.
    async fn rest(&self, mut unsettled: Unsettled) {
        let until = Instant::now() + REST;
        while Instant::now() < until {
            sleep(LOOK).await;
            unsettled.look(self);
        }
    }

    fn set_the_scene(&self) {
        let make = |path: &str, object: &Value| {
            self.around.api_server.act("POST", path, object).unwrap_or_else(|problem| panic!("{path}: {problem}"))
        };
        for namespace in self.plan.layout.namespaces() {
            make("/api/v1/namespaces", &json!({"metadata": {"name": namespace}}));
        }
        for site in self.plan.layout.sites() {
            let Abilities { names, by_hand, .. } = self.plan.service;
            let mut books = Books { nameless: !names, by_hand, ..Books::default() };
            laws::strangers(&mut books, *site, &self.around.world);
            self.around.services.open(site.host, books);
            make(&objects::secrets_path(site.namespace, ""), &objects::credential(*site));
            let limit = self.plan.limit(*site);
            let limit = self.plan.mutation.map_or(limit, |one| one.limit(limit));
            make(&site.all(), &self.service_object(*site, limit));
        }
    }

    /// A service object as people write it.
    fn service_object(&self, site: Site, per_minute: u32) -> Value {
        let mut object = objects::service(site, per_minute, self.plan.service);
        if self.plan.sweep_revokes {
            object["spec"]["sweep"] = json!({"policy": "Revoke"});
        }
        object
    }

    /// Keeps one operator running, as a kubelet does: a second after one died there is another one.
    fn keep_one(&mut self) {
        let (around, first) = (self.around.clone(), self.first.clone());
        self.beside.spawn(async move {
            for who in (1_u32..).step_by(10) {
                let mut process = Process::start(who, &around);
                *first.lock().unwrap() = Some(process.line.clone());
                // Who may not even list its own kinds when it starts says so and ends: only a person can mend that.
                if process.ended_by_itself().await && !around.api_server.refuses_everything() {
                    around.world.broke("ended", "the operator ended by itself".into());
                }
                drop(process);
                sleep(Duration::from_secs(1)).await;
            }
        });
    }

    /// Runs a second operator for a while; it ends by kill -9.
    fn run_second(&mut self, length: Duration) {
        let (around, who) = (self.around.clone(), 2 + 10 * self.seconds);
        self.seconds += 1;
        self.beside.spawn(async move {
            let until = Instant::now() + length;
            while Instant::now() < until {
                let mut process = Process::start(who, &around);
                let by_itself = tokio::time::timeout_at(until, process.ended_by_itself()).await;
                if by_itself.is_ok_and(|by_itself| by_itself) && !around.api_server.refuses_everything() {
                    around.world.broke("ended", "the second operator ended by itself".into());
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
    }
}
