//! The plans, several lives side by side, and the figures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use testbed::fault_proxy::{Call, Fault, Planned, Request};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::choice::Choice;
use crate::figures::Figures;
use crate::keeper::Keeper;
use crate::laws;
use crate::life::{Life, PAST_EVERY_DEADLINE};
use crate::script::{SCRIPT, Step};
use support::figures::figure;

/// Lives side by side. They mostly wait, for overlaps and for claims to settle.
const LIVES: usize = 12;
/// Lives without a fault, whose common calls are those that the plans strike.
const REFERENCES: usize = 3;
/// A plan whose call did not come, because something took another turn, is tried so often.
const TRIES: usize = 3;
/// One plan of so many may miss its call: some are made or not as the time of a pass falls.
const MISSED_OF: usize = 20;
/// One call of so many is struck also where two operators work at once.
const BESIDE: usize = 5;
/// Limit for a step to come to its fault.
const STRIKES_WITHIN: Duration = Duration::from_secs(120);
/// Failed plans that are shown in full.
const SHOWN: usize = 4;

/// Of both tests together.
static ROOM: Semaphore = Semaphore::const_new(LIVES);

/// A call of the script: the `nth` of its kind in its step.
#[derive(Clone, Debug)]
struct Place {
    signature: String,
    nth: u32,
    step: Step,
}

#[derive(Clone, Debug)]
pub struct Plan {
    place: Place,
    word: &'static str,
    fault: Fault,
    others: Others,
}

/// Which other operator there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    None,
    /// One that starts when the first falls asleep.
    Successor,
    /// One that is there from the beginning.
    Twin,
}

impl Plan {
    pub fn name(&self) -> String {
        let Place { signature, nth, step } = &self.place;
        let others = match self.others {
            Others::None => "",
            Others::Successor => ", a successor takes over",
            Others::Twin => ", beside a twin",
        };
        format!("{} {signature} (no. {nth}, {step:?}){others}", self.word)
    }

    /// A life with a fault has the step of that fault, between its first and its last.
    fn lives(&self, step: Step) -> bool {
        [Step::Issue, self.place.step, Step::Delete].contains(&step)
    }

    pub fn kills(&self) -> usize {
        usize::from(matches!(self.fault, Fault::KillBefore | Fault::KillAfter))
    }
}

/// What one life showed.
#[derive(Debug, Default)]
pub struct Report {
    pub struck: bool,
    calls: Vec<(String, Step)>,
    pub probes: usize,
    pub broken: Vec<String>,
    evidence: String,
}

/// Every call of the script: killed before, killed after, answer lost, arrived twice. Every fifth of them also beside a twin.
pub async fn single_faults() {
    let faults = [
        ("kill before", Fault::KillBefore),
        ("kill after", Fault::KillAfter),
        ("lose the answer of", Fault::LoseAnswer),
        ("double", Fault::Duplicate),
    ];
    let begun = Instant::now();
    let places = reference().await;
    let plan =
        |place: &Place, others| faults.clone().map(|(word, fault)| Plan { place: place.clone(), word, fault, others });
    let alone = places.iter().flat_map(|place| plan(place, Others::None));
    let beside = places.iter().step_by(BESIDE).flat_map(|place| plan(place, Others::Twin));
    let plans: Vec<Plan> = alone.chain(beside).collect();
    run(&format!("single faults at {} calls", places.len()), plans, begun).await;
}

/// At every call an operator sleeps past every deadline: in turns while a successor acts, and while one acts that was there before.
pub async fn sleepers() {
    let begun = Instant::now();
    let places = reference().await;
    let fault = Fault::StopBefore(PAST_EVERY_DEADLINE);
    let plan =
        |place: &Place, others| Plan { place: place.clone(), word: "sleep before", fault: fault.clone(), others };
    let successors = places.iter().step_by(2).map(|place| plan(place, Others::Successor));
    let twins = places.iter().skip(1).step_by(2).map(|place| plan(place, Others::Twin));
    run("an operator asleep", successors.chain(twins).collect(), begun).await;
}

