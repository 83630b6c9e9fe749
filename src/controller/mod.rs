//! The Kubernetes side: it observes, asks `rotation::plan` for the next step, performs it, records it, and asks again.
//!
//! **Invariant:** nothing here decides. A pass holds what it saw and did (`pass`); what must outlive it in this process, and
//! may be lost with it, is in `memory`; what must survive the process is in the object's status.

pub mod admin;
pub mod allowed;
pub mod census;
pub mod clock;
pub mod context;
pub mod events;
pub mod finalizer_time;
pub mod known_secret;
pub mod memories;
pub mod memory;
pub mod observe;
pub mod pass;
pub mod perform;
pub mod references;
pub mod run;
pub mod secret_index;
pub mod service_check;
pub mod service_load;
pub mod service_object;
pub mod service_sweep;
pub mod service_watch;
pub mod services;
pub mod watches;
pub mod wish;
