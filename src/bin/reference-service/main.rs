//! A small but real token service, for the quick start, the tests and the benchmarks.
//!
//! It issues, lists, verifies and revokes tokens as a real service does: it has a real store, shows
//! a value once and keeps only its hash, refuses a revoked token, and keeps its books across a
//! restart. (Its *books* are the records of all tokens that it ever issued.) A second listener, on
//! loopback only, shows the books and switches faults on, so that a test can assert which tokens
//! live at the service instead of which calls were made.
//!
//! | file | what |
//! |---|---|
//! | `api.rs` | the routes of the service |
//! | `appetize.rs` | the API tokens of Appetize, as that service has them |
//! | `seal.rs`, `akinon.rs`, `pages.rs` | the pages of Seal and Akinon, where people make tokens |
//! | `control.rs` | the routes of the books and the switches |
//! | `call.rs` | one call: who asks, which faults hit, the effect, the answer, the log |
//! | `books.rs`, `token.rs`, `settings.rs` | every token ever issued, and the rules |
//! | `store.rs` | the books on disk |
//! | `faults.rs`, `answer.rs`, `connection.rs` | what goes wrong, and how it reaches the client |
//!
//! **Invariant:** no token value and no admin key is stored or logged, or shown after it was created, but for the last four
//! characters, and the keys of Akinon, which that service shows for ever.

mod akinon;
mod answer;
mod api;
mod appetize;
mod books;
mod call;
mod calls;
mod connection;
mod control;
mod faults;
mod pages;
mod seal;
mod server;
mod settings;
mod store;
mod token;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

use std::io::Write;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::server::Options;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // Before the ready line, so that a signal that comes right after that line is not missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = server::start(&options).await?;
    announce(&running)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.stop().await
}

/// Prints one line, from which a parent process learns the ports.
fn announce(running: &server::Running) -> anyhow::Result<()> {
    let line = serde_json::json!({
        "address": running.address.to_string(),
        "control": running.control_address.to_string(),
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}
