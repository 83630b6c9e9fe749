//! Every object of the examples and of the documents is one that a real API server takes: rules, bounds and defaults included.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::discovery::{Discovery, Scope};
use serde_json::{Value, json};

use crate::world::world;

/// A block that begins like this is the file of a tool and no object.
const FILE_OF_A_TOOL: &str = "# File: ";

#[tokio::test]
async fn the_api_server_takes_every_object_of_the_examples_and_the_documents() {
    let world = world().await;
    // A controller manager would make it; without it no pod is taken.
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\n";
    testbed::cluster::apply(&world.client, account, &world.namespace).await.unwrap();
    let discovery = Discovery::new(world.client.clone()).run().await.unwrap();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let (mut taken, mut refused) = (BTreeMap::<String, usize>::new(), Vec::new());
    for (place, mut object) in objects() {
        let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let (group, version) = version.split_once('/').unwrap_or(("", version.as_str()));
        // Objects of other projects have no kind here; the test of their files knows them.
        let Some((resource, able)) = discovery.resolve_gvk(&GroupVersionKind::gvk(group, version, &kind)) else {
            continue;
        };
        // The page's namespaces do not exist here, and no two of its objects meet.
        let metadata = object.as_object_mut().unwrap().entry("metadata").or_insert_with(|| json!({}));
        metadata.as_object_mut().unwrap().remove("namespace");
        if metadata.get("name").is_none() {
            // The template of a pod that a tool names.
            metadata["generateName"] = json!("document-");
        }
        let api = api(&world.client, &world.namespace, &resource, able.scope == Scope::Namespaced);
        match api.create(&params, &serde_json::from_value(object).unwrap()).await {
            Ok(_) => *taken.entry(kind).or_default() += 1,
            // A Namespace or a role that every cluster has.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => refused.push(format!("{place}: {kind}: {error}")),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(taken["ArtifactToken"] > 10 && taken["TokenService"] > 5 && taken["Pod"] > 0, "{taken:?}");
}

fn api(client: &kube::Client, namespace: &str, resource: &ApiResource, namespaced: bool) -> Api<DynamicObject> {
    if namespaced {
        Api::namespaced_with(client.clone(), namespace, resource)
    } else {
        Api::all_with(client.clone(), resource)
    }
}

/// All objects, each with the place where it stands.
fn objects() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut objects = Vec::new();
    let mut folders = vec![root.join("docs"), root.join("examples"), root.join("README.md")];
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let place = path.strip_prefix(root).unwrap().display().to_string();
        let blocks = match path.extension().and_then(|end| end.to_str()) {
            Some("md") => blocks(&fs::read_to_string(&path).unwrap()),
            Some("yaml") => vec![fs::read_to_string(&path).unwrap()],
            _ => Vec::new(),
        };
        for block in blocks.iter().filter(|block| !block.starts_with(FILE_OF_A_TOOL)) {
            let documents: Vec<Value> =
                serde_saphyr::from_multiple(block).unwrap_or_else(|error| panic!("{place}: {error}"));
            objects
                .extend(documents.into_iter().filter(|object| !object.is_null()).map(|object| (place.clone(), object)));
        }
    }
    objects
}

/// The fenced blocks that say `yaml`.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim_start().starts_with("```yaml") {
            let block = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```"));
            blocks.push(block.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect());
        }
    }
    blocks
}
