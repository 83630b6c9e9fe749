//! Many random lives, two at a time.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use simulation::act::KINDS;
use simulation::plan::Plan;
use support::figures::figure;

/// Lives at a time: one a processor.
const THREADS: usize = 2;
/// How many without `SIMULATION_LIVES`: always the same ones, so that a run that fails fails again.
const LIVES: u64 = 1000;
/// A life that takes longer is told: it is where the time goes.
const SLOW: Duration = Duration::from_secs(10);

/// What many lives came to.
#[derive(Default)]
struct Sum {
    lives: u64,
    lived: Duration,
    drawn: BTreeMap<String, u64>,
    /// The most of each kind, and the seed that had it.
    most: [(u64, u64); 4],
    /// Seeds by the law that they break.
    broken: BTreeMap<&'static str, Vec<u64>>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The life of a seed, with the kinds of `SIMULATION_ABOUT=Api,Restore` in it.
fn plan_of(seed: u64) -> Plan {
    Plan::random_about(seed, &named("SIMULATION_ABOUT", &KINDS))
}

/// The values that a variable names, with commas in between. A name that nobody knows would else look like a search that found nothing.
pub fn named<T: Copy + Debug>(variable: &str, known: &[T]) -> Vec<T> {
    let wanted = std::env::var(variable).unwrap_or_default();
    let names = wanted.split(',').map(str::trim).filter(|name| !name.is_empty());
    let find = |name: &str| {
        let found = known.iter().copied().find(|one| format!("{one:?}") == name);
        found.unwrap_or_else(|| panic!("{variable}: {name} is none of {known:?}"))
    };
    names.map(find).collect()
}

fn run() -> Sum {
    let (first, lives) = (number("SIMULATION_SEED").unwrap_or(0), number("SIMULATION_LIVES").unwrap_or(LIVES));
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let count = next.fetch_add(1, Ordering::Relaxed);
                    if count >= lives {
                        break;
                    }
                    live(first + count, &sum);
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

fn live(seed: u64, sum: &Mutex<Sum>) {
    let plan = plan_of(seed);
    let report = plan.run(false);
    if report.took > SLOW {
        println!("seed {seed} took {:?} for {:?}", report.took, report.lived);
    }
    if !report.record.broken.is_empty() {
        println!("seed {seed} breaks a law:\n{}", report.complaint());
    }
    let mut sum = sum.lock().unwrap();
    sum.lives += 1;
    sum.lived += report.lived;
    let most = [report.most.events, report.most.tokens, report.most.turns, report.most.writes_at_rest];
    for (at, count) in most.into_iter().enumerate() {
        sum.most[at] = sum.most[at].max((count, seed));
    }
    plan.drawn().into_iter().for_each(|drawn| *sum.drawn.entry(drawn).or_default() += 1);
    report.laws().into_iter().for_each(|law| sum.broken.entry(law).or_default().push(seed));
}

#[test]
fn random_lives_break_no_law() {
    let begun = Instant::now();
    let sum = run();
    let took = begun.elapsed().as_secs_f64();
    let (lives, days) = (sum.lives, sum.lived.as_secs() / 86_400);
    let rate = sum.lived.as_secs_f64() / took;
    figure(&format!("simulation: {lives} lives of {days} days in {took:.0} s, {rate:.0} virtual seconds a second"));
    println!("drawn: {:?}", sum.drawn);
    let [events, tokens, turns, writes] = sum.most;
    println!(
        "most of an object in an hour, by (count, seed): events {events:?}, tokens {tokens:?}, turns of a service {turns:?}, \
         writes at rest {writes:?}"
    );
    let complaints: String = sum.broken.iter().map(|(law, seeds)| complaint(law, seeds)).collect();
    assert!(complaints.is_empty(), "{complaints}");
}

/// What is wrong, as a script that a person can read.
fn complaint(law: &str, seeds: &[u64]) -> String {
    let least = seeds.iter().min().expect("a life broke it");
    let small = plan_of(*least).shrink(law);
    let how = small.run(false).complaint();
    format!("{law} is broken by {} lives: {seeds:?}; seed {least} in short:\n{small}{how}", seeds.len())
}

/// `SIMULATION_ONE=17` tells one life from beginning to end; with `SIMULATION_LAW=L1` the smallest that breaks this law.
#[test]
fn one_life() {
    let Some(seed) = number("SIMULATION_ONE") else { return };
    let plan = plan_of(seed);
    let plan = std::env::var("SIMULATION_LAW").map_or(plan.clone(), |law| plan.shrink(&law));
    let report = plan.run(true);
    println!("{plan}\n{}\n{}", report.record.text(), report.complaint());
}
