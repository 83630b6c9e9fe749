//! The file: one service object, and the Secrets and ConfigMaps that stand beside it. Pure.

use artifact_token_operator::api::artifact_token::ServiceKind;
use artifact_token_operator::api::cluster_token_service::ClusterTokenServiceSpec;
use artifact_token_operator::api::token_service::TokenServiceSpec;
use data_encoding::BASE64;
use secrecy::SecretString;
use serde_json::Value;

use super::fields::{typed, unknown};
use crate::end::Usage;

const VERSION: &str = "artifact-token.dev/v1alpha1";
/// What an object may have beside its spec.
const AROUND: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

/// What is in the file. It has values, so it cannot be printed.
pub(super) struct Manifest {
    pub kind: ServiceKind,
    pub name: String,
    pub namespace: Option<String>,
    pub spec: TokenServiceSpec,
    secrets: Vec<Value>,
    maps: Vec<Value>,
}

impl Manifest {
    /// Reads the file.
    ///
    /// # Errors
    /// `Usage` if there is not exactly one service object, else all that is wrong with that object, a line each.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| not_yaml(&error))?;
        let objects: Vec<Value> = documents.into_iter().flat_map(items).collect();
        let of = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
        let kinds = [ServiceKind::TokenService, ServiceKind::ClusterTokenService];
        let services: Vec<(ServiceKind, &Value)> =
            kinds.into_iter().flat_map(|kind| of(name_of(kind)).map(move |object| (kind, object))).collect();
        let (kind, object) = match services.as_slice() {
            [(kind, object)] => (*kind, *object),
            [] => anyhow::bail!(Usage("the file has no TokenService and no ClusterTokenService".to_owned())),
            several => {
                let names =
                    several.iter().map(|(kind, object)| format!("{} {}", name_of(*kind), text_at(object, "name")));
                let names = names.collect::<Vec<_>>().join(", ");
                anyhow::bail!(Usage(format!(
                    "the file has several service objects ({names}): pick one, and put it into a file of its own"
                )));
            }
        };
        let problems = || anyhow::anyhow!("the {} is not as the operator reads it:", name_of(kind));
        let spec = spec(kind, object).map_err(|lines| anyhow::anyhow!("{}\n  {}", problems(), lines.join("\n  ")))?;
        let namespace = object["metadata"]["namespace"].as_str().map(str::to_owned);
        let name = text_at(object, "name");
        let [secrets, maps] = ["Secret", "ConfigMap"].map(|kind| of(kind).cloned().collect());
        Ok(Self { kind, name, namespace, spec, secrets, maps })
    }

    /// The value of a key of a Secret in the file; `None` if there is no such Secret for an object in this namespace.
    ///
    /// # Errors
    /// Why there is no value. The sentence does not show it.
    pub fn credential(&self, secret: &str, key: &str, namespace: Option<&str>) -> Option<Result<SecretString, String>> {
        let object = beside(&self.secrets, secret, namespace)?;
        let plain = &object["stringData"][key];
        let packed = &object["data"][key];
        let wrong = |what: &str| Err(format!("the key {key} of the Secret {secret} in the file {what}"));
        Some(match (plain, packed) {
            (Value::Null, Value::Null) => wrong("is missing: add it, or name another one"),
            (Value::Null, Value::String(packed)) => {
                let packed: String = packed.split_whitespace().collect();
                let bytes = BASE64.decode(packed.as_bytes()).ok();
                match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
                    Some(text) => Ok(credential(&text)),
                    None => wrong("is no base64 of text in UTF-8: write the text under stringData"),
                }
            }
            (Value::String(text), _) => Ok(credential(text)),
            _ => wrong("is no text: put it into quotes"),
        })
    }

    /// The text of a key of a ConfigMap in the file; `None` if there is no such ConfigMap for an object in this namespace.
    ///
    /// # Errors
    /// Why there is no text.
    pub fn bundle(&self, map: &str, key: &str, namespace: Option<&str>) -> Option<Result<String, String>> {
        let object = beside(&self.maps, map, namespace)?;
        let text = object["data"][key].as_str().map(str::to_owned);
        Some(text.ok_or_else(|| {
            format!("spec.connection.caBundleRef: the ConfigMap {map} in the file has no key {key} with text: add it, or name another one")
        }))
    }
}

