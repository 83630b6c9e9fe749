//! The images of the node: that of a release, and one with a shell and small tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testbed::folder::{RunFolder, target_directory};
use testbed::{node, progress};

/// The image's programs.
const PROGRAMS: [&str; 2] = ["artifact-token-operator", "reference-service"];

/// OCI archives, which go with their folder.
pub struct Images {
    folder: RunFolder,
}

impl Images {
    /// Builds both. The operator's gets the name that the chart gives it by default, so that the node has it already.
    pub fn build(name: &str) -> Self {
        let images = Self { folder: RunFolder::create("node-images").unwrap() };
        let release = release();
        let [operator, service] = PROGRAMS.map(|program| release.join(program));
        images.run("image/root", &[&images.file("operator"), &operator, &service]);
        images.run("image/archive", &[&images.file("operator"), &images.file("operator.tar"), Path::new(name)]);

        let packages = node::packages().unwrap();
        let places = ["bin", "usr/bin"].map(|folder| packages.join(folder).join("busybox"));
        let busybox = places.iter().find(|path| path.is_file()).expect("the package busybox-static has busybox");
        let tools = images.file("tools");
        fs::create_dir_all(tools.join("bin")).unwrap();
        // Under each name it is that tool.
        for name in ["busybox", "sleep", "wc"] {
            fs::copy(busybox, tools.join("bin").join(name)).unwrap();
        }
        let settings = root().join("tests/node/Containerfile");
        images.run("image/archive", &[&tools, &images.file("tools.tar"), Path::new(node::SANDBOX), &settings]);
        images
    }

    pub fn archives(&self) -> Vec<PathBuf> {
        vec![self.file("operator.tar"), self.file("tools.tar")]
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    fn run(&self, script: &str, arguments: &[&Path]) {
        let mut command = Command::new(root().join(script));
        progress::run(script, command.args(arguments), &self.file("build.log")).unwrap();
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with the programs of a release, which `tests/run` builds before.
fn release() -> PathBuf {
    let folder = target_directory().join("release");
    let built = PROGRAMS.iter().all(|program| folder.join(program).is_file());
    assert!(built, "{} has no programs: tests/run node builds them", folder.display());
    folder
}
