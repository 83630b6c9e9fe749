//! Whether anything held up what was due for an object at some time.

use std::time::Duration;

use crate::act::Act;
use crate::life::Life;

/// How long a call of an object that failed holds it up: up to the next try, within an hour (S7), and that takes some minutes. A call may
/// itself be late by some minutes.
const FAILED_CALL: Duration = Duration::from_secs(3600 + 1200);

/// Whether anything but the acts of these numbers was in the way of this object at any time in between.
pub fn hindered(life: &Life, index: usize, but: &[usize], from: Duration, to: Duration) -> bool {
    let overlaps = |begun: Duration, lasts: Duration| begun <= to && begun.saturating_add(lasts) >= from;
    let act = |(number, (at, act)): (usize, &(Duration, Act))| {
        let lasts = act.holds_up();
        !but.contains(&number)
            && !lasts.is_zero()
            && act.about().concerns(index, life.plan.layout)
            && overlaps(*at, lasts.saturating_add(slept_since(life, number)))
    };
    let met = life.around.world.faults.met();
    // Who dies of a fault leaves all its work, whichever object it was about.
    let failed = met
        .iter()
        .any(|(at, fault)| (fault.of.is_none_or(|of| of == index) || fault.fate.kills()) && overlaps(*at, FAILED_CALL));
    failed || life.facts.done.iter().enumerate().any(act)
}

/// How long machines were suspended after this act: what lasts for a while lasts so much longer, as the world's clock sees it.
fn slept_since(life: &Life, number: usize) -> Duration {
    let seconds = |(_, act): &(Duration, Act)| if let Act::Sleep(seconds) = act { u64::from(*seconds) } else { 0 };
    Duration::from_secs(life.facts.done[number + 1..].iter().map(seconds).sum())
}
