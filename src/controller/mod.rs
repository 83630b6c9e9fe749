//! The Kubernetes side: it observes, asks `rotation::plan` for the next step, performs it, records it, and asks again.
//!
//! **Invariant:** nothing here decides. A pass holds what it saw and did (`token::pass`); what must outlive it in this process,
//! and may be lost with it, is in `token::memory`; what must survive the process is in the object's status.

#![warn(unreachable_pub)]

pub(crate) mod admin;
pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod finalizer_time;
pub(crate) mod pass_backoff;
pub(crate) mod permission;
pub(crate) mod registry;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod token;
pub(crate) mod watch;
pub(crate) mod worker;
