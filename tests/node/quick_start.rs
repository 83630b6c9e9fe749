//! The quick start of the documents, line by line, as a new user would type it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use support::binary;
use support::documents::blocks;
use support::figures::figure;
use testbed::node;
use testbed::parts::{self, Part};

use crate::cluster::Cluster;

const PAGE: &str = "docs/tutorials/quick-start.md";

/// What is another thing on the node than for a user: the plugin is built, and no registry can be reached.
const INSTEAD: [(&str, &str); 3] = [
    ("cargo install --path . --bin kubectl-artifact_token", ":"),
    ("--set image.repository=REGISTRY/artifact-token-operator ", ""),
    ("busybox:1.37", node::SANDBOX),
];

/// Runs all its commands in one shell, in their order, each with the files that the page shows before it.
pub async fn follow(cluster: &Cluster) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = cluster.node.folder().join("quick-start");
    fs::create_dir(&folder).unwrap();
    symlink(root.join("charts"), folder.join("charts")).unwrap();
    let mut page = fs::read_to_string(root.join(PAGE)).unwrap();
    for (user, here) in INSTEAD {
        assert!(page.contains(user), "{PAGE} has no {user:?} any more");
        page = page.replace(user, here);
    }
    let commands = commands(&page, &folder);
    assert!(commands.len() > 15, "{commands:#?}");

    let parts = parts::ensure(&[Part::Helm, Part::Kubectl]).unwrap();
    let programs =
        [parts.path(Part::Helm).unwrap(), parts.path(Part::Kubectl).unwrap(), &binary("kubectl-artifact_token")];
    let path: Vec<String> = programs.iter().map(|program| program.parent().unwrap().display().to_string()).collect();
    let setting = format!("cd {}; export PATH={}:$PATH HOME=$PWD", folder.display(), path.join(":"));
    let script = format!("set -euxo pipefail\nexec 2>&1\n{setting}\n{}\n", commands.join("\n"));
    let mut shell = cluster.node.command("bash");
    shell.args(["-c", &script]);
    let said = cluster.node.run(shell).await.unwrap_or_else(|error| panic!("{PAGE}: {error:#}"));
    for sign in [
        "you may create deployments",
        "pod/build (volume)",
        "rotated: attempt 2",
        "is dead",
        "artifacttoken_ready_status",
    ] {
        assert!(said.contains(sign), "{PAGE}: nothing said {sign:?}:\n{said}");
    }
    figure(&format!("the quick start of the documents: {} commands on a real node", commands.len()));
}

/// The commands of the page. A block of YAML is written into the file that the next `kubectl apply` names.
fn commands(page: &str, folder: &Path) -> Vec<String> {
    let (mut commands, mut yaml) = (Vec::new(), None);
    for block in blocks(page) {
        if block.kind == "yaml" {
            yaml = Some(block.lines.join("\n"));
        }
        for command in block.commands() {
            if let Some(file) = command.strip_prefix("kubectl apply -f ") {
                fs::write(folder.join(file), yaml.take().expect("the page shows the file before")).unwrap();
            }
            commands.push(command);
        }
    }
    commands
}
