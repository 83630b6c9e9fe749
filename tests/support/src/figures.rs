//! Figures that a run measures, for people who read its output.

use std::io::Write as _;

/// Prints one line, also when the test passes: the harness then hides the output of `println!`.
pub fn figure(line: &str) {
    print(&format!("figure: {line}\n"));
}

/// Prints how many of the rules that a test broke on purpose it found to be broken.
pub fn mutations(found: usize, of: usize) {
    print(&format!("mutations: {found} of {of} broken rules were found\n"));
}

/// In one write, so that other tests do not write into the middle of it.
fn print(line: &str) {
    let printed = std::io::stdout().write_all(line.as_bytes());
    printed.expect("write to the standard output");
}
