//! `kubectl artifact-token` as people see it: what they type and what comes back, with a real kubectl, API server and operator.
//!
//! | module | what it has |
//! |---|---|
//! | `session` | a person at a shell, whose transcript is compared with a file of `transcripts/` |
//! | `acts` | rotate, verify, suspend, revoke: with an operator, and with none that leads |
//! | `views` | status, list, orphans, completion |
//! | `doctor` | what the doctor finds |
//! | `lease` | who may list no Leases |
//! | `terminal` | a pseudo-terminal: the question before a revoke, colours |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acts;
mod doctor;
mod lease;
mod session;
mod terminal;
mod views;
