//! The decision table rendered over all inputs, and laws that hold over their full cross product.
//!
//! `tests/decisions.txt` shows what `next_step` returns today. `UPDATE_GOLDEN=1 cargo test --test decisions` rewrites it; the review of
//! a change must look at the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod alarms;
mod inputs;
mod laws;
mod ledgers;
mod product;
mod rows;
mod sections;

use std::collections::BTreeSet;
use std::fmt::Write;

use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::observed::Row;
use artifact_token_operator::rotation::plan::{Step, first_match, row_names};

use inputs::{AXES, NOW, steady};
use sections::{SECTIONS, Section};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decisions.txt");

/// A failure shows so many differing lines.
const SHOWN: usize = 12;

const HEAD: &str = "\
# The decision, rendered. Written by `UPDATE_GOLDEN=1 cargo test --test decisions`; never by hand.
#
# Each section is about some rows of the table in src/rotation/plan.rs. Its first line says which inputs are fixed, its second
# names the columns that vary. One line follows for each of their combinations: `inputs -> step`. Every input that a section
# does not name keeps its steady value: a living object with its finalizer; attempt 3 (`current`) verified a day ago and in the
# Secret, which was read live; nothing in flight, nothing listed, no token wanted; a service with named tokens; no verdict, no
# back-off, no dry run, no pause.
#
# Attempt 2 (`old`) is superseded; attempt 4 (`new`) is under way, or attempt 1 where the ledger is empty. `open claim` is
# 10 s old; a claim is settled after 150 s. A pause ends in 5 s, a claim or value in flight has 60 s left unless it is late.
# `other-cluster` is a token that another cluster may have made. `Wait(+5 s)` looks again in 5 s, `Wait` when something changes.
#
# A section begins with the names of the rows that it is about, and ends with those of all rows that match in it.
";

