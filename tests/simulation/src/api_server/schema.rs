//! The schemas of the product's own kinds: defaults, and what an API server refuses.
//!
//! Rules in CEL are left out: only people's objects could break them, and `tests/api` proves these on a real API server.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use regex::Regex;
use serde_json::Value;

/// The schemas of `artifacttokens`, `tokenservices` and `clustertokenservices`.
pub(super) fn schemas() -> &'static [Value; 3] {
    static SCHEMAS: OnceLock<[Value; 3]> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let schemas = [
            include_str!("../../../../crds/artifacttokens.yaml"),
            include_str!("../../../../crds/tokenservices.yaml"),
            include_str!("../../../../crds/clustertokenservices.yaml"),
        ];
        let schemas = schemas.map(|text| {
            let crd: Value = serde_saphyr::from_str(text).expect("crds/ has YAML");
            crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
        });
        schemas.iter().for_each(compile_patterns);
        schemas
    })
}

/// Compiles all patterns at once: which life needs one first must not matter to it.
fn compile_patterns(schema: &Value) {
    if let Some(pattern) = schema["pattern"].as_str() {
        pattern_of(pattern);
    }
    match schema {
        Value::Object(fields) => fields.values().for_each(compile_patterns),
        Value::Array(items) => items.iter().for_each(compile_patterns),
        _ => {}
    }
}

/// Fills in what the schema has defaults for.
pub(super) fn fill_defaults(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = property.get("default").filter(|_| !fields.contains_key(name)) {
                    fields.insert(name.clone(), default.clone());
                }
                if let Some(field) = fields.get_mut(name) {
                    fill_defaults(property, field);
                }
            }
            if let Some(more) = schema.get("additionalProperties").filter(|more| more.is_object()) {
                fields.values_mut().for_each(|field| fill_defaults(more, field));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill_defaults(&schema["items"], item)),
        _ => {}
    }
}

/// The first thing about `value` that an API server refuses, or would drop without a word.
pub(super) fn problem(schema: &Value, value: &Value, at: &str) -> Option<String> {
    // Anything may stand there.
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return None;
    }
    let wrong = match value {
        Value::Null if schema["nullable"] != true => Some("is null".to_owned()),
        Value::Object(fields) => return of_object(schema, fields, at),
        Value::Array(items) => return of_array(schema, items, at),
        Value::String(text) => of_text(schema, text),
        Value::Number(number) => of_number(schema, number.as_f64().unwrap_or(f64::NAN)),
        Value::Bool(_) if schema["type"] != "boolean" => Some("is a boolean".to_owned()),
        Value::Null | Value::Bool(_) => None,
    };
    let allowed = schema["enum"].as_array().is_none_or(|allowed| allowed.contains(value));
    let wrong = wrong.or_else(|| (!allowed).then(|| format!("{value} is none of {}", schema["enum"])));
    wrong.map(|wrong| format!("{at} {wrong}"))
}

fn of_object(schema: &Value, fields: &serde_json::Map<String, Value>, at: &str) -> Option<String> {
    if schema["type"] != "object" {
        return Some(format!("{at} is an object"));
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.into_iter().find(|name| !fields.contains_key(*name)) {
        return Some(format!("{at}.{missing} is missing"));
    }
    fields.iter().find_map(|(name, value)| {
        let at = format!("{at}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(property), _) => problem(property, value, &at),
            (None, Some(more)) if more.is_object() => problem(more, value, &at),
            (None, _) => Some(format!("{at} is not in the schema")),
        }
    })
}

fn of_array(schema: &Value, items: &[Value], at: &str) -> Option<String> {
    if schema["type"] != "array" {
        return Some(format!("{at} is a list"));
    }
    let length = count(items.len());
    if let Some(wrong) = bound(schema, "minItems", "maxItems", length) {
        return Some(format!("{at} has {length} items, {wrong}"));
    }
    items.iter().enumerate().find_map(|(index, item)| problem(&schema["items"], item, &format!("{at}[{index}]")))
}

fn of_text(schema: &Value, text: &str) -> Option<String> {
    if schema["type"] != "string" {
        return Some("is a text".to_owned());
    }
    let length = count(text.chars().count());
    let fits = |pattern: &str| pattern_of(pattern).is_match(text);
    let unlike = schema["pattern"].as_str().filter(|pattern| !fits(pattern));
    bound(schema, "minLength", "maxLength", length)
        .map(|wrong| format!("has {length} characters, {wrong}"))
        .or_else(|| unlike.map(|pattern| format!("does not match {pattern}")))
}

fn of_number(schema: &Value, number: f64) -> Option<String> {
    if schema["type"] != "integer" && schema["type"] != "number" {
        return Some("is a number".to_owned());
    }
    bound(schema, "minimum", "maximum", number).map(|wrong| format!("is {number}, {wrong}"))
}

fn bound(schema: &Value, least: &str, most: &str, number: f64) -> Option<String> {
    let (least, most) = (schema[least].as_f64(), schema[most].as_f64());
    if let Some(least) = least.filter(|least| number < *least) {
        return Some(format!("at least {least}"));
    }
    most.filter(|most| number > *most).map(|most| format!("at most {most}"))
}

fn count(length: usize) -> f64 {
    f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}

/// A pattern, compiled once.
fn pattern_of(pattern: &str) -> Regex {
    static PATTERNS: OnceLock<Mutex<HashMap<String, Regex>>> = OnceLock::new();
    let mut patterns = PATTERNS.get_or_init(Mutex::default).lock().unwrap();
    let compiled = || Regex::new(pattern).expect("crds/ has patterns");
    patterns.entry(pattern.to_owned()).or_insert_with(compiled).clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_api_server_refuses_is_named_with_its_place() {
        let object = json!({"metadata": {}, "spec": {
            "serviceRef": {"name": "one"}, "rotation": {"policy": "Disabled"},
            "secret": {"name": "a", "data": [{"key": "token", "format": "Raw"}]},
        }});
        let check = |pointer: &str, value: Value, wanted: &str| {
            let mut object = object.clone();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            object.pointer_mut(parent).unwrap()[field] = value;
            fill_defaults(&schemas()[0], &mut object);
            let spec = &schemas()[0]["properties"]["spec"];
            let found = problem(spec, &object["spec"], ".spec").unwrap_or_default();
            assert!(found.contains(wanted), "{found:?} instead of {wanted:?}");
        };
        check("/spec/suspend", json!(false), "");
        check("/spec/suspend", json!("no"), ".spec.suspend is a text");
        check("/spec/rotation/policy", json!("Never"), ".spec.rotation.policy \"Never\" is none of");
        check("/spec/rotation/overlapp", json!("6h"), ".spec.rotation.overlapp is not in the schema");
        check("/spec/serviceRef/name", json!(""), ".spec.serviceRef.name has 0 characters, at least 1");
        check("/spec/serviceRef", json!({}), ".spec.serviceRef.name is missing");
    }
}
