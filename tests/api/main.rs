//! The kinds at a real API server: every rule and every bound, kept and broken; defaults; `kubectl`.
//!
//! `rules.rs` is a table of the rules; a rule without a row fails. `bounds.rs` reads the bounds from the generated schema, so it
//! tests a new bound as soon as somebody writes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bases;
mod bounds;
mod defaults;
mod documents;
mod formats;
mod kubectl;
mod rules;
mod samples;
mod schema;
mod updates;
mod world;
