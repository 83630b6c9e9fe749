//! The body of an answer: read to a bound, and unpacked to the same bound.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::Response;

use crate::service::transport::Bound;

impl Bound {
    pub(in crate::service) fn bytes(self) -> usize {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

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
}