/// A credential as the operator takes it: editors and `kubectl create --from-file` leave a line break at the end.
pub(super) fn credential(text: &str) -> SecretString {
    SecretString::from(text.trim_end_matches(['\r', '\n']))
}

pub(super) fn name_of(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::TokenService => "TokenService",
        ServiceKind::ClusterTokenService => "ClusterTokenService",
    }
}

/// The objects of a document: `kubectl get` writes several as a `List`.
fn items(document: Value) -> Vec<Value> {
    match document {
        Value::Null => Vec::new(),
        Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => match list.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        object => vec![object],
    }
}

/// The object of this name that one in this namespace refers to. What has no namespace gets that of whoever applies it.
fn beside<'a>(objects: &'a [Value], name: &str, namespace: Option<&str>) -> Option<&'a Value> {
    objects.iter().find(|object| {
        let own = object["metadata"]["namespace"].as_str();
        text_at(object, "name") == name && (own.is_none() || namespace.is_none() || own == namespace)
    })
}

fn text_at(object: &Value, field: &str) -> String {
    object["metadata"][field].as_str().unwrap_or_default().to_owned()
}

/// The spec of the object, or all that is wrong.
fn spec(kind: ServiceKind, object: &Value) -> Result<TokenServiceSpec, Vec<String>> {
    let mut wrong = Vec::new();
    if object["apiVersion"] != VERSION {
        wrong.push(format!("apiVersion: write {VERSION}"));
    }
    if text_at(object, "name").is_empty() {
        wrong.push("metadata.name: is missing".to_owned());
    }
    let around = object.as_object().into_iter().flatten().map(|(name, _)| name);
    wrong.extend(around.filter(|name| !AROUND.contains(&name.as_str())).map(|name| misspelt(kind, name)));
    let spec: TokenServiceSpec = match typed(&object["spec"], "spec") {
        Ok(spec) => spec,
        Err(what) => return Err([wrong, vec![what]].concat()),
    };
    // The service's own fields were read, so what cannot be read is the field that only this kind has.
    let read = match kind {
        ServiceKind::TokenService => serde_json::to_value(&spec).ok(),
        ServiceKind::ClusterTokenService => {
            match serde_json::from_value::<ClusterTokenServiceSpec>(object["spec"].clone()) {
                Ok(spec) => serde_json::to_value(&spec).ok(),
                Err(error) => return Err([wrong, vec![format!("spec.allowedNamespaces: {error}")]].concat()),
            }
        }
    };
    let lost = unknown(&object["spec"], &read.unwrap_or_default(), "spec");
    wrong.extend(lost.iter().map(|path| misspelt(kind, path)));
    if wrong.is_empty() { Ok(spec) } else { Err(wrong) }
}

fn misspelt(kind: ServiceKind, path: &str) -> String {
    let explain = name_of(kind).to_lowercase();
    let parent = path
        .rsplit_once('.')
        .map(|(parent, _)| format!(".{}", parent.replace(|c: char| "[]0123456789".contains(c), "")));
    format!(
        "{path}: is no field: correct or remove it; kubectl explain {explain}{} has the fields",
        parent.unwrap_or_default()
    )
}

/// Without the lines of the file, which may be those of a Secret.
fn not_yaml(error: &serde_saphyr::Error) -> anyhow::Error {
    let place = error.location().map(|at| format!(" at line {}, column {}", at.line(), at.column()));
    let place = place.unwrap_or_default();
    match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { .. } => {
            anyhow::anyhow!("the file has a field a second time{place}: write it once")
        }
        _ => anyhow::anyhow!(
            "the file is not YAML{place}: look for a wrong indentation, a tab, or a quote that does not end"
        ),
    }
}

#[cfg(test)]
mod tests;
