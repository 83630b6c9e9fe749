//! The generated schemas themselves: every value is bounded, every list is declared, no list item has a default, and every field
//! is documented.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::{KINDS, Kind};

/// A field of a schema that is present in an object.
#[derive(Clone, Debug)]
pub struct Place {
    /// The path through the schema: names, `[]` for the items of a list, `{}` for the values of a map.
    pub path: String,
    /// The JSON pointer of the field in the object.
    pub pointer: String,
    pub value: Value,
    pub schema: Value,
}

/// Every field of `schema` that `object` has. The schema stands at the pointer `at`.
pub fn places(schema: &Value, object: &Value, at: &str) -> Vec<Place> {
    let mut found = Vec::new();
    let place = |value: &Value| Place {
        path: at.to_owned(),
        pointer: at.to_owned(),
        value: value.clone(),
        schema: schema.clone(),
    };
    visit_object(place(object.pointer(at).unwrap()), &mut found);
    found
}

fn visit_object(place: Place, found: &mut Vec<Place>) {
    let mut inner = |name: &str, key: &str, value: &Value, schema: &Value| {
        let (path, pointer) = (format!("{}/{name}", place.path), format!("{}/{key}", place.pointer));
        visit_object(Place { path, pointer, value: value.clone(), schema: schema.clone() }, found);
    };
    match &place.value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (&place.schema["properties"][name], &place.schema["additionalProperties"]) {
                    (Value::Null, Value::Null) => {}
                    (Value::Null, values) => inner("{}", name, value, values),
                    (property, _) => inner(name, name, value, property),
                }
            }
        }
        Value::Array(items) if !place.schema["items"].is_null() => {
            for (index, item) in items.iter().enumerate() {
                inner("[]", &index.to_string(), item, &place.schema["items"]);
            }
        }
        _ => {}
    }
    found.push(place);
}

/// The paths of every field of `schema`.
pub fn paths(schema: &Value, at: &str) -> Vec<String> {
    fields(schema, at).into_keys().collect()
}

/// Every field of `schema` by its path.
pub fn fields(schema: &Value, at: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::from([(at.to_owned(), schema.clone())]);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(fields(property, &format!("{at}/{name}")));
    }
    for (part, name) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[part].is_object() {
            found.extend(fields(&schema[part], &format!("{at}/{name}")));
        }
    }
    found
}

fn all_fields(kind: Kind) -> BTreeMap<String, Value> {
    let schema = kind.schema();
    let parts = ["spec", "status"].into_iter();
    parts.flat_map(|part| fields(&schema["properties"][part], &format!("/{part}"))).collect()
}

#[test]
fn every_string_list_and_map_is_bounded() {
    for kind in KINDS {
        for (path, schema) in all_fields(kind) {
            let bounded = match schema["type"].as_str() {
                Some("string") => !schema["maxLength"].is_null() || !schema["enum"].is_null(),
                Some("array") => !schema["maxItems"].is_null(),
                Some("object") => !schema["maxProperties"].is_null() || !schema["properties"].is_null(),
                Some("integer") => integer_is_bounded(&path, &schema),
                Some("boolean") => true,
                _ => schema["x-kubernetes-preserve-unknown-fields"] == true,
            };
            assert!(bounded, "{} {path} has no bound: {schema}", kind.name());
        }
    }
}

/// Generations need no bound: the API server counts them, and only the operator writes them.
fn integer_is_bounded(path: &str, schema: &Value) -> bool {
    let generation = path.starts_with("/status/") && path.to_lowercase().ends_with("generation");
    generation || (!schema["minimum"].is_null() && !schema["maximum"].is_null())
}

#[test]
fn every_format_is_one_that_the_api_server_knows() {
    // The API server warns about every other one at each installation.
    for kind in KINDS {
        for (path, schema) in all_fields(kind) {
            let format = schema["format"].as_str().unwrap_or("int64");
            assert!(["int32", "int64", "date-time"].contains(&format), "{} {path}: {format}", kind.name());
        }
    }
}

