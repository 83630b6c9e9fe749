//! The faults that other operators handle badly, one test each. Each test prints a figure to compare with theirs.
//!
//! | module | the fault |
//! |---|---|
//! | `unknown` | the answer to *generate* is lost, unreadable, or 500, for half a minute |
//! | `refused` | the service refuses the operator's credential, or asks it to wait |
//! | `by_hand` | somebody labels the object, deletes its Secret, or adds a key to the Secret |
//! | `ended` | the operator is asked to stop, or killed, in the middle of its work |
//! | `owed` | tokens cannot be revoked |
//!
//! `fleet` has the objects of a test: many at once, with actions and counts for all of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod by_hand;
mod ended;
mod fleet;
mod owed;
mod refused;
mod unknown;
