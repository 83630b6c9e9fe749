//! What an API server makes of a write, before it stores it.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::place::{Place, parameter};
use super::schema::{fill_defaults, problem};
use super::secret::secret;
use super::store::{Kind, LEASES, Store};

/// A refusal: status, reason, message.
#[derive(Clone, Debug)]
pub struct Refusal(pub u16, pub &'static str, pub String);

/// What is answered.
pub type Outcome = Result<(StatusCode, Value), Refusal>;

/// A request that may change something.
pub(super) struct Write<'a> {
    pub(super) method: &'a str,
    pub(super) place: Place<'a>,
    pub(super) query: &'a str,
    pub(super) content: &'a str,
    pub(super) body: &'a Value,
    /// Now, as objects have it.
    pub(super) stamp: String,
}

/// What it would change.
pub(super) struct Changed {
    pub(super) code: StatusCode,
    pub(super) old: Option<Arc<Value>>,
    pub(super) new: Value,
    /// Nothing holds the object any more.
    pub(super) deleted: bool,
}

/// What the server itself sets, and a writer cannot change.
const KEPT: [&str; 7] =
    ["uid", "creationTimestamp", "deletionTimestamp", "generation", "namespace", "managedFields", "resourceVersion"];

impl Write<'_> {
    /// Judges it.
    pub(super) fn judge(&self, store: &mut Store) -> Result<Changed, Refusal> {
        let uid = if self.method == "POST" { store.new_uid() } else { String::new() };
        let missing = || Refusal(404, "NotFound", format!("there is no kind {}", self.place.plural));
        let kind = store.kind(self.place.plural).ok_or_else(missing)?;
        let (old, mut new) = match (self.method, self.place.name) {
            ("POST", None) => (None, self.create(kind, uid)?),
            ("PUT" | "PATCH", Some(name)) => self.update(kind, self.existing(kind, name)?)?,
            ("DELETE", Some(name)) => self.delete(self.existing(kind, name)?)?,
            _ => return Err(Refusal(405, "MethodNotAllowed", self.method.to_owned())),
        };
        self.finish(kind, old.as_deref(), &mut new)?;
        let code = if old.is_none() { StatusCode::CREATED } else { StatusCode::OK };
        let held = new["metadata"]["finalizers"].as_array().is_some_and(|names| !names.is_empty());
        let deleted = new["metadata"]["deletionTimestamp"].is_string() && !held;
        Ok(Changed { code, old, new, deleted })
    }

    pub(super) fn dry(&self) -> bool {
        self.query.contains("dryRun=All")
    }

    fn existing(&self, kind: &Kind, name: &str) -> Result<Arc<Value>, Refusal> {
        let missing = || match (self.method, kind.plural) {
            // A PUT may create a Lease, but not in a version that was read.
            ("PUT", LEASES) => Refusal(409, "Conflict", "the object has been modified: it is not there".into()),
            (_, plural) => Refusal(404, "NotFound", format!("{plural} \"{name}\" not found")),
        };
        kind.objects.get(&self.place.key(name)).cloned().ok_or_else(missing)
    }

    fn create(&self, kind: &Kind, uid: String) -> Result<Value, Refusal> {
        let mut new = self.body.clone();
        let name = new["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if new["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
            return Err(Refusal(500, "", "resourceVersion should not be set on objects to be created".into()));
        }
        if kind.objects.contains_key(&self.place.key(&name)) {
            return Err(Refusal(409, "AlreadyExists", format!("{} \"{name}\" already exists", self.place.plural)));
        }
        let metadata = fields(&mut new["metadata"]);
        KEPT.iter().for_each(|field| _ = metadata.remove(*field));
        metadata.insert("uid".into(), json!(uid));
        metadata.insert("creationTimestamp".into(), json!(self.stamp));
        if kind.namespaced {
            metadata.insert("namespace".into(), json!(self.place.namespace));
        }
        if kind.schema.is_some() {
            metadata.insert("generation".into(), json!(1));
            fields(&mut new).remove("status");
        }
        Ok(new)
    }

    fn update(&self, kind: &Kind, old: Arc<Value>) -> Result<(Option<Arc<Value>>, Value), Refusal> {
        let mut new = self.wanted(&old)?;
        let metadata = &new["metadata"];
        // Both kinds must be replaced in the version that was read.
        let versioned = kind.schema.is_some() || kind.plural == LEASES;
        if self.method == "PUT" && versioned && metadata["resourceVersion"].as_str().is_none_or(str::is_empty) {
            return Err(Refusal(422, "Invalid", "metadata.resourceVersion: must be specified for an update".into()));
        }
        for field in ["resourceVersion", "uid"] {
            let wanted = metadata[field].as_str().unwrap_or_default();
            if !wanted.is_empty() && old["metadata"][field] != json!(wanted) {
                return Err(Refusal(409, "Conflict", format!("the object has been modified: another {field}")));
            }
        }
        if kind.schema.is_some() {
            // The status and the rest are written apart from each other.
            let (mut base, status) = if self.place.status {
                (Value::clone(&old), new.get("status"))
            } else {
                (new.clone(), old.get("status"))
            };
            match status.cloned() {
                Some(status) => base["status"] = status,
                None => _ = fields(&mut base).remove("status"),
            }
            new = base;
        }
        for field in KEPT {
            match old["metadata"].get(field) {
                Some(value) => new["metadata"][field] = value.clone(),
                None => _ = fields(&mut new["metadata"]).remove(field),
            }
        }
        no_new_finalizer_at_the_end(&old, &new)?;
        Ok((Some(old), new))
    }

    fn wanted(&self, old: &Value) -> Result<Value, Refusal> {
        let mut new = old.clone();
        if self.method == "PUT" {
            return Ok(self.body.clone());
        }
        if self.content.contains("json-patch") {
            let patch: json_patch::Patch = serde_json::from_value(self.body.clone())
                .map_err(|error| Refusal(400, "BadRequest", error.to_string()))?;
            json_patch::patch(&mut new, &patch).map_err(|error| Refusal(422, "Invalid", error.to_string()))?;
        } else {
            json_patch::merge(&mut new, self.body);
        }
        Ok(new)
    }

    fn delete(&self, old: Arc<Value>) -> Result<(Option<Arc<Value>>, Value), Refusal> {
        let wants = &self.body["preconditions"];
        if ["uid", "resourceVersion"]
            .iter()
            .any(|field| wants[*field].is_string() && wants[*field] != old["metadata"][*field])
        {
            return Err(Refusal(409, "Conflict", "the object has been modified: a precondition failed".into()));
        }
        let mut new = Value::clone(&old);
        let metadata = &mut new["metadata"];
        if metadata["deletionTimestamp"].is_null() {
            metadata["deletionTimestamp"] = json!(self.stamp);
            metadata["deletionGracePeriodSeconds"] = json!(0);
            if let Some(generation) = metadata["generation"].as_i64() {
                metadata["generation"] = json!(generation + 1);
            }
        }
        Ok((Some(old), new))
    }

    /// What the server adds: the kind, defaults, a generation; and what it refuses.
    fn finish(&self, kind: &Kind, old: Option<&Value>, new: &mut Value) -> Result<(), Refusal> {
        new["apiVersion"] = json!(kind.api_version);
        new["kind"] = json!(kind.kind);
        if let Some(schema) = kind.schema {
            fill_defaults(schema, new);
            let parts = ["spec", "status"]
                .iter()
                .filter_map(|part| Some((schema["properties"].get(part)?, new.get(part)?, *part)));
            if let Some(problem) = parts.into_iter().find_map(|(schema, value, part)| problem(schema, value, part)) {
                return Err(Refusal(422, "Invalid", problem));
            }
            if let Some(old) = old.filter(|old| old["spec"] != new["spec"]) {
                let generation = old["metadata"]["generation"].as_i64().unwrap_or(1);
                new["metadata"]["generation"] = json!(generation + 1);
            }
        }
        if kind.plural == "secrets" {
            secret(new, old)?;
        }
        // What is empty is left out.
        fields(&mut new["metadata"]).retain(|_, value| {
            value.as_array().is_none_or(|items| !items.is_empty())
                && value.as_object().is_none_or(|fields| !fields.is_empty())
        });
        manage(new, old, self.query, &self.stamp);
        Ok(())
    }
}

