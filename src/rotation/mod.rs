//! The pure part: what to do next, given what the spec asks for and what was seen.
//!
//! Nothing here knows a clock, a network or a Kubernetes client; time is a parameter. Read `plan` first: its table is
//! the whole decision. `ledger` holds the transitions of the status, `desired` the checked spec, `observed` what a pass
//! saw, `identity` the names that tokens carry at the service, `schedule` when something is due, `report` the conditions
//! that people read. `service_sweep` says which object each token of a service belongs to, `service_answers` whether the
//! refusals of a service count, `service_health` whether its operations work, `proof` what a list says of a token that is to die,
//! `patience` how long a service must say the same where nothing else shows it, `renamed` whether it keeps the names, `survivors` what may
//! live when an object is let go. `urgency` is the order of calls in the queue of a service, `telling` how often a status is written that
//! changes no fact, `now` which of several clocks counts for what,
//! `step_kind` whether a failure still matters, `words` the sentences that events share, `hand_over` what people
//! are told to do by hand, `unneeded` whether anybody still needs a superseded token.

pub mod desired;
pub mod hand_over;
pub mod identity;
pub mod ledger;
pub mod now;
pub mod observed;
pub mod patience;
pub mod plan;
pub mod proof;
pub mod renamed;
pub mod report;
pub mod schedule;
pub mod service_answers;
pub mod service_health;
pub mod service_sweep;
pub mod step_kind;
pub mod survivors;
pub mod telling;
pub mod unneeded;
pub mod urgency;
pub mod words;