/// The calls that every life without a fault makes, each with its number among its like in its step.
async fn reference() -> Vec<Place> {
    let lives = stream::iter(0..REFERENCES).map(|_| live(None)).buffered(REFERENCES).collect::<Vec<_>>().await;
    for report in &lives {
        assert!(report.broken.is_empty(), "without any fault: {:#?}\n{}", report.broken, report.evidence);
    }
    let counts: Vec<_> = lives.iter().map(|life| count(&life.calls)).collect();
    let mut places = Vec::new();
    let mut seen: BTreeMap<&(String, Step), u32> = BTreeMap::new();
    for call in &lives[0].calls {
        let nth = seen.entry(call).or_default();
        *nth += 1;
        if counts.iter().all(|counts| counts.get(call).is_some_and(|count| count >= nth)) {
            places.push(Place { signature: call.0.clone(), nth: *nth, step: call.1 });
        }
    }
    places
}

fn count(calls: &[(String, Step)]) -> BTreeMap<&(String, Step), u32> {
    let mut counts = BTreeMap::new();
    calls.iter().for_each(|call| *counts.entry(call).or_default() += 1);
    counts
}

async fn run(what: &str, mut plans: Vec<Plan>, begun: Instant) {
    let choice = Choice::of_the_environment();
    plans.retain(|plan| choice.has(plan));
    let lives = plans.into_iter().map(|plan| async move {
        let report = tried(&plan).await;
        (plan, report)
    });
    let side_by_side = std::env::var("CRASH_LIVES").ok().and_then(|text| text.parse().ok()).unwrap_or(LIVES);
    let reports: Vec<(Plan, Report)> = stream::iter(lives).buffer_unordered(side_by_side).collect().await;
    let figures = Figures::of(&reports);
    figure(&format!("{what}, {choice}: {figures}; {:.0} s", begun.elapsed().as_secs_f64()));
    show(&reports);
    assert_eq!((figures.broken, figures.rejected), (0, 0), "{what}: {figures}");
    assert!(figures.probes >= figures.plans, "{what}: {figures}");
    assert!(figures.missed * MISSED_OF <= reports.len().max(MISSED_OF), "{what}: {figures}");
}

/// What broke, and for the first ones what happened.
fn show(reports: &[(Plan, Report)]) {
    for (plan, _) in reports.iter().filter(|(_, report)| !report.struck) {
        println!("the call of this plan did not come in {TRIES} lives: {}", plan.name());
    }
    let broken = reports.iter().filter(|(_, report)| !report.broken.is_empty());
    for (plan, report) in broken.clone() {
        println!("FAILED {}:", plan.name());
        report.broken.iter().for_each(|what| println!("    {what}"));
    }
    for (plan, report) in broken.take(SHOWN) {
        println!("==== {}\n{}", plan.name(), report.evidence);
    }
}

async fn tried(plan: &Plan) -> Report {
    let mut report = Report::default();
    for _ in 0..TRIES {
        report = live(Some(plan)).await;
        if report.struck || !report.broken.is_empty() {
            break;
        }
    }
    report
}

/// One life in a task of its own, so that a panic in it is a report.
async fn live(plan: Option<&Plan>) -> Report {
    let _room = ROOM.acquire().await.unwrap();
    let life = Arc::new(Life::start().await);
    let plan = plan.cloned();
    let (living, planned) = (life.clone(), plan.clone());
    let lived = tokio::spawn(async move { script(&living, planned.as_ref()).await }).await;
    let mut report = match lived {
        Ok(report) => report,
        Err(error) => {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_owned());
            Report { struck: true, broken: vec![text], ..Report::default() }
        }
    };
    if !report.broken.is_empty() {
        report.evidence = evidence(&life).await;
    }
    let seen = life.probe.stop().await;
    report.probes = seen.calls;
    report.broken.extend(seen.rejected.into_iter().map(|what| format!("S2: a consumer was refused: {what}")));
    report
}

