//! Creates objects in a cluster.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::poll;
use crate::random::random_hex;

/// The field manager of everything this crate applies.
pub const FIELD_MANAGER: &str = "testbed";
/// Limit for a CRD to be served: about a second.
const SERVED_DEADLINE: Duration = Duration::from_secs(60);

/// Creates a namespace with a unique name that begins with `prefix`.
pub async fn namespace(client: &Client, prefix: &str) -> Result<String> {
    let name = format!("{prefix}-{}", random_hex(4)?);
    let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let created = Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await;
    created.with_context(|| format!("create the namespace {name}"))?;
    Ok(name)
}

/// Applies every document of `yaml`, in order, by server-side apply. Returns the objects as the server has them.
///
/// Namespaced objects go to the namespace they name, else to `namespace`. Conflicts with other field managers are an
/// error. Each document costs one discovery request in addition to its own.
pub async fn apply(client: &Client, yaml: &str, namespace: &str) -> Result<Vec<DynamicObject>> {
    apply_with(client, yaml, namespace, &PatchParams::apply(FIELD_MANAGER)).await
}

/// The same as a dry run on the server: everything is checked, nothing is stored.
pub async fn dry_run(client: &Client, yaml: &str, namespace: &str) -> Result<Vec<DynamicObject>> {
    apply_with(client, yaml, namespace, &PatchParams::apply(FIELD_MANAGER).dry_run().validation_strict()).await
}

async fn apply_with(client: &Client, yaml: &str, namespace: &str, params: &PatchParams) -> Result<Vec<DynamicObject>> {
    let mut applied = Vec::new();
    for document in documents(yaml)? {
        let object = parse(document)?;
        let name = format!("{} {}", kind(&object), object.metadata.name.as_deref().unwrap_or("without a name"));
        let done = apply_one(client, &object, namespace, params).await;
        applied.push(done.with_context(|| format!("apply {name}"))?);
    }
    Ok(applied)
}

/// Applies every `.yaml` file of `folder` and waits until the CRDs in them are served.
pub async fn apply_crds(client: &Client, folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut definitions = Vec::new();
    for file in files {
        let yaml = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let applied = apply(client, &yaml, "default").await.with_context(|| file.display().to_string())?;
        definitions.extend(applied.into_iter().filter(|object| kind(object) == "CustomResourceDefinition"));
    }
    // Waits for all of them at the end: each one takes about as long as all together.
    for definition in definitions {
        wait_until_served(client, &definition).await?;
    }
    Ok(())
}

/// Waits until the server lists the objects of a CRD.
async fn wait_until_served(client: &Client, definition: &DynamicObject) -> Result<()> {
    let name = definition.metadata.name.clone().unwrap_or_default();
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let definitions: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    let look = || async {
        let seen = definitions.get(&name).await.map_err(|error| error.to_string())?;
        let conditions = seen.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let holds = |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
        if conditions.iter().any(holds) { Ok(()) } else { Err(Value::Array(conditions).to_string()) }
    };
    poll(&format!("the CRD {name} to be established"), SERVED_DEADLINE, look).await?;
    // The condition comes before the handler: a list right after it can still be a 404.
    let spec = &definition.data["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = GroupVersionKind::gvk(&text(&spec["group"]), &text(&spec["versions"][0]["name"]), "");
    let resource = ApiResource::from_gvk_with_plural(&kind, &text(&spec["names"]["plural"]));
    let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let look = || async {
        let listed = objects.list(&ListParams::default().limit(1)).await;
        listed.map(drop).map_err(|error| error.to_string())
    };
    poll(&format!("{name} to be served"), SERVED_DEADLINE, look).await
}

async fn apply_one(
    client: &Client,
    object: &DynamicObject,
    namespace: &str,
    params: &PatchParams,
) -> Result<DynamicObject> {
    let types = object.types.as_ref().ok_or_else(|| anyhow!("no apiVersion and kind"))?;
    let name = object.metadata.name.as_deref().ok_or_else(|| anyhow!("no metadata.name"))?;
    let kind = GroupVersionKind::try_from(types).context("parse apiVersion")?;
    let (resource, capabilities) = pinned_kind(client, &kind).await.context("look the kind up")?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    Ok(api.patch(name, params, &Patch::Apply(object)).await?)
}

/// The documents of a YAML text that are not empty.
fn documents(yaml: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).context("parse YAML")?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Reads an object. It also reads an object without metadata, so that the error is about the missing name.
fn parse(mut document: Value) -> Result<DynamicObject> {
    if let Some(fields) = document.as_object_mut() {
        fields.entry("metadata").or_insert_with(|| json!({}));
    }
    serde_json::from_value(document).context("read an object")
}

fn kind(object: &DynamicObject) -> &str {
    object.types.as_ref().map_or("object", |types| &types.kind)
}
