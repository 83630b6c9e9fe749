//! What the documents give to Argo CD and Flux, in a Lua interpreter and a CEL evaluator, over what the operator writes into conditions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod argo_cd;
mod flux;
mod situations;

use serde_json::Value;

/// The page, from the package's folder on.
const PAGE: &str = "docs/how-to/gitops.md";

/// The object of this kind and name among the YAML blocks of the page.
fn documented(kind: &str, name: &str) -> Value {
    let page = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    let mut objects = blocks.map(|block| serde_saphyr::from_str::<Value>(block).unwrap());
    let wanted = |object: &Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.find(wanted).unwrap_or_else(|| panic!("{PAGE} has no {kind} {name}"))
}
