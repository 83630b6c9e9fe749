//! The full cross product of all inputs: `next_step` is total, and the laws hold in every combination.

use std::collections::BTreeMap;

use artifact_token_operator::rotation::plan::first_match;

use super::inputs::{AXES, Axis, BY_HAND, NOW, SCALARS, World, steady};
use super::laws::LAWS;

/// The usual run takes one in so many of the inner combinations, and other ones in each world. It is coprime to their number.
const STRIDE: usize = 25;
/// A small machine has so many cores.
const THREADS: usize = 2;

/// The result of a run.
#[derive(Default)]
struct Tally {
    decisions: u64,
    /// How often each law was broken, and the shortest input that breaks it.
    broken: BTreeMap<&'static str, (u64, String)>,
}

/// Of services whose tokens a person makes, each world takes one in so many of its inner combinations.
const STRIDE_BY_HAND: usize = 1201;

/// The values of each axis that a run takes.
type Taken = Vec<Vec<usize>>;

#[test]
fn the_decision_is_total_and_the_laws_hold_over_a_spread_of_all_combinations() {
    check(&automatic(), STRIDE);
}

#[test]
#[ignore = "about a minute: the full cross product, without omission"]
fn the_decision_is_total_and_the_laws_hold_over_all_combinations() {
    check(&automatic(), 1);
}

#[test]
fn the_laws_hold_where_a_person_makes_the_tokens() {
    check(&by_hand(), STRIDE_BY_HAND);
}

/// All values of tokens that the operator generates.
fn automatic() -> Taken {
    let taken = |(at, axis): (usize, &Axis)| {
        let values = (0..axis.values.len()).filter(|value| at < BY_HAND && !is_by_hand(axis.values[*value].0));
        if at < BY_HAND { values.collect() } else { vec![0] }
    };
    AXES.iter().enumerate().map(taken).collect()
}

/// All values of tokens that a person makes, with those of others that matter there. No list shows such a token.
fn by_hand() -> Taken {
    let others = ["verified", "empty", "open claim", "past overlap", "rejected", "no room", "named", "missing"];
    let taken = |axis: &Axis| {
        let counts = |value: &usize| match axis.name {
            "ledger" | "service" => is_by_hand(axis.values[*value].0) || others.contains(&axis.values[*value].0),
            "listing" => *value == 0,
            _ => true,
        };
        (0..axis.values.len()).filter(counts).collect()
    };
    AXES.iter().map(taken).collect()
}

fn is_by_hand(value: &str) -> bool {
    ["handed over", "taking up", "not taken up", "by hand"].iter().any(|begins| value.starts_with(begins))
}

fn check(taken: &Taken, stride: usize) {
    let tallies = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || explore(taken, first, stride))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let decisions: u64 = tallies.iter().map(|tally| tally.decisions).sum();
    println!("{decisions} of {} combinations, {} laws", combinations(taken), LAWS.len());
    let broken = tallies.iter().flat_map(|tally| &tally.broken);
    let broken: Vec<String> =
        broken.map(|(law, (count, text))| format!("{law}: {count} times, e.g.\n  {text}")).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Explores every `THREADS`-th world from `first` on.
fn explore(taken: &Taken, first: usize, stride: usize) -> Tally {
    let (makers, setters) = AXES.split_at(SCALARS);
    let (made_of, set_to) = taken.split_at(SCALARS);
    let inner: Vec<Vec<usize>> = (0..combinations(set_to)).map(|index| picks(set_to, index)).collect();
    let mut tally = Tally::default();
    for outer in (first..combinations(made_of)).step_by(THREADS) {
        let made = picks(made_of, outer);
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

fn combinations(taken: &[Vec<usize>]) -> usize {
    taken.iter().map(Vec::len).product()
}

fn picks(taken: &[Vec<usize>], mut index: usize) -> Vec<usize> {
    let mut picks = Vec::with_capacity(taken.len());
    for values in taken {
        picks.push(values[index % values.len()]);
        index /= values.len();
    }
    picks
}

/// The inputs that are not steady.
fn describe<'a>(picks: impl Iterator<Item = &'a usize>) -> String {
    let name = |(axis, pick): (&Axis, &usize)| format!("{} = {}", axis.name, axis.values[*pick].0);
    AXES.iter().zip(picks).filter(|(_, pick)| **pick != 0).map(name).collect::<Vec<_>>().join(", ")
}
