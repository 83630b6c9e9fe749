//! The plans: one fault at one call each. Several scenarios run side by side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use testbed::fault_proxy::{Call, Fault, Planned, Request};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::choice::Choice;
use crate::invariants;
use crate::scenario::{Hands, PAST_EVERY_DEADLINE, Scenario};
use crate::script::{SCRIPT, Step};
use crate::summary::Summary;
use crate::supervisor::Supervisor;
use support::figures::figure;

/// Scenarios side by side. They mostly wait, for overlaps and for claims to settle.
const SCENARIOS: usize = 12;
/// Scenarios without a fault. The plans strike the calls that all of them make.
const REFERENCES: usize = 3;
/// A plan whose call does not come, because the operator took another path, is tried so often.
const TRIES: usize = 3;
/// One plan of so many may miss its call: whether the operator makes some calls depends on the time of a pass.
const MISSED_OF: usize = 20;
/// Of the looks at what a person does, so many of each kind are struck in a step: each is like the one before. All writes are.
const LOOKS: u32 = 6;
/// One call of so many is also struck while two operators work.
const BESIDE: usize = 5;
/// Limit for a step to reach its fault.
const STRIKES_WITHIN: Duration = Duration::from_secs(120);
/// Failed plans that are shown in full.
const SHOWN: usize = 4;

/// Scenarios of both tests together.
static ROOM: Semaphore = Semaphore::const_new(SCENARIOS);

/// A call of the script: the `nth` of its kind in its step.
#[derive(Clone, Debug)]
struct CallSite {
    signature: String,
    nth: u32,
    step: Step,
}

#[derive(Clone, Debug)]
pub struct Plan {
    site: CallSite,
    word: &'static str,
    fault: Fault,
    others: Others,
    hands: Hands,
}

/// Which other operator works in the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    None,
    /// One that starts when the first one falls asleep.
    Successor,
    /// One that works from the beginning.
    Second,
}

impl Plan {
    pub fn name(&self) -> String {
        let CallSite { signature, nth, step } = &self.site;
        let others = match self.others {
            Others::None => "",
            Others::Successor => ", a successor takes over",
            Others::Second => ", beside another operator",
        };
        format!("{} {signature} (no. {nth}, {step:?}){}{others}", self.word, self.hands.words())
    }

    /// A scenario with a fault has three steps: the first one, the one of the fault, and the last one.
    fn has(&self, step: Step) -> bool {
        [Step::Issue, self.site.step, Step::Delete].contains(&step)
    }

    pub fn kills(&self) -> usize {
        usize::from(matches!(self.fault, Fault::KillBefore | Fault::KillAfter))
    }
}

/// The outcome of one scenario.
#[derive(Debug, Default)]
pub struct Report {
    pub struck: bool,
    calls: Vec<(String, Step)>,
    pub consumer_calls: usize,
    pub broken: Vec<String>,
    evidence: String,
}

/// Every fault at every call of the script: kill before, kill after, lose the answer, deliver twice. Every fifth call also beside
/// another operator.
pub async fn single_faults(hands: Hands) {
    let faults = [
        ("kill before", Fault::KillBefore),
        ("kill after", Fault::KillAfter),
        ("lose the answer of", Fault::LoseAnswer),
        ("double", Fault::Duplicate),
    ];
    let begun = Instant::now();
    let sites = reference(hands).await;
    let plan = |site: &CallSite, others| {
        faults.clone().map(|(word, fault)| Plan { site: site.clone(), word, fault, others, hands })
    };
    let alone = sites.iter().flat_map(|site| plan(site, Others::None));
    let beside = sites.iter().step_by(BESIDE).flat_map(|site| plan(site, Others::Second));
    let plans: Vec<Plan> = alone.chain(beside).collect();
    run(&format!("single faults at {} calls{}", sites.len(), hands.words()), plans, begun).await;
}

/// At every call, an operator sleeps past every deadline. In turns, a successor acts meanwhile, or an operator that was there before.
pub async fn sleepers(hands: Hands) {
    let begun = Instant::now();
    let sites = reference(hands).await;
    let fault = Fault::StopBefore(PAST_EVERY_DEADLINE);
    let plan = |site: &CallSite, others| Plan {
        site: site.clone(),
        word: "sleep before",
        fault: fault.clone(),
        others,
        hands,
    };
    let successors = sites.iter().step_by(2).map(|site| plan(site, Others::Successor));
    let seconds = sites.iter().skip(1).step_by(2).map(|site| plan(site, Others::Second));
    let plans = successors.chain(seconds).collect();
    run(&format!("an operator asleep{}", hands.words()), plans, begun).await;
}