/// A step in one short phrase.
fn phrase(step: &Step) -> String {
    match step {
        Step::Wait(None) => "Wait".to_owned(),
        Step::Wait(Some(until)) => format!("Wait({})", from_now(*until)),
        Step::Halt(halt) => format!("Halt({})", halt.reason),
        Step::TakeTurn(id) => format!("TakeTurn({id})"),
        Step::Revoke { attempt, id } => format!("Revoke({attempt} {id})"),
        Step::Prove { attempt, id } => format!("Prove({attempt} {id})"),
        Step::Keep(ids) => format!("Keep({})", ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        Step::Remind(days) => format!("Remind({days} d)"),
        Step::CreatePlaceholder { fence } => format!("CreatePlaceholder(fence {fence})"),
        Step::RaiseFence { fence } => format!("RaiseFence({fence})"),
        Step::RollBack { fence } => format!("RollBack(fence {fence})"),
        Step::Claim { attempt } => format!("Claim({attempt})"),
        Step::Finalize { claims: true } => "Finalize(claims 1)".to_owned(),
        Step::Finalize { claims: false } => "Finalize".to_owned(),
        Step::RecordConflict(row) => format!("RecordConflict({})", named(row)),
        Step::RecordReplaced(id) => format!("RecordReplaced({id})"),
        Step::RecordLeak { issued_before } => {
            format!("RecordLeak(before {})", issued_before.latest().map_or_else(String::new, from_now))
        }
        Step::Supersede(rows) => format!("Supersede({})", rows.iter().map(named).collect::<Vec<_>>().join(", ")),
        Step::Read
        | Step::Sweep
        | Step::Preflight
        | Step::Generate
        | Step::Try
        | Step::Update
        | Step::GiveUp(_)
        | Step::Verify
        | Step::Decide(_)
        | Step::Abandon
        | Step::ConfirmIdentity
        | Step::Render
        | Step::RecordProbed
        | Step::RecordRefusal
        | Step::ForgetRefusal
        | Step::RecordUnclear(_)
        | Step::ReadOffer
        | Step::Resume
        | Step::DeleteOffer
        | Step::ReadCompanion
        | Step::Reject
        | Step::DeleteSecret
        | Step::Release => format!("{step:?}"),
    }
}

fn named(row: &Row) -> String {
    format!("{} {}", row.attempt, row.id)
}

fn from_now(until: Time) -> String {
    let seconds = until.since(NOW).as_secs();
    match seconds {
        0..7200 => format!("+{seconds} s"),
        7200..172_800 => format!("+{} h", seconds / 3600),
        _ => format!("+{} d", seconds / 86_400),
    }
}

/// The index of an axis, and of a value on it.
fn pick(axis: &str, value: &str) -> (usize, usize) {
    let at = AXES.iter().position(|known| known.name == axis).unwrap_or_else(|| panic!("no axis {axis}"));
    let values = AXES[at].values;
    let pick = values.iter().position(|known| known.0 == value).unwrap_or_else(|| panic!("no {value} on {axis}"));
    (at, pick)
}

/// The columns of a section: each an axis and the values that it takes.
fn columns(section: &Section) -> Vec<(usize, Vec<usize>)> {
    let column = |(axis, values): &(&str, &[&str])| {
        let at = pick(axis, AXES.iter().find(|known| known.name == *axis).unwrap().values[0].0).0;
        let all = (0..AXES[at].values.len()).collect();
        let named: Vec<usize> = values.iter().map(|value| pick(axis, value).1).collect();
        (at, if named.is_empty() { all } else { named })
    };
    section.varied.iter().map(column).collect()
}

/// A section as text, and the rows that match in it.
fn render_section(section: &Section) -> (String, BTreeSet<&'static str>) {
    let columns = columns(section);
    let width = |(at, values): &(usize, Vec<usize>)| {
        let labels = values.iter().map(|pick| AXES[*at].values[*pick].0.len());
        labels.chain([AXES[*at].name.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = columns.iter().map(width).collect();
    let line = |cells: Vec<&str>| {
        let pad = |(cell, width): (&str, &usize)| format!("{cell:width$}");
        cells.into_iter().zip(&widths).map(pad).collect::<Vec<_>>().join(" | ")
    };
    let held: Vec<String> = section.held.iter().map(|(axis, value)| format!("{axis} = {value}")).collect();
    let held = if held.is_empty() { "all else steady".to_owned() } else { held.join(", ") };
    let mut text = format!("\n## {}\n# {held}\n", section.title);
    writeln!(text, "# {}", line(columns.iter().map(|(at, _)| AXES[*at].name).collect()).trim_end()).unwrap();
    let count: usize = columns.iter().map(|(_, values)| values.len()).product();
    let mut matching = BTreeSet::new();
    for index in 0..count {
        let picks = combination(&columns, index);
        let mut all = [0; AXES.len()];
        for (at, value) in section.held.iter().map(|(axis, value)| pick(axis, value)).chain(picks.iter().copied()) {
            all[at] = value;
        }
        let cells = picks.iter().map(|(at, value)| AXES[*at].values[*value].0).collect();
        let (row, step) = decide(&all);
        matching.insert(row);
        writeln!(text, "  {} -> {}", line(cells), phrase(&step)).unwrap();
    }
    let rows: Vec<&str> = row_names().filter(|row| matching.contains(row)).collect();
    writeln!(text, "# rows: {}", rows.join(", ")).unwrap();
    (text, matching)
}

/// The table: all sections.
fn render_table() -> String {
    SECTIONS.iter().map(|section| render_section(section).0).collect()
}

/// The `index`-th combination; the last column varies fastest.
fn combination(columns: &[(usize, Vec<usize>)], mut index: usize) -> Vec<(usize, usize)> {
    let mut picks: Vec<(usize, usize)> = Vec::new();
    for (at, values) in columns.iter().rev() {
        picks.push((*at, values[index % values.len()]));
        index /= values.len();
    }
    picks.reverse();
    picks
}

/// The row that matches one combination, and its step.
fn decide(picks: &[usize; AXES.len()]) -> (&'static str, Step) {
    let mut world = steady();
    for (axis, value) in AXES.iter().zip(picks) {
        axis.values[*value].1(&mut world);
    }
    first_match(&world.desired, &world.observed, NOW)
}

#[test]
fn the_table_is_what_the_golden_file_says() {
    let table = HEAD.to_owned() + &render_table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(FILE, table).unwrap();
    }
    let golden = std::fs::read_to_string(FILE).unwrap_or_default();
    let (was, is): (Vec<&str>, Vec<&str>) = (golden.lines().collect(), table.lines().collect());
    let differs = |at: &usize| was.get(*at) != is.get(*at);
    let show = |at: usize| {
        let text = |lines: &[&str]| lines.get(at).copied().unwrap_or("(no line)").to_owned();
        format!("line {}\n  - {}\n  + {}\n", at + 1, text(&was), text(&is))
    };
    let all: Vec<usize> = (0..was.len().max(is.len())).filter(differs).collect();
    let shown: String = all.iter().take(SHOWN).map(|at| show(*at)).collect();
    assert!(all.is_empty(), "{} lines differ (UPDATE_GOLDEN=1 rewrites {FILE}):\n{shown}", all.len());
}
