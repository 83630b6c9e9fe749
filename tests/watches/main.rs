//! Faults of the API server and of its store, below the real operator: nothing is lost, and nothing that somebody needs is
//! killed.
//!
//! | module | what happens |
//! |---|---|
//! | `cloned` | the store is copied to another control plane, and both go on |
//! | `restarts` | the API server ends and comes back, stands still, or comes back late |
//! | `compaction` | the store forgets the versions that a cut watch would go on from |
//! | `outlived` | a service object goes while its watch is down and a check of it is under way |
//! | `proxied` | watches are refused, events dropped and doubled, requests turned away, by a proxy in between |
//! | `restored` | the store is put back to an earlier state: resourceVersions go back, and what happened since did not |
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