/// The calls that every scenario without a fault makes. Equal calls of one step are numbered.
async fn reference(hands: Hands) -> Vec<CallSite> {
    let scenarios =
        stream::iter(0..REFERENCES).map(|_| run_scenario(hands, None)).buffered(REFERENCES).collect::<Vec<_>>().await;
    for report in &scenarios {
        assert!(report.broken.is_empty(), "without any fault: {:#?}\n{}", report.broken, report.evidence);
    }
    let counts: Vec<_> = scenarios.iter().map(|scenario| count(&scenario.calls)).collect();
    let mut sites = Vec::new();
    let mut seen: BTreeMap<&(String, Step), u32> = BTreeMap::new();
    for call in &scenarios[0].calls {
        let nth = seen.entry(call).or_default();
        *nth += 1;
        let repeated = hands == Hands::Person && call.0.starts_with("GET ") && *nth > LOOKS;
        if !repeated && counts.iter().all(|counts| counts.get(call).is_some_and(|count| count >= nth)) {
            sites.push(CallSite { signature: call.0.clone(), nth: *nth, step: call.1 });
        }
    }
    sites
}

fn count(calls: &[(String, Step)]) -> BTreeMap<&(String, Step), u32> {
    let mut counts = BTreeMap::new();
    calls.iter().for_each(|call| *counts.entry(call).or_default() += 1);
    counts
}

async fn run(what: &str, mut plans: Vec<Plan>, begun: Instant) {
    let choice = Choice::of_the_environment();
    plans.retain(|plan| choice.has(plan));
    let scenarios = plans.into_iter().map(|plan| async move {
        let report = tried(&plan).await;
        (plan, report)
    });
    let side_by_side = std::env::var("CRASH_SCENARIOS").ok().and_then(|text| text.parse().ok()).unwrap_or(SCENARIOS);
    let reports: Vec<(Plan, Report)> = stream::iter(scenarios).buffer_unordered(side_by_side).collect().await;
    let summary = Summary::of(&reports);
    figure(&format!("{what}, {choice}: {summary}; {:.0} s", begun.elapsed().as_secs_f64()));
    show(&reports);
    assert_eq!((summary.broken, summary.rejected), (0, 0), "{what}: {summary}");
    assert!(summary.consumer_calls >= summary.plans, "{what}: {summary}");
    assert!(summary.missed * MISSED_OF <= reports.len().max(MISSED_OF), "{what}: {summary}");
}

/// Prints what broke, and for the first ones also what happened.
fn show(reports: &[(Plan, Report)]) {
    for (plan, _) in reports.iter().filter(|(_, report)| !report.struck) {
        println!("the call of this plan did not come in {TRIES} scenarios: {}", plan.name());
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
        report = run_scenario(plan.hands, Some(plan)).await;
        if report.struck || !report.broken.is_empty() {
            break;
        }
    }
    report
}

/// Runs one scenario in a task of its own, so that a panic in it becomes a report.
async fn run_scenario(hands: Hands, plan: Option<&Plan>) -> Report {
    let _room = ROOM.acquire().await.unwrap();
    let scenario = Arc::new(Scenario::start(hands).await);
    let plan = plan.cloned();
    let (running, planned) = (scenario.clone(), plan.clone());
    let outcome = tokio::spawn(async move { script(&running, planned.as_ref()).await }).await;
    let mut report = match outcome {
        Ok(report) => report,
        Err(error) => {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_owned());
            Report { struck: true, broken: vec![text], ..Report::default() }
        }
    };
    let seen = scenario.consumer.stop().await;
    report.consumer_calls = seen.calls;
    report.broken.extend(seen.rejected.into_iter().map(|what| format!("S2: a consumer was refused: {what}")));
    if !report.broken.is_empty() {
        report.evidence = evidence(&scenario).await;
    }
    report
}

