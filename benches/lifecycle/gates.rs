//! The counts that a work must have, for each object.

use crate::measure::Counts;
use crate::options::Work;
use crate::report::Row;

/// The service's verifications of a rotation: the new token is tried, and verified where it stands; the old one is asked about, and then
/// proved dead.
const ROTATION_VERIFIES: u64 = 4;
/// Those of a deletion: the token is asked about, and then proved dead.
const DELETION_VERIFIES: u64 = 2;

/// What all objects together must cost, but for events, of which each has at most one, and for telling that they wait.
fn expected(work: Work, objects: usize) -> Option<Counts> {
    let (n, calls) = (objects, objects as u64);
    match work {
        Work::Issue => Some(Counts { writes: 3 * n, dry_runs: n, generate: calls, verify: calls, ..Counts::default() }),
        Work::Rotate => Some(Counts {
            writes: 4 * n,
            dry_runs: n,
            reads: n,
            generate: calls,
            verify: ROTATION_VERIFIES * calls,
            revoke: calls,
            ..Counts::default()
        }),
        Work::Delete => Some(Counts {
            writes: 2 * n,
            reads: n,
            verify: DELETION_VERIFIES * calls,
            revoke: calls,
            ..Counts::default()
        }),
        Work::Restart => Some(Counts::default()),
        Work::Raw | Work::Services => None,
    }
}

/// What is wrong with the counts of a row.
pub fn wrong(row: &Row) -> Vec<String> {
    let Some(expected) = expected(row.work, row.objects) else { return Vec::new() };
    let found = row.cost.counts;
    let mut wrong = Vec::new();
    let mut check = |what: &str, found: u64, least: u64, most: u64| {
        if !(least..=most).contains(&found) {
            let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
            wrong.push(format!("{}: {found} {what} instead of {wanted}", row.name));
        }
    };
    let mut exact = |what: &str, found: u64, expected: u64| check(what, found, expected, expected);
    // Where many objects come at once, some wait long enough for their turn to tell it: with one write each.
    exact("writes", found.writes as u64, (expected.writes + row.waits) as u64);
    exact("reads", found.reads as u64, expected.reads as u64);
    exact("dry-runs", found.dry_runs as u64, expected.dry_runs as u64);
    exact("calls of generate", found.generate, expected.generate);
    exact("calls of verify", found.verify, expected.verify);
    exact("calls of list", found.list, expected.list);
    exact("calls of revoke", found.revoke, expected.revoke);
    check("events", found.events as u64, 0, row.objects as u64);
    check("writes that tell of a wait", row.waits as u64, 0, row.objects as u64);
    wrong
}
