//! Writes the custom resource definitions into folders: `cargo run --bin crdgen`, or `cargo run --bin crdgen -- FOLDER...`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Where they are kept: for `kubectl apply`, and for the chart, which cannot reach files outside of its folder.
const FOLDERS: [&str; 2] = ["crds", "charts/artifact-token-operator/files/crds"];

fn main() -> anyhow::Result<()> {
    let chosen: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let folders = if chosen.is_empty() { FOLDERS.map(PathBuf::from).to_vec() } else { chosen };
    folders.iter().try_for_each(|folder| write(folder))
}

fn write(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for crd in artifact_token_operator::api::crds() {
        let path = folder.join(format!("{}.yaml", crd.spec.names.plural));
        let text = serde_saphyr::to_string(&crd).context("write YAML")?;
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
