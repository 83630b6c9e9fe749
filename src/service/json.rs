//! The body of an answer as JSON, with a bounded number of values.

use serde_json::Value;

/// The most values in one answer. A parsed value takes up to 160 bytes, however short it was as text.
const MAX_VALUES: usize = 500_000;

/// The mark that some servers write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The body as JSON. `serde_json` stops at a depth of 128.
pub(super) fn parse(body: &[u8]) -> Result<Value, &'static str> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if values_in(body) > MAX_VALUES {
        return Err(
            "the answer has more than 500,000 values: let the request ask for less; for a list, for fewer rows, by spec.operations.list.request and spec.operations.list.pagination",
        );
    }
    serde_json::from_slice(body).map_err(|_| not_json(body))
}

/// At least as many values as a parser would make of this: each value but the first follows one of these bytes.
fn values_in(body: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (1, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

/// What stands there instead, told by its beginning alone.
fn not_json(body: &[u8]) -> &'static str {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None => "the answer is empty, not JSON: does this request have an answer with a body?",
        Some(b'<') => {
            "the answer is HTML or XML, not JSON: is spec.baseURL the address of the API, and not of a page, or is a login page or a proxy in between?"
        }
        Some(b'{' | b'[') if std::str::from_utf8(body).is_err() => "the answer is not JSON in UTF-8",
        Some(b'{' | b'[') => "the answer is broken JSON: was it cut off?",
        Some(_) => "the answer is not JSON",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_json_and_what_is_no_json_is_told_by_its_kind() {
        assert_eq!(parse(b"\xef\xbb\xbf{\"id\": 7}"), Ok(json!({"id": 7})));
        let check = |body: &[u8], expected: &str| assert!(parse(body).unwrap_err().contains(expected), "{body:?}");
        check(b"", "empty");
        check(b" \n", "empty");
        check(b"\n<!doctype html>", "login page or a proxy");
        check(b"{\"id\": 7", "cut off");
        check(b"{\"id\": \"\xff\"}", "UTF-8");
        check(b"\xff\xfe{\0}\0", "not JSON");
        check(b"value=7", "not JSON");
    }

    #[test]
    fn values_are_counted_before_they_take_memory() {
        assert_eq!(values_in(br#"[1, {"a": ",[{\"", "b": 2}]"#), 5);
        let many = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(parse(many(MAX_VALUES - 1).as_bytes()).is_ok());
        assert!(parse(many(MAX_VALUES + 1).as_bytes()).unwrap_err().contains("500,000"));
        let text = format!("[\"{}\"]", ",".repeat(2 * MAX_VALUES));
        assert!(parse(text.as_bytes()).is_ok(), "commas in a text are no values");
    }
}
