//! Prepares the slow parts that the tests need, so that this can run beside the Rust build:
//! `cargo run -p testbed --bin prepare -- [--verdaccio]`.

use anyhow::{Result, bail};
use testbed::parts::{self, Part};
use testbed::{promtool, verdaccio};

fn main() -> Result<()> {
    let mut with_verdaccio = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--verdaccio" => with_verdaccio = true,
            other => bail!("unknown argument {other}; known: --verdaccio"),
        }
    }
    let parts = parts::ensure(&Part::ALL)?;
    for part in Part::ALL {
        println!("{}: {}", part.name(), parts.path(part)?.display());
    }
    println!("promtool: {}", promtool::ensure()?.display());
    if with_verdaccio {
        println!("verdaccio: {}", verdaccio::ensure()?.display());
    }
    Ok(())
}