fn no_new_finalizer_at_the_end(old: &Value, new: &Value) -> Result<(), Refusal> {
    let names = |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let before = names(old);
    if old["metadata"]["deletionTimestamp"].is_string() && names(new).iter().any(|name| !before.contains(name)) {
        let what = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted";
        return Err(Refusal(422, "Invalid", what.into()));
    }
    Ok(())
}

/// The fields of an object, which it becomes if it is none.
pub(super) fn fields(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it is an object now")
}

/// Who set the finalizers, and when a Secret was handed over: all of `managedFields` that the operator reads.
fn manage(new: &mut Value, old: Option<&Value>, query: &str, stamp: &str) {
    if new["metadata"]["labels"].get("artifact-token.dev/hand-over").is_some() {
        // Some clients clear them, and whoever may write the Secret may write another time.
        let time = match stamp.bytes().map(usize::from).sum::<usize>() % 3 {
            0 => return drop(fields(&mut new["metadata"]).remove("managedFields")),
            1 => "2020-01-01T00:00:00Z",
            _ => stamp,
        };
        new["metadata"]["managedFields"] = json!([{"manager": "person", "operation": "Update", "time": time}]);
        return;
    }
    let finalizers = new["metadata"]["finalizers"].clone();
    if old.is_some_and(|old| old["metadata"]["finalizers"] == finalizers) {
        return;
    }
    let names = finalizers.as_array().cloned().unwrap_or_default();
    if names.is_empty() {
        fields(&mut new["metadata"]).remove("managedFields");
        return;
    }
    let mut set = json!({".": {}});
    for name in names {
        set[format!("v:{name}")] = json!({});
    }
    let manager = parameter(query, "fieldManager").unwrap_or_else(|| "unknown".into());
    new["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Update", "apiVersion": new["apiVersion"],
        "time": stamp, "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:finalizers": set}}}]);
}
