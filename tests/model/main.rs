//! The protocol's model: breadth-first exploration of the real decision (`rotation::plan::next_step`) and the real
//! transitions of the ledger in a model world, to a fixpoint.
//!
//! - `world` is the state, `canonical` its representative among states that differ only in names,
//! - `bridge` and `decision` translate it to the product's types and back,
//! - `process`, `secret_steps`, `service_steps` and `ledger_steps` have the transitions of a process, `service_sweep` those of the sweep
//!   of a whole service, `environment` and `lives` all others,
//! - `hand` is the part of the world where people make the tokens; `hand_steps`, `person`, `hand_rules` and `hand_mutations` have its
//!   transitions, rules and mutations,
//! - `invariants` has the rules for states, `explore` the search, `runs` the combinations of features, `mutations` the rules that
//!   are broken one by one; the model must catch each.
//!
//! It is a program of its own, without libtest, because it prints one line for each run. It prints the trace of a violated invariant
//! step by step. It ignores the arguments of libtest, except `--list` and a filter on the names of runs.

mod bridge;
mod canonical;
mod decision;
mod environment;
mod explore;
mod fingerprint;
mod hand;
mod hand_mutations;
mod hand_rules;
mod hand_steps;
mod invariants;
mod ledger_steps;
mod lives;
mod mutations;
mod person;
mod process;
mod runs;
mod secret_steps;
mod service_steps;
mod service_sweep;
mod setup;
mod tokens;
mod world;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use explore::Report;
use setup::Setup;

/// Runs are independent of each other. More threads would only take memory.
const MAX_THREADS: usize = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let setups: Vec<Setup> = [runs::others(), runs::lists(), runs::pairs(), runs::by_hand(), mutations::all()].concat();
    let wanted = |setup: &Setup| filters.is_empty() || filters.iter().any(|filter| setup.title().contains(*filter));
    let setups: Vec<Setup> = setups.into_iter().filter(wanted).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        setups.iter().for_each(|setup| println!("{}: test", setup.title()));
        return ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    println!("\nrunning {} tests", setups.len());
    let passed = explore_all(&setups);
    let failed = setups.len() - passed.iter().filter(|passed| **passed).count();
    let is_mutation = |setup: &&(&Setup, bool)| setup.0.mutation.is_some();
    let results: Vec<(&Setup, bool)> = setups.iter().zip(passed).collect();
    let mutated: Vec<_> = results.iter().filter(is_mutation).collect();
    if !mutated.is_empty() {
        println!("mutations: caught {} of {}", mutated.iter().filter(|(_, caught)| *caught).count(), mutated.len());
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let (good, seconds) = (setups.len() - failed, begun.elapsed().as_secs_f64());
    println!(
        "\ntest result: {word}. {good} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in {seconds:.2}s\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Explores each run once, in as many threads as there are processors. Returns which of them passed.
fn explore_all(setups: &[Setup]) -> Vec<bool> {
    let next = AtomicUsize::new(0);
    let passed = Mutex::new(vec![false; setups.len()]);
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(setup) = setups.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = explore::explore(setup);
                    let good = verdict(setup, &found);
                    if let (Ok(mut passed), Some(index)) = (passed.lock(), index_of(setups, setup)) {
                        passed[index] = good;
                    }
                }
            });
        }
    });
    passed.into_inner().unwrap_or_default()
}

fn index_of(setups: &[Setup], setup: &Setup) -> Option<usize> {
    setups.iter().position(|other| std::ptr::eq(other, setup))
}

/// A run passes without a violation, a mutation with one. Prints one line, and the trace of an unwanted violation.
fn verdict(setup: &Setup, found: &Report) -> bool {
    let caught = found.violation.as_ref();
    let good = if setup.mutation.is_some() { caught.is_some() } else { caught.is_none() && found.complete };
    let result = match caught {
        Some(violation) => format!("{} ({} steps)", violation.what, violation.trace.len()),
        None if !found.complete => "too many states".to_owned(),
        None => format!("holds, clean {}", found.clean),
    };
    let word = if good { "ok" } else { "FAILED" };
    println!(
        "test {} ... {word}: {result}; {} states, {} transitions, depth {}, {:.1} s",
        setup.title(),
        found.states,
        found.transitions,
        found.depth,
        found.seconds.as_secs_f64()
    );
    if let (false, Some(violation)) = (good, caught) {
        violation.trace.iter().for_each(|line| println!("    {line}"));
    }
    good
}
