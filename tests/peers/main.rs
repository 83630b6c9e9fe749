//! The faults that other operators stumble over, one test each. Each prints a figure that can be compared with theirs.
//!
//! | module | the fault |
//! |---|---|
//! | `unknown` | the answer to *generate* is lost, unreadable, or 500, for half a minute |
//! | `refused` | the service refuses the operator's credential, or asks it to wait |
//! | `by_hand` | a label is put on the object, its Secret deleted, a key added to it |
//! | `ended` | the operator is asked to stop, or killed, with its hands full |
//! | `owed` | tokens cannot be revoked |
//! | `fleet` | many objects at once: what is done to them, and what is counted |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod by_hand;
mod fleet;
mod ended;
mod owed;
mod refused;
mod unknown;
