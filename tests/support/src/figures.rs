//! Figures that a run measured, for whoever reads its output.

use std::io::Write as _;

/// Prints one line, also where the test passes: the harness keeps what `println!` prints to itself then.
pub fn figure(line: &str) {
    // In one piece, so that tests beside this one do not write into it.
    let printed = std::io::stdout().write_all(format!("figure: {line}\n").as_bytes());
    printed.expect("write to the standard output");
}