#[test]
fn every_list_says_how_it_merges() {
    let declared = |kind: Kind| -> Vec<String> {
        let lists = all_fields(kind).into_iter().filter(|(_, schema)| schema["type"] == "array");
        lists.map(|(path, schema)| format!("{path} {}", merge_of(&schema))).collect()
    };
    // An atomic list has one writer.
    assert_eq!(
        declared(Kind::ArtifactToken),
        [
            "/spec/secret/data map by key",
            "/spec/secret/data/[]/scopes set",
            "/status/conditions map by type",
            "/status/history atomic",
            "/status/lost atomic",
            "/status/possiblyLost atomic",
            "/status/superseded atomic",
        ]
    );
    let (allowed, service): (Vec<_>, Vec<_>) =
        declared(Kind::ClusterTokenService).into_iter().partition(|list| list.starts_with("/spec/allowedNamespaces/"));
    assert_eq!(
        allowed,
        [
            "/spec/allowedNamespaces/names set",
            "/spec/allowedNamespaces/selector/matchExpressions atomic",
            "/spec/allowedNamespaces/selector/matchExpressions/[]/values atomic",
        ]
    );
    assert_eq!(service, declared(Kind::TokenService));
    assert_eq!(
        service,
        [
            "/spec/constraints/parameters/{} atomic",
            "/spec/operations/generate/nameTaken/statuses set",
            "/spec/operations/generate/notExecuted set",
            "/spec/operations/generate/success set",
            "/spec/operations/list/empty/statuses set",
            "/spec/operations/list/success set",
            "/spec/operations/parameters map by name",
            "/spec/operations/parameters/[]/values atomic",
            "/spec/operations/revoke/gone set",
            "/spec/operations/revoke/success set",
            "/spec/operations/verify/accepted/statuses set",
            "/spec/operations/verify/refused/or atomic",
            "/spec/operations/verify/refused/or/[]/statuses set",
            "/spec/operations/verify/refused/statuses set",
            "/status/capabilities set",
            "/status/conditions map by type",
            "/status/lastSweep/orphans atomic",
        ]
    );
}

fn merge_of(schema: &Value) -> String {
    let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
    let keys: Vec<_> = keys.filter_map(Value::as_str).collect();
    match schema["x-kubernetes-list-type"].as_str() {
        Some("map") => format!("map by {}", keys.join(",")),
        Some(other) => other.to_owned(),
        None => "atomic".to_owned(),
    }
}

#[test]
fn nothing_inside_a_list_has_a_default() {
    // GitOps tools compare list items as they were written, so a default in one is drift for ever.
    for kind in KINDS {
        for (path, schema) in all_fields(kind) {
            assert!(!path.contains("/[]") || schema["default"].is_null(), "{} {path} has a default", kind.name());
        }
    }
}

#[test]
fn the_description_of_a_field_says_its_default_and_gives_an_example() {
    let mut problems = Vec::new();
    for kind in KINDS {
        let schema = kind.schema();
        let required = required(&schema["properties"]["spec"], "/spec");
        for (path, field) in fields(&schema["properties"]["spec"], "/spec") {
            let text = field["description"].as_str().unwrap_or_default();
            let mut want = |holds: bool, what: &str| {
                if !holds {
                    problems.push(format!("{} {path} {what}: {text}", kind.name()));
                }
            };
            let element = path.ends_with("/[]") || path.ends_with("/{}");
            let leaf = !element && field["properties"].is_null();
            let free = leaf && field["enum"].is_null() && field["type"] != "boolean";
            want(element || text.ends_with('.') || text.ends_with('`'), "has no sentence");
            want(!free || text.contains("Example: `"), "has no example");
            want(!leaf || required.contains(&path) || says_what_absence_means(text), "does not say its default");
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn says_what_absence_means(text: &str) -> bool {
    [
        "Default",
        "Required",
        "required",
        "Needed",
        "Absent",
        "absent",
        "exactly one",
        "Exactly one",
        "left out",
        "Without",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// The paths of required fields.
pub fn required(schema: &Value, at: &str) -> Vec<String> {
    let of = |(path, field): (String, Value)| {
        let names: Vec<_> = field["required"].as_array().into_iter().flatten().cloned().collect();
        names.into_iter().map(move |name| format!("{path}/{}", name.as_str().unwrap()))
    };
    fields(schema, at).into_iter().flat_map(of).collect()
}
