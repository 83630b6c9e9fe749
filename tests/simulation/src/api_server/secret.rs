//! What an API server makes of a Secret.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::write::{Refusal, fields};

/// All data of a Secret together.
const MAX_BYTES: usize = 1024 * 1024;

/// `stringData` becomes `data`; the type never changes, nor does anything of an immutable one.
pub(super) fn secret(new: &mut Value, old: Option<&Value>) -> Result<(), Refusal> {
    if let Some(Value::Object(texts)) = fields(new).remove("stringData") {
        for (key, text) in texts {
            new["data"][key] = json!(BASE64.encode(text.as_str().unwrap_or_default().as_bytes()));
        }
    }
    if new["type"].is_null() {
        new["type"] = json!("Opaque");
    }
    let changes = |old: &Value| {
        let fixed = old["immutable"] == true;
        old["type"] != new["type"] || (fixed && (old["data"] != new["data"] || new["immutable"] != true))
    };
    if old.is_some_and(changes) {
        return Err(Refusal(422, "Invalid", "field is immutable".into()));
    }
    let mut bytes = 0;
    for (key, value) in new["data"].as_object().into_iter().flatten() {
        let decoded = value.as_str().and_then(|text| BASE64.decode(text.as_bytes()).ok());
        let Some(decoded) = decoded else {
            return Err(Refusal(400, "BadRequest", format!("data.{key} is not base64")));
        };
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            return Err(Refusal(422, "Invalid", format!("data: {key:?} is no key")));
        }
        bytes += decoded.len();
    }
    if bytes > MAX_BYTES {
        return Err(Refusal(422, "Invalid", format!("data: {bytes} bytes, at most {MAX_BYTES}")));
    }
    Ok(())
}
