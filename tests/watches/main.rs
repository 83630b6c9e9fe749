//! Faults of the API server and of its store, with the real operator: no token is lost, and no token that somebody needs is
//! revoked.
//!
//! | module | what happens |
//! |---|---|
//! | `cloned` | the store is copied to another control plane, and both control planes run on |
//! | `restarts` | the API server ends and comes back, stands still, or comes back late |
//! | `compaction` | the store forgets the versions that a cut watch would go on from |
//! | `outlived` | a service object is deleted while its watch is down and a check of it runs |
//! | `proxied` | a proxy in between refuses watches, drops and doubles events, and turns requests away |
//! | `restored` | the store is put back to an earlier state: resourceVersions go back, and later changes never happened |
//!
//! Each test has a control plane of its own; two run side by side.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cloned;
mod compaction;
mod consumers;
mod outlived;
mod own_plane;
mod proxied;
mod restarts;
mod restored;
