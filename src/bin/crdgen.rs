//! Writes the custom resource definitions into a folder: `cargo run --bin crdgen -- crds`.

use std::path::PathBuf;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "crds".to_owned()));
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    for crd in artifact_token_operator::api::crds() {
        let path = folder.join(format!("{}.yaml", crd.spec.names.plural));
        let text = serde_saphyr::to_string(&crd).context("write YAML")?;
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
