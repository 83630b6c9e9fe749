//! The pure part: what to do next, given what is wished and what was seen.
//!
//! Nothing here knows a clock, a network or a Kubernetes client; time is a parameter. Read `plan` first: its table is
//! the whole decision. `ledger` holds the transitions of the status, `desired` the checked wish, `observed` what a pass
//! saw, `identity` the names that tokens carry at the service, `schedule` when something is due, `report` what is told to
//! people. `service_sweep` says whose the tokens of a service are, `service_review` whether its refusals count.

pub mod desired;
pub mod identity;
pub mod ledger;
pub mod observed;
pub mod plan;
pub mod report;
pub mod schedule;
pub mod service_review;
pub mod service_sweep;
