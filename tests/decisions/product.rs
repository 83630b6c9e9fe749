//! The full cross product of all inputs: `next_step` is total, and the laws hold in every combination.

use std::collections::BTreeMap;

use artifact_token_operator::rotation::plan::first_match;

use super::inputs::{AXES, Axis, NOW, SCALARS, World, steady};
use super::laws::LAWS;

/// The usual run takes one in so many of the inner combinations, another one in each world; it is coprime to their number.
const STRIDE: usize = 25;
/// The cores of a small machine.
const THREADS: usize = 2;

/// What a run came to.
#[derive(Default)]
struct Tally {
    decisions: u64,
    /// For each broken law how often, and the shortest input that breaks it.
    broken: BTreeMap<&'static str, (u64, String)>,
}

#[test]
fn the_decision_is_total_and_the_laws_hold_over_a_spread_of_all_combinations() {
    check(STRIDE);
}

#[test]
#[ignore = "about a minute: the full cross product, without omission"]
fn the_decision_is_total_and_the_laws_hold_over_all_combinations() {
    check(1);
}

fn check(stride: usize) {
    let tallies = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || explore(first, stride))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let decisions: u64 = tallies.iter().map(|tally| tally.decisions).sum();
    println!("{decisions} of {} combinations, {} laws", combinations(&AXES), LAWS.len());
    let broken = tallies.iter().flat_map(|tally| &tally.broken);
    let broken: Vec<String> =
        broken.map(|(law, (count, text))| format!("{law}: {count} times, e.g.\n  {text}")).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Every `THREADS`-th world from `first` on.
fn explore(first: usize, stride: usize) -> Tally {
    let (makers, setters) = AXES.split_at(SCALARS);
    let inner: Vec<Vec<usize>> = (0..combinations(setters)).map(|index| picks(setters, index)).collect();
    let mut tally = Tally::default();
    for outer in (first..combinations(makers)).step_by(THREADS) {
        let made = picks(makers, outer);
        let mut world = steady();
        apply(makers, &made, &mut world);
        for set in inner.iter().skip(outer % stride).step_by(stride) {
            apply(setters, set, &mut world);
            judge(&world, &mut tally, || describe(made.iter().chain(set)));
        }
    }
    tally
}

fn judge(world: &World, tally: &mut Tally, describe: impl Fn() -> String) {
    let (row, step) = first_match(&world.desired, &world.observed, NOW);
    tally.decisions += 1;
    for (name, _) in LAWS.iter().filter(|(_, law)| !law(&world.desired, &world.observed, &step)) {
        let (count, shortest) = tally.broken.entry(name).or_default();
        *count += 1;
        let text = format!("{} -> {row}: {step:?}", describe());
        if shortest.is_empty() || text.len() < shortest.len() {
            *shortest = text;
        }
    }
}

fn apply(axes: &[Axis], picks: &[usize], world: &mut World) {
    for (axis, pick) in axes.iter().zip(picks) {
        axis.values[*pick].1(world);
    }
}

fn combinations(axes: &[Axis]) -> usize {
    axes.iter().map(|axis| axis.values.len()).product()
}

fn picks(axes: &[Axis], mut index: usize) -> Vec<usize> {
    let mut picks = Vec::with_capacity(axes.len());
    for axis in axes {
        picks.push(index % axis.values.len());
        index /= axis.values.len();
    }
    picks
}

/// What is not steady.
fn describe<'a>(picks: impl Iterator<Item = &'a usize>) -> String {
    let name = |(axis, pick): (&Axis, &usize)| format!("{} = {}", axis.name, axis.values[*pick].0);
    AXES.iter().zip(picks).filter(|(_, pick)| **pick != 0).map(name).collect::<Vec<_>>().join(", ")
}
