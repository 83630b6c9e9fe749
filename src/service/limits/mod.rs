//! How often the operator may call one service, by how many passes at a time, and who comes first.
//!
//! Waiting for the limit is not a failure. A caller that cannot go now gets a place in a queue and is told when to come back; its place
//! stays until then. So nobody competes for a place again, and nothing needs to be tried with a growing pause.

mod places;
mod queue;
mod rate_limit;
mod retry_after;
mod room;

pub use places::Places;
pub use queue::Caller;
pub use rate_limit::RateLimit;
pub use retry_after::{http_date, rate_limit_reset, retry_after};
pub use room::{PASSES, Room};

#[cfg(test)]
mod tests;
