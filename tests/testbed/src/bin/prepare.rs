//! Prepares the slow parts that the tests need, so that this can run beside the Rust build:
//! `cargo run -p testbed --bin prepare -- [--verdaccio] [--node] [--oldest]`.

use anyhow::{Result, bail};
use testbed::parts::{self, Part};
use testbed::{node, promtool, verdaccio};

fn main() -> Result<()> {
    let (mut with_verdaccio, mut with_node, mut with_oldest) = (false, false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--verdaccio" => with_verdaccio = true,
            "--node" => with_node = true,
            "--oldest" => with_oldest = true,
            other => bail!("unknown argument {other}; known: --verdaccio, --node, --oldest"),
        }
    }
    build(&Part::EVERY_RUN)?;
    println!("promtool: {}", promtool::ensure()?.display());
    if with_verdaccio {
        println!("verdaccio: {}", verdaccio::ensure()?.display());
    }
    if with_node {
        build(&Part::NODE)?;
        println!("packages of a node: {}", node::packages()?.display());
    }
    if with_oldest {
        println!("oldest supported control plane: {}", parts::ensure_oldest()?.display());
    }
    Ok(())
}

fn build(wanted: &[Part]) -> Result<()> {
    let parts = parts::ensure(wanted)?;
    for part in wanted {
        println!("{}: {}", part.name(), parts.path(*part)?.display());
    }
    Ok(())
}
