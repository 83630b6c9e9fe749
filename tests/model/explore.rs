//! Breadth-first exploration, to a fixpoint.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::decision::Decision;
use super::fingerprint::{Identity, fingerprint};
use super::setup::{Label, Move, Setup};
use super::tokens::Set;
use super::world::{State, SweepAt};
use super::{canonical, environment, invariants, process, service_sweep};

/// A run with more states fails.
pub const MAX_STATES: usize = 6_000_000;

/// The result of a run.
pub struct Report {
    pub states: usize,
    pub transitions: usize,
    pub depth: usize,
    pub seconds: Duration,
    /// Whether all states were explored, without reaching the limit.
    pub complete: bool,
    pub violation: Option<Violation>,
    /// The number of clean states.
    pub clean: usize,
}

/// A violated invariant and the way there.
pub struct Violation {
    pub what: &'static str,
    pub trace: Vec<String>,
}

struct Explorer<'a> {
    setup: &'a Setup,
    decision: Decision,
    seen: HashMap<u128, u32, Identity>,
    /// For each state: the state it was reached from, and the index of the move.
    parents: Vec<(u32, u16)>,
    edges: Vec<(u32, u32)>,
    clean: Vec<bool>,
    bound: Vec<bool>,
    /// Whether the list fails in this state; and whether nothing is left to do, or the next step needs the list.
    listless: Vec<bool>,
    excused: Vec<bool>,
    moves: Vec<Move>,
}

/// Explores a run. Checks safety in every state, and that a clean state can be reached from each.
pub fn explore(setup: &Setup) -> Report {
    let begun = Instant::now();
    let mut explorer = Explorer {
        setup,
        decision: Decision::default(),
        seen: HashMap::default(),
        parents: Vec::new(),
        edges: Vec::new(),
        clean: Vec::new(),
        bound: Vec::new(),
        listless: Vec::new(),
        excused: Vec::new(),
        moves: Vec::new(),
    };
    let mut frontier = vec![(setup.initial(), 0)];
    explorer.enter(&frontier[0].0, (0, 0));
    let (mut violation, mut depth, mut transitions) = (None, 0, 0);
    while !frontier.is_empty() && violation.is_none() && explorer.parents.len() < MAX_STATES {
        depth += 1;
        let mut next = Vec::new();
        for (state, number) in &frontier {
            violation = explorer.expand(state, *number, &mut next, &mut transitions);
            if violation.is_some() {
                break;
            }
        }
        frontier = next;
    }
    let complete = frontier.is_empty();
    if complete && violation.is_none() {
        violation = explorer.stuck();
    }
    Report {
        states: explorer.parents.len(),
        transitions,
        depth,
        seconds: begun.elapsed(),
        complete,
        violation,
        clean: explorer.clean.iter().filter(|clean| **clean).count(),
    }
}

