//! The kinds as a real API server takes them: every rule and every bound, both ways; defaults; `kubectl`.
//!
//! Rules are a table in `rules.rs`. Bounds are probed from the generated schema itself (`bounds.rs`), so a new bound is
//! tested as soon as it is written, and a rule without a row fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bases;
mod bounds;
mod defaults;
mod formats;
mod kubectl;
mod rules;
mod samples;
mod schema;
mod updates;
mod world;
