//! The body of an answer: read to a bound, unpacked to the same bound, and parsed as JSON with a bounded number of values.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::Response;
use serde_json::Value;

/// How much of an answer is read. No answer fills the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum Bound {
    /// An answer about one token: 1 MiB.
    One,
    /// A page of a list: 16 MiB. Some services list all that they ever had in one page.
    Page,
}

impl Bound {
    pub fn bytes(self) -> usize {
        match self {
            Self::One => 1024 * 1024,
            Self::Page => 16 * 1024 * 1024,
        }
    }

    fn exceeded(self) -> &'static str {
        match self {
            Self::One => "the answer is larger than 1 MiB",
            Self::Page => {
                "the page is larger than 16 MiB: let spec.operations.list.request ask for fewer rows, and declare spec.operations.list.pagination"
            }
        }
    }
}

/// The most values in one answer. A parsed value takes up to 160 bytes, however short it was as text.
const MAX_VALUES: usize = 500_000;

/// The mark that some servers write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The body as it came, at most `bound` of it.
pub(super) async fn read(mut response: Response, bound: Bound) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= bound.bytes() => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(bound.exceeded()),
            Ok(None) => return Ok(body),
            Err(error) if error.is_timeout() => return Err("the answer did not end in time"),
            Err(_) => return Err("the answer was cut off"),
        }
    }
}

/// The body without its coding. The operator asks for none, and some servers and proxies pack all the same.
pub(super) fn unpacked(body: Vec<u8>, coding: &str, bound: Bound) -> Result<Vec<u8>, &'static str> {
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => unpack(MultiGzDecoder::new(body.as_slice()), bound),
        // RFC 9110 means zlib; some servers send the bare stream.
        "deflate" if is_zlib(&body) => unpack(ZlibDecoder::new(body.as_slice()), bound),
        "deflate" => unpack(DeflateDecoder::new(body.as_slice()), bound),
        _ => Err(
            "the answer is packed in a way that the operator did not ask for and cannot unpack (it can: gzip, deflate): let the service honour Accept-Encoding: identity",
        ),
    }
}

/// The two bytes before a zlib stream (RFC 1950).
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

/// Unpacks at most one byte more than allowed, so that a small body cannot become a large one.
fn unpack(packed: impl Read, bound: Bound) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    let limit = u64::try_from(bound.bytes()).unwrap_or(u64::MAX).saturating_add(1);
    packed.take(limit).read_to_end(&mut body).map_err(|_| "the answer is packed, and broken")?;
    if body.len() > bound.bytes() { Err(bound.exceeded()) } else { Ok(body) }
}

/// The body as JSON. `serde_json` stops at a depth of 128.
pub(super) fn json(body: &[u8]) -> Result<Value, &'static str> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if values_in(body) > MAX_VALUES {
        return Err("the answer has more than 500,000 values: let the request ask for less");
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
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use serde_json::json;

    use super::*;

    fn packed(coding: &str, body: &[u8]) -> Vec<u8> {
        match coding {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap()
            }
            "zlib" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap()
            }
            _ => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    #[test]
    fn a_packed_body_is_unpacked_to_the_bound_and_no_further() {
        let check = |coding: &str, header: &str| {
            let small = packed(coding, b"{}");
            assert_eq!(unpacked(small.clone(), header, Bound::One), Ok(b"{}".to_vec()), "{header}");
            assert!(unpacked(small[..small.len() - 1].to_vec(), header, Bound::One).is_err(), "{header}, cut");
            let whole = packed(coding, &vec![b' '; Bound::One.bytes()]);
            assert_eq!(unpacked(whole, header, Bound::One).map(|body| body.len()), Ok(Bound::One.bytes()));
            let bomb = packed(coding, &vec![b' '; 64 * Bound::One.bytes()]);
            assert!(bomb.len() < Bound::One.bytes(), "a small body");
            assert_eq!(unpacked(bomb, header, Bound::One), Err(Bound::One.exceeded()), "{header}");
        };
        check("gzip", "gzip");
        check("gzip", "X-GZip");
        check("zlib", "deflate");
        check("bare", "deflate");
        for plain in ["", "identity"] {
            assert_eq!(unpacked(b"{}".to_vec(), plain, Bound::One), Ok(b"{}".to_vec()));
        }
        for unknown in ["br", "zstd", "gzip, gzip", "compress"] {
            assert!(unpacked(packed("gzip", b"{}"), unknown, Bound::One).is_err(), "{unknown}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_json_and_what_is_no_json_is_told_by_its_kind() {
        assert_eq!(json(b"\xef\xbb\xbf{\"id\": 7}"), Ok(json!({"id": 7})));
        let check = |body: &[u8], expected: &str| assert!(json(body).unwrap_err().contains(expected), "{body:?}");
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
        assert!(json(many(MAX_VALUES - 1).as_bytes()).is_ok());
        assert!(json(many(MAX_VALUES + 1).as_bytes()).unwrap_err().contains("500,000"));
        let text = format!("[\"{}\"]", ",".repeat(2 * MAX_VALUES));
        assert!(json(text.as_bytes()).is_ok(), "commas in a text are no values");
    }
}