async fn script(life: &Arc<Life>, plan: Option<&Plan>) -> Report {
    // Aborted when it is dropped.
    let mut waiting = JoinSet::new();
    let mut report = Report { struck: plan.is_none(), ..Report::default() };
    let mut wished = 0;
    life.meet_a_stranger().await;
    if plan.is_some_and(|plan| plan.others == Others::Twin) {
        life.start_second().await;
    }
    for step in SCRIPT.into_iter().filter(|step| plan.is_none_or(|plan| plan.lives(*step))) {
        let before = life.proxy.calls().len();
        let planned = plan.filter(|plan| plan.place.step == step).map(|plan| arm(life, plan, &mut waiting));
        life.perform(step).await;
        wished += usize::from(step != Step::Delete);
        let calls = life.proxy.calls();
        let made = calls[before..].iter().filter(|call| call.is_step());
        report.calls.extend(made.map(|call| (signature(call, &life.world.namespace), step)));
        if let Some(planned) = planned {
            planned.withdraw();
            report.struck = !planned.struck().is_empty();
        }
        report.broken.extend(life.leaks_in_objects().await);
    }
    waiting.shutdown().await;
    if plan.is_none() {
        report.broken.extend(unlike_the_script(life));
    }
    let kills = plan.filter(|_| report.struck).map_or(0, Plan::kills);
    life.until_restarted(kills).await;
    report.broken.extend(laws::broken(life, wished, plan.map_or(0, faults), kills).await);
    report
}

/// Without a fault, both refusals happened, and a token came back into the Secret after another one: a roll-back.
fn unlike_the_script(life: &Life) -> Option<String> {
    let mut ids: Vec<Option<String>> = life.witness.versions().into_iter().map(|version| version.id).collect();
    ids.retain(Option::is_some);
    ids.dedup();
    let rolled_back = ids.windows(3).any(|three| three[0] == three[2]);
    let refused = life.witness.refused();
    (!rolled_back || refused < 2)
        .then(|| format!("{refused} refusals, rolled back: {rolled_back}, in the Secret: {ids:?}"))
}

/// Faults that may each cost a token. Two operators may each take an attempt for lost that the other goes on with.
fn faults(plan: &Plan) -> usize {
    match plan.others {
        Others::None => 1,
        Others::Successor | Others::Twin => 3,
    }
}

/// Plans the fault for the step that begins now, and what follows from it.
fn arm(life: &Arc<Life>, plan: &Plan, waiting: &mut JoinSet<()>) -> Planned {
    // Whichever of two makes the call; a successor is not there yet.
    let pids: Vec<_> = life.operators().into_iter().map(Keeper::pid).collect();
    let (namespace, wanted) = (life.world.namespace.clone(), plan.place.signature.clone());
    let planned = life.proxy.once(plan.place.nth, plan.fault.clone(), move |request: &Request| {
        let call = &request.call;
        let ours = pids.iter().any(|pid| call.pid == Some(pid.load(Ordering::SeqCst)));
        ours && call.is_step() && signature(call, &namespace) == wanted
    });
    if matches!(plan.fault, Fault::StopBefore(_)) {
        life.may_sleep(planned.clone());
    }
    if plan.others == Others::Successor {
        let (life, planned) = (life.clone(), planned.clone());
        waiting.spawn(async move {
            if planned.until_struck(STRIKES_WITHIN).await.is_ok() {
                life.start_second().await;
            }
        });
    }
    planned
}

/// The call without what differs from life to life.
fn signature(call: &Call, namespace: &str) -> String {
    let route = call.route().replace(namespace, "NS");
    let route = match route.find("tok_") {
        Some(id) => format!("{}ID", &route[..id]),
        None => route,
    };
    let route = route.rsplit_once("/NS/").map_or(route.as_str(), |(_, rest)| rest).to_owned();
    let dry = if call.path.contains("dryRun") { " (dry run)" } else { "" };
    format!("{} {route}{dry}", call.method)
}

async fn evidence(life: &Life) -> String {
    let calls = life.proxy.calls();
    let line = |call: &Call| {
        let answer = call.status.map_or("no answer".to_owned(), |status| status.to_string());
        let pid = call.pid.unwrap_or_default();
        format!("{:4} {pid} {} -> {answer}", call.number, signature(call, &life.world.namespace))
    };
    let mut text = calls.iter().filter(|call| call.is_step()).map(line).collect::<Vec<_>>().join("\n");
    let versions: Vec<_> = life.witness.versions().iter().map(|v| (v.version, v.attempt, v.id.clone())).collect();
    text.push_str(&format!("\nthe Secret: {versions:?}\nrevokes: {:#?}", life.witness.revokes()));
    text.push_str(&format!("\nthe books: {:#?}", life.world.made().await));
    for operator in life.operators() {
        text.push_str(&format!("\nend of a log:\n{}", operator.log_tail().await));
    }
    text
}
