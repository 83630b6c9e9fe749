//! Faults that the product has today, each as the smallest plan that shows it.
//!
//! Random lives would find them again and again. So a random life never has all kinds of one of a fault's `combinations`, and what has a
//! fault's law and its `words` is counted as that fault. Nothing is hidden by that: a test proves that each of them still breaks its
//! law. Whoever mends the product takes the entry out, and puts its plan among the regressions.

use crate::act::{Act, Kind};
use crate::fate::{Class, Fate};
use crate::plan::Plan;

/// One of them.
#[derive(Debug)]
pub struct Known {
    /// What is wrong.
    pub name: &'static str,
    /// The law that it breaks.
    pub law: &'static str,
    /// What is in every sentence about it; `None` where the law is broken in other ways, too.
    pub words: Option<&'static str>,
    /// The plan that shows it.
    pub plan: fn() -> Plan,
    /// No random life has all kinds of one of these.
    pub combinations: &'static [&'static [Kind]],
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known {
        name: "a finalizer that somebody takes away is not put back, and the token outlives its object",
        law: "L3",
        words: None,
        plan: || Plan::quiet(1, 1, 600).with(48, Act::Strip(0)),
        combinations: &[&[Kind::Strip]],
    },
    Known {
        name: "two operators that remember different failures overwrite each other's conditions without a pause",
        law: "writes",
        words: None,
        plan: || Plan::quiet(1, 1, 600).with(0, Act::Second(590)).fault(Class::Generate, Some(0), 1, Fate::LostAfter),
        combinations: &[
            &[Kind::Second, Kind::Outage],
            &[Kind::Second, Kind::Throttle],
            &[Kind::Second, Kind::RefuseTokens],
            &[Kind::Second, Kind::WrongCredential],
            &[Kind::Second, Kind::ListFails],
            &[Kind::Second, Kind::SlowGenerate],
            &[Kind::Second, Kind::Limit],
            &[Kind::Second, Kind::Leak],
            &[Kind::Second, Kind::LeakAll],
            &[Kind::Second, Kind::Fault],
        ],
    },
    Known {
        name: "a place in the rate limit that is not free yet counts as a failed revoke",
        law: "warning",
        words: Some("the service's rate limit is used up"),
        plan: || Plan { per_minute: 60, ..Plan::quiet(1, 20, 600).with(500, Act::DeleteAll) },
        combinations: &[],
    },
];

/// Whether a complaint is about a fault that is known.
pub fn is_known(law: &str, how: &str) -> bool {
    KNOWN.iter().any(|known| known.law == law && known.words.is_some_and(|words| how.contains(words)))
}
