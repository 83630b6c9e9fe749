//! What an older version wrote costs no token when this version takes over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod record;
mod scene;
mod template;
