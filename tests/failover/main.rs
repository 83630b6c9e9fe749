//! Two operators as processes that elect a leader: how long nobody leads when the leader ends, is killed or sleeps, and what that
//! costs at the service.
//!
//! | module | what it has |
//! |---|---|
//! | `pair` | a world with two operators, and who holds the Lease from when on |
//! | `ends` | the leader is asked to end, or killed |
//! | `sleepers` | the leader sleeps past its lease, at each call of a rotation |
//! | `probes` | a standby, and operators that may not write the Lease |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ends;
mod pair;
mod probes;
mod sleepers;