impl Explorer<'_> {
    fn enter(&mut self, state: &State, parent: (u32, u16)) -> (u32, bool) {
        let next = self.parents.len() as u32;
        let number = *self.seen.entry(fingerprint(|hasher| state.hash(hasher))).or_insert(next);
        if number == next {
            self.parents.push(parent);
            self.clean.push(invariants::clean(state, self.setup));
            self.bound.push(false);
            self.listless.push(state.list_fails);
            self.excused.push(state.list_fails && (invariants::served(state) || invariants::needs_list(state)));
        }
        (number, number == next)
    }

    fn expand(
        &mut self,
        state: &State,
        number: u32,
        next: &mut Vec<(State, u32)>,
        transitions: &mut usize,
    ) -> Option<Violation> {
        let mut moves = std::mem::take(&mut self.moves);
        successors(self.setup, &mut self.decision, state, &mut moves);
        *transitions += moves.len();
        let mut found = None;
        for (index, step) in moves.iter().enumerate() {
            if step.label.what == AT_BOUND {
                self.bound[number as usize] = true;
            }
            let wrong = step.wrong.or_else(|| invariants::broken(&step.state, self.setup));
            if let Some(wrong) = wrong {
                found = Some(self.violation(wrong, number, Some(index)));
                break;
            }
            let (entered, new) = self.enter(&step.state, (number, index as u16));
            self.edges.push((entered, number));
            if new {
                next.push((step.state, entered));
            }
        }
        moves.clear();
        self.moves = moves;
        found
    }

    /// A state from which no clean state can be reached. A state that can reach the limit of token slots counts as clean, but not where one
    /// process takes up what people hand over: those runs have slots enough. And a state from which, while the list fails, something is not done that needs no list.
    fn stuck(&mut self) -> Option<Violation> {
        self.edges.sort_unstable();
        let counts = !self.setup.by_hand || self.setup.processes > 1;
        let good = |(good, bound): (&bool, &bool)| *good || (counts && *bound);
        let or_bound = |clean: &[bool]| clean.iter().zip(&self.bound).map(good).collect();
        let unclean = self.never_reach(or_bound(&self.clean), |_| true);
        if let Some(state) = unclean {
            return Some(self.violation("L: no clean state can be reached", state, None));
        }
        if !self.listless.contains(&true) {
            return None;
        }
        let held_up = self.never_reach(or_bound(&self.excused), |state| self.listless[state as usize]);
        held_up.map(|state| self.violation("L: what needs no list waits for one", state, None))
    }

    /// The first of these states from which no good one can be reached through others of them.
    fn never_reach(&self, mut good: Vec<bool>, counts: impl Fn(u32) -> bool) -> Option<u32> {
        let count = self.parents.len();
        let mut start = vec![0_u32; count + 1];
        for (to, _) in &self.edges {
            start[*to as usize + 1] += 1;
        }
        for index in 0..count {
            start[index + 1] += start[index];
        }
        let mut open: Vec<u32> = (0..count as u32).filter(|number| good[*number as usize] && counts(*number)).collect();
        while let Some(number) = open.pop() {
            let range = start[number as usize] as usize..start[number as usize + 1] as usize;
            for (_, from) in &self.edges[range] {
                if !good[*from as usize] && counts(*from) {
                    good[*from as usize] = true;
                    open.push(*from);
                }
            }
        }
        (0..count as u32).find(|number| !good[*number as usize] && counts(*number))
    }

    /// Repeats the way from the start to a state, to collect the labels.
    fn violation(&mut self, what: &'static str, mut number: u32, last: Option<usize>) -> Violation {
        let mut path: Vec<usize> = last.into_iter().collect();
        while number != 0 {
            let (parent, index) = self.parents[number as usize];
            path.push(index.into());
            number = parent;
        }
        path.reverse();
        let mut state = self.setup.initial();
        let mut trace = Vec::new();
        for index in path {
            let mut moves = Vec::new();
            successors(self.setup, &mut self.decision, &state, &mut moves);
            let step = &moves[index];
            state = step.state;
            trace.push(format!("{:45} {}", line(&step.label), brief(&state)));
        }
        Violation { what, trace }
    }
}

/// The label of a claim for which no slot is left.
pub const AT_BOUND: &str = "is at the bound of the model";

/// A state in one line, for a trace. The token numbers are those of the state; they may change from line to line.
fn brief(state: &State) -> String {
    let book = &state.object.book;
    let set = |set: Set| set.iter().map(|token| token.0.to_string()).collect::<String>();
    format!(
        "Secret {} (fence {}), consumers {{{}}}, alive {{{}}}, current {}, superseded {{{}}} over {{{}}}, lost {{{}}}, claim {} {:?} {:?}",
        state.secret.data.0,
        state.secret.fence,
        set(state.holders),
        set(state.alive),
        book.current.0,
        set(book.superseded),
        set(book.over),
        set(book.lost),
        book.claim.0,
        book.fate,
        book.age,
    ) + &swept(state)
        + &by_hand(state)
}

/// The same of what people do by hand: values in angle brackets.
fn by_hand(state: &State) -> String {
    let (hand, deals) = (&state.hand, &state.facts.deals);
    if !deals.by_hand {
        return String::new();
    }
    let set = |set: Set| set.iter().map(|value| value.0.to_string()).collect::<String>();
    format!(
        ", offered <{}>, kept {{{}}}, values of 0..: {:?}, attempts {:?}, living <{}>, lost <{}>",
        deals.brought(hand.offer).0,
        set(hand.companion),
        deals.values.map(|value| value.0),
        state.facts.attempts,
        set(hand.living),
        set(hand.lost),
    )
}

/// The same of the sweep of the service, and of the list.
fn swept(state: &State) -> String {
    let sweep = &state.sweep;
    let set = |set: Set| set.iter().map(|token| token.0.to_string()).collect::<String>();
    let fails = if state.list_fails { ", the list fails" } else { "" };
    if sweep.at == SweepAt::Idle && sweep.orphans.is_empty() {
        return fails.to_owned();
    }
    format!(
        "{fails}, sweep {:?} {{{}}} orphans {{{}}} over {{{}}}",
        sweep.at,
        set(sweep.rows),
        set(sweep.orphans),
        set(sweep.over)
    )
}

fn line(label: &Label) -> String {
    let who = label.who.map_or("-".to_owned(), |who| format!("p{who}"));
    format!("{who} {} {}", label.what, label.number)
}

/// All transitions out of a state, each in its canonical form.
fn successors(setup: &Setup, decision: &mut Decision, state: &State, moves: &mut Vec<Move>) {
    environment::moves(setup, state, moves);
    service_sweep::moves(setup, state, moves);
    for index in 0..setup.processes {
        process::moves(setup, decision, state, index, moves);
    }
    for step in moves.iter_mut() {
        canonical::canonical(&mut step.state, setup);
    }
}