async fn script(scenario: &Arc<Scenario>, plan: Option<&Plan>) -> Report {
    // Dropping it aborts the tasks.
    let mut waiting = JoinSet::new();
    let mut report = Report { struck: plan.is_none(), ..Report::default() };
    let mut requested = 0;
    scenario.add_a_stranger().await;
    if plan.is_some_and(|plan| plan.others == Others::Second) {
        scenario.start_second().await;
    }
    for step in SCRIPT.into_iter().filter(|step| plan.is_none_or(|plan| plan.has(*step))) {
        let before = scenario.proxy.calls().len();
        let planned = plan.filter(|plan| plan.site.step == step).map(|plan| arm(scenario, plan, &mut waiting));
        scenario.perform(step).await;
        requested += usize::from(step != Step::Delete);
        let calls = scenario.proxy.calls();
        let made = calls[before..].iter().filter(|call| call.is_step());
        report.calls.extend(made.map(|call| (signature(call, &scenario.world.namespace), step)));
        if let Some(planned) = planned {
            planned.withdraw();
            report.struck = !planned.struck().is_empty();
        }
        report.broken.extend(scenario.leaks_in_objects().await);
    }
    waiting.shutdown().await;
    if plan.is_none() {
        report.broken.extend(unlike_the_script(scenario));
    }
    let kills = plan.filter(|_| report.struck).map_or(0, Plan::kills);
    scenario.until_restarted(kills).await;
    report.broken.extend(invariants::broken(scenario, requested, plan.map_or(0, faults), kills).await);
    report
}

/// Without a fault, both refusals must happen, and one roll-back: a token comes back into the Secret after another one.
fn unlike_the_script(scenario: &Scenario) -> Option<String> {
    let mut ids: Vec<Option<String>> = scenario.recorder.versions().into_iter().map(|version| version.id).collect();
    ids.retain(Option::is_some);
    ids.dedup();
    let rolled_back = ids.windows(3).any(|three| three[0] == three[2]);
    let refused = scenario.recorder.refused();
    // The object said at once that a token is wrong: it was tried again a few times at most until the person heard of it.
    let highest = scenario.recorder.versions().iter().map(|version| version.attempt).max().unwrap_or_default();
    let told = scenario.hands == Hands::Operator || highest <= 10;
    (!rolled_back || refused < 2 || !told)
        .then(|| format!("{refused} refusals, rolled back: {rolled_back}, attempts: {highest}, in the Secret: {ids:?}"))
}

/// How many tokens the fault may cost. Of two operators, each may take an attempt for lost that the other one still works on.
fn faults(plan: &Plan) -> usize {
    match plan.others {
        Others::None => 1,
        Others::Successor | Others::Second => 3,
    }
}

/// Plans the fault for the step that begins now, and starts the successor once the fault strikes.
fn arm(scenario: &Arc<Scenario>, plan: &Plan, waiting: &mut JoinSet<()>) -> Planned {
    // Any operator of now may make the call; a successor has not started yet.
    let pids: Vec<_> = scenario.operators().into_iter().map(Supervisor::pid).collect();
    let (namespace, wanted) = (scenario.world.namespace.clone(), plan.site.signature.clone());
    let planned = scenario.proxy.once(plan.site.nth, plan.fault.clone(), move |request: &Request| {
        let call = &request.call;
        let ours = pids.iter().any(|pid| call.pid == Some(pid.load(Ordering::SeqCst)));
        ours && call.is_step() && signature(call, &namespace) == wanted
    });
    if matches!(plan.fault, Fault::StopBefore(_)) {
        scenario.may_sleep(planned.clone());
    }
    if plan.others == Others::Successor {
        let (scenario, planned) = (scenario.clone(), planned.clone());
        waiting.spawn(async move {
            if planned.until_struck(STRIKES_WITHIN).await.is_ok() {
                scenario.start_second().await;
            }
        });
    }
    planned
}

/// The call, without the parts that differ from scenario to scenario.
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

async fn evidence(scenario: &Scenario) -> String {
    let calls = scenario.proxy.calls();
    let line = |call: &Call| {
        let answer = call.status.map_or("no answer".to_owned(), |status| status.to_string());
        let pid = call.pid.unwrap_or_default();
        format!("{:4} {pid} {} -> {answer}", call.number, signature(call, &scenario.world.namespace))
    };
    let mut text = calls.iter().filter(|call| call.is_step()).map(line).collect::<Vec<_>>().join("\n");
    let versions: Vec<_> = scenario.recorder.versions().iter().map(|v| (v.version, v.attempt, v.id.clone())).collect();
    text.push_str(&format!("\nthe Secret: {versions:?}\nrevokes: {:#?}", scenario.recorder.revokes()));
    text.push_str(&format!("\nthe books: {:#?}", scenario.world.made().await));
    for operator in scenario.operators() {
        text.push_str(&format!("\nend of a log:\n{}", operator.log_tail().await));
    }
    text
}
