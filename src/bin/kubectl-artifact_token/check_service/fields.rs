//! Reads an object into its type, and says of each field that does not fit where it is and what to do. Pure.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a reference to a key looks like. Whoever writes a value there wants to be told, and not to have it shown.
const REFERENCE: &str = "write {name: SECRET, key: KEY}: the Secret that has the value, and the key in it";

/// `value` as its type. `at` is its own path.
///
/// # Errors
/// A sentence that begins with the path of the field.
pub(super) fn typed<T: DeserializeOwned>(value: &Value, at: &str) -> Result<T, String> {
    // One line for each field, so that the line of an error tells the field.
    let text = serde_json::to_string_pretty(value).map_err(|_| format!("{at}: cannot be read"))?;
    serde_json::from_str(&text).map_err(|error| {
        let what = error.to_string();
        let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
        let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
        // A value that its type refuses is noticed behind it. Behind the last one the object ends.
        let behind = line.trim_start().starts_with(['}', ']']) && !what.starts_with("missing field");
        let path = format!("{at}{}", path_of_line(&text, error.line() - usize::from(behind)));
        if path.starts_with("spec.credentials.") {
            return format!("{path}: {REFERENCE}");
        }
        format!("{path}: {what}")
    })
}

/// The path of the field on this line of pretty JSON; of the object, where the line ends one.
fn path_of_line(text: &str, number: usize) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = text.lines().take(number).collect();
    let Some(last) = lines.last() else { return String::new() };
    let (mut within, mut path) = (indent(last) + 1, Vec::new());
    for line in lines.iter().rev().filter(|line| !line.trim_start().starts_with(['}', ']'])) {
        if indent(line) >= within {
            continue;
        }
        within = indent(line);
        let name = line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once("\":"));
        path.extend(name.map(|(name, _)| format!(".{name}")));
    }
    path.reverse();
    path.concat()
}

/// The paths of the fields that were written and that the type does not have: misspelt ones.
pub(super) fn unknown(written: &Value, read: &Value, at: &str) -> Vec<String> {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            let fields = written.iter().map(|(name, value)| (value, read.get(name), format!("{at}.{name}")));
            let found = fields.map(|(value, read, at)| match read {
                Some(read) => unknown(value, read, &at),
                // What is empty or says the default is not written again.
                None => {
                    if is_nothing(value) {
                        Vec::new()
                    } else {
                        vec![at]
                    }
                }
            });
            found.flatten().collect()
        }
        (Value::Array(written), Value::Array(read)) => {
            let pairs = written.iter().zip(read).enumerate();
            pairs.flat_map(|(number, (written, read))| unknown(written, read, &format!("{at}[{number}]"))).collect()
        }
        _ => Vec::new(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(rows) => rows.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use artifact_token_operator::api::token_service::TokenServiceSpec;
    use serde_json::json;

    use super::*;

    fn told(spec: &Value) -> String {
        typed::<TokenServiceSpec>(spec, "spec").unwrap_err()
    }

    #[test]
    fn an_error_names_the_field() {
        let verify = |request: Value| {
            json!({"preset": "Custom", "baseURL": "https://x.example", "operations": {
                "page": "x", "verify": {"request": request, "accepted": {"statuses": [200]}},
            }})
        };
        let text = told(&verify(json!({"method": "FETCH", "path": "/me"})));
        assert!(text.starts_with("spec.operations.verify.request.method: unknown variant `FETCH`, expected"), "{text}");
        let text = told(&verify(json!({"method": "GET"})));
        assert_eq!(text, "spec.operations.verify.request: missing field `path`");
        for connection in [json!({"timeout": "soon"}), json!({"timeout": "soon", "insecureHTTP": true})] {
            let text = told(&json!({"preset": "Custom", "baseURL": "https://x.example", "connection": connection}));
            assert!(text.starts_with("spec.connection.timeout: write a duration"), "{text}");
        }
        let text = told(&verify(json!({"path": "/me", "method": "FETCH"})));
        assert!(text.starts_with("spec.operations.verify.request.method: unknown variant `FETCH`, expected"), "{text}");
        assert_eq!(told(&json!({"preset": "Custom"})), "spec: missing field `baseURL`");
        let text =
            told(&json!({"preset": "Custom", "baseURL": "x", "operations": {"generate": {"success": [1, "x"]}}}));
        assert!(text.starts_with("spec.operations.generate.success: invalid type"), "{text}");
    }

    #[test]
    fn a_value_in_the_place_of_a_reference_is_not_shown() {
        let text = told(&json!({"preset": "Custom", "baseURL": "x", "credentials": {"key": "the-value"}}));
        assert_eq!(text, format!("spec.credentials.key: {REFERENCE}"));
    }

    #[test]
    fn every_misspelt_field_is_found() {
        let written = json!({"preset": "Custom", "baseUrl": "x", "baseURL": "y", "hint": "None", "suspend": false,
            "operations": {"parameters": [{"name": "a"}, {"name": "b", "requird": true}], "lifetim": {"never": true}}});
        let read = serde_json::to_value(typed::<TokenServiceSpec>(&written, "spec").unwrap()).unwrap();
        let expected = ["spec.baseUrl", "spec.operations.parameters[1].requird", "spec.operations.lifetim"];
        assert_eq!(unknown(&written, &read, "spec"), expected);
    }
}
