//! The workflows that test a change and make a release.

use std::path::Path;
use std::process::Command;

use testbed::parts::{self, Part};

use crate::run;

#[test]
fn the_workflows_are_what_they_can_be() {
    let parts = parts::ensure(&[Part::Actionlint]).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    run(Command::new(parts.path(Part::Actionlint).unwrap()).current_dir(root));
}
