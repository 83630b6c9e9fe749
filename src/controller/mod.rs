//! The Kubernetes side: it observes, asks `rotation::plan` for the next step, performs it, records it, and asks again.
//!
//! **Invariant:** nothing here decides. A pass holds what it saw and did (`token::pass`). `token::memory` holds what must
//! outlive the pass but may be lost with the process. The object's status holds what must survive the process.

#![warn(unreachable_pub)]

pub(crate) mod admin;
pub(crate) mod clock;
pub(crate) mod election;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod finalizer_time;
pub(crate) mod leadership;
pub(crate) mod live_tokens;
pub(crate) mod objects;
pub(crate) mod pass_backoff;
pub(crate) mod permission;
pub(crate) mod registry;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod shared;
mod spread;
pub(crate) mod token;
pub(crate) mod uninstall_check;
pub(crate) mod value_digest;
pub(crate) mod watch;
pub(crate) mod worker;
pub(crate) mod world;
