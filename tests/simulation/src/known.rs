//! Faults that the product has today, each as the smallest plan that shows it.
//!
//! Random lives would find them again and again. So a random life never has all kinds of one of a fault's `combinations`, and what has a
//! fault's law and its `words` is counted as that fault. Nothing is hidden by that: a test proves that each of them still breaks its
//! law. Whoever mends the product takes the entry out, and puts its plan among the regressions.

use crate::act::{Act, Kind};
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
pub const KNOWN: &[Known] = &[Known {
    name: "a while in which the service refuses all tokens has every token replaced, again and again",
    law: "tokens",
    words: None,
    plan: || Plan::quiet(1, 8, 90_000).with(100, Act::RefuseTokens(89_000)),
    combinations: &[&[Kind::RefuseTokens]],
}];

/// Whether a complaint is about a fault that is known.
pub fn is_known(law: &str, how: &str) -> bool {
    KNOWN.iter().any(|known| known.law == law && known.words.is_some_and(|words| how.contains(words)))
}
