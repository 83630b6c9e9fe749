//! Figures that a run measures, for people who read its output.

use std::io::Write as _;

/// Prints one line, also when the test passes: the harness then hides the output of `println!`.
pub fn figure(line: &str) {
    // In one write, so that other tests do not write into the middle of it.
    let printed = std::io::stdout().write_all(format!("figure: {line}\n").as_bytes());
    printed.expect("write to the standard output");
}
