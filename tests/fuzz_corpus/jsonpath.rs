//! Any path on any body: the first line is the path, the rest the body.

use arbitrary::{Arbitrary as _, Unstructured};
use artifact_token_operator::service::extraction::{JsonPath, RowsPath};
use serde_json::Value;

/// The longest path that a service object may have.
const LONGEST: usize = 256;

/// Whether the bytes are a path and a body.
pub fn holds_for(bytes: &[u8]) -> bool {
    let Ok(input) = <&str>::arbitrary_take_rest(Unstructured::new(bytes)) else { return false };
    let (path, body) = input.split_once('\n').unwrap_or((input, "null"));
    if path.len() > LONGEST {
        return false;
    }
    let body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    if let Ok(path) = JsonPath::parse(path) {
        let (found, scalar, time) = (path.find(&body), path.scalar(&body), path.time(&body));
        assert!(
            !(found.is_err() && (scalar.is_ok() || time.is_ok())),
            "what is not one value is no scalar and no time"
        );
    }
    if let Ok(path) = RowsPath::parse(path) {
        let _ = path.rows(&body);
    }
    true
}
