//! Which plans are run: all of them take long, so that a run takes a fifth, and the next commit the next fifth.

use sha2::{Digest as _, Sha256};

use crate::fault_matrix::Plan;

/// The plans are dealt into so many parts.
const PARTS: usize = 5;

/// The plans of one run.
#[derive(Debug)]
pub enum Choice {
    All,
    /// These parts, each a number whose remainder counts, so that any five in a row are all plans.
    Parts(Vec<usize>),
    /// Those whose names have this word.
    Named(String),
}

impl Choice {
    /// What the variables say that `tests/crash/main.rs` names; without any, the first part.
    pub fn of_the_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        match (variable("CRASH_PLANS"), variable("CRASH_ALL"), variable("CRASH_PARTS")) {
            (Some(word), _, _) => Self::Named(word),
            (None, Some(_), _) => Self::All,
            (None, None, Some(numbers)) => Self::Parts(parse(&numbers)),
            (None, None, None) => Self::Parts(vec![0]),
        }
    }

    pub fn has(&self, plan: &Plan) -> bool {
        self.has_name(&plan.name())
    }

    fn has_name(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Parts(numbers) => numbers.iter().any(|number| number % PARTS == part_of(name)),
            Self::Named(word) => name.contains(word),
        }
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => formatter.write_str("all plans"),
            Self::Parts(numbers) => {
                let parts: Vec<_> = numbers.iter().map(|number| (number % PARTS).to_string()).collect();
                write!(formatter, "CRASH_PARTS={} of {PARTS}", parts.join(","))
            }
            Self::Named(word) => write!(formatter, "plans with {word:?}"),
        }
    }
}

fn parse(numbers: &str) -> Vec<usize> {
    let number =
        |text: &str| text.trim().parse().unwrap_or_else(|_| panic!("CRASH_PARTS={numbers}: not a number: {text:?}"));
    numbers.split(',').map(number).collect()
}

/// By the plan's name alone: it stays in its part where a run without a fault had a call more or less.
fn part_of(name: &str) -> usize {
    usize::from(Sha256::digest(name.as_bytes())[0]) % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names as plans have them.
    fn names() -> Vec<String> {
        let faults = ["kill before", "kill after", "lose the answer of", "double", "sleep before"];
        let calls = (0..40).flat_map(|call| faults.map(|fault| format!("{fault} PATCH tokens/{call} (no. 1, Rotate)")));
        calls.flat_map(|alone| [format!("{alone}, beside another operator"), alone]).collect()
    }

    #[test]
    fn five_commits_in_a_row_run_every_plan_once() {
        for first in 0..2 * PARTS {
            let choices: Vec<_> = (first..first + PARTS).map(|number| Choice::Parts(vec![number])).collect();
            for name in names() {
                let runs = choices.iter().filter(|choice| choice.has_name(&name)).count();
                assert_eq!(runs, 1, "{name} in five commits from number {first} on");
            }
        }
    }

    #[test]
    fn what_one_part_leaves_is_what_the_four_others_have() {
        let (one, others) = (Choice::Parts(parse("7")), Choice::Parts(parse("0,1,3,4")));
        assert!(names().iter().all(|name| one.has_name(name) != others.has_name(name)));
        assert_eq!(others.to_string(), "CRASH_PARTS=0,1,3,4 of 5");
    }

    #[test]
    fn no_part_has_much_more_than_a_fifth_of_the_plans() {
        let names = names();
        for number in 0..PARTS {
            let one = Choice::Parts(vec![number]);
            let share = names.iter().filter(|name| one.has_name(name)).count();
            assert!((names.len() / 7..=names.len() / 4).contains(&share), "part {number}: {share} of {}", names.len());
        }
    }
}
