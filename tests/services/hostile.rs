//! Answers that are made to harm. Each leads to the right kind of error, soon, in bounded memory, and without a word of the answer
//! in the message.

use std::process::Command;
use std::time::{Duration, Instant};

use artifact_token_operator::api::parameters::Lifetime;
use artifact_token_operator::service::client::ServiceClient;
use artifact_token_operator::service::client::answers::VerifyAnswer;
use secrecy::SecretString;

use super::faults::{at, spec};
use super::{CREDENTIAL, VALUE, declaration, outcome, places, service, wanted};
use support::peer::{Peer, Reply, answer, head};

/// The time-outs of [`at`] are a second each; a loaded machine may need this on top.
const SOON: Duration = Duration::from_secs(8);

/// The process may need at most so much memory, including the buffers of the peer. The largest body that is parsed has 500,000
/// values, and needs some 100 MiB for a moment.
const MAX_MEMORY: u64 = 128 * 1024;

/// `{"token": "the-value-of-a-token", "id": 7, "items": [], "active": true}`, compressed by gzip.
const PACKED: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 42, 201, 207, 78, 205, 83, 178, 82, 80, 42, 201, 72, 213, 45, 75, 204,
    41, 77, 213, 205, 79, 211, 77, 212, 133, 136, 235, 40, 40, 101, 166, 0, 101, 205, 65, 140, 146, 212, 220, 98, 32,
    59, 58, 22, 200, 73, 76, 46, 201, 44, 75, 5, 242, 74, 138, 74, 83, 107, 1, 2, 124, 220, 174, 71, 0, 0, 0,
];

/// The result of each operation for one answer: generate, list, verify, revoke.
type Outcomes = [&'static str; 4];

/// An unreadable answer. A successful revoke needs no body: another call proves it.
const UNREADABLE: Outcomes = ["Unknown", "Unknown", "Unknown", "Ok"];

/// No HTTP answer at all.
const NONE: Outcomes = ["Unknown"; 4];

async fn outcomes(peer: &Peer) -> [String; 4] {
    let service = at(&peer.url());
    let wanted = wanted("test.x", Lifetime::Never);
    [
        outcome(service.generate(&wanted, &mut places()).await),
        outcome(service.list(&mut places()).await),
        outcome(service.verify(Some(&SecretString::from(VALUE)), &mut places()).await),
        outcome(service.revoke("7", &mut places()).await),
    ]
}

async fn check(what: &str, reply: Reply, expected: Outcomes) {
    let (peer, began) = (Peer::always(reply).await, Instant::now());
    assert_eq!(outcomes(&peer).await, expected, "{what}");
    assert!(began.elapsed() < 4 * SOON, "{what}: {:?}", began.elapsed());
    assert_eq!(peer.requests().len(), 4, "{what}: each was asked once");
    // The buffers of the sockets, and the heads of chunks, come on top of 16 MiB for a list and 1 MiB for each other one.
    assert!(peer.written() < 256 * 1024 * 1024, "{what}: {} bytes were taken", peer.written());
}

fn raw(headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes(), body].concat()
}

/// A body with every field that an operation reads.
fn good() -> String {
    format!(r#"{{"token": "{VALUE}", "id": 7, "items": [], "active": true, "until": "2027-01-02T00:00:00Z"}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_huge_or_endless_is_read_to_its_bound() {
    let before = peak_memory();
    let chunk = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
    check("1 GiB is announced and sent", Reply::Flood(raw("content-length: 1073741824\r\n", b"{")), UNREADABLE).await;
    check("chunks without end", Reply::Repeat(raw("transfer-encoding: chunked\r\n", b""), chunk), UNREADABLE).await;
    let tiny = Reply::Repeat(raw("transfer-encoding: chunked\r\n", b""), b"1\r\n \r\n".repeat(1000));
    check("chunks of one byte without end", tiny, UNREADABLE).await;
    check("a body up to the end of the connection", Reply::Flood(raw("", b"\"")), UNREADABLE).await;
    check("a header without end", Reply::Flood(b"HTTP/1.1 200 OK\r\nx: ".to_vec()), NONE).await;
    check("headers without end", Reply::Repeat(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(1000)), NONE).await;
    check("a status line without end", Reply::Flood(b"HTTP/1.1 200 ".to_vec()), NONE).await;
    let trailer = Reply::Repeat(raw("transfer-encoding: chunked\r\n", b"0\r\n"), b"x: y\r\n".repeat(1000));
    check("trailers without end", trailer, UNREADABLE).await;
    println!("peak memory: +{} KiB", peak_memory() - before);
}

/// The HTTP library reads all interim answers that have come before it checks whether anybody still waits, so the test calls this
/// peer once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn interim_answers_without_end_end_with_the_time_out() {
    let line = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    let (peer, began) = (Peer::always(Reply::Repeat(Vec::new(), line)).await, Instant::now());
    assert_eq!(outcome(at(&peer.url()).verify(Some(&SecretString::from(VALUE)), &mut places()).await), "Unknown");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_slowly_ends_with_the_time_out_of_the_whole_call() {
    let body = good();
    let slow = Reply::Trickle(raw(&format!("content-length: {}\r\n", body.len()), b""), body.into_bytes());
    check("a body byte by byte", slow, UNREADABLE).await;
    check("a head byte by byte", Reply::Trickle(Vec::new(), raw("x: y\r\n", b"")), NONE).await;
    let drip = b"1\r\n \r\n".repeat(100);
    check("chunks byte by byte", Reply::Trickle(raw("transfer-encoding: chunked\r\n", b""), drip), UNREADABLE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_would_break_its_reader_is_unreadable() {
    let before = peak_memory();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"{"items":["#, "]}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        check("100,000 levels, closed", answer(200, "", &deep), UNREADABLE).await;
        check("100,000 levels, open", answer(200, "", &open.repeat(100_000)), UNREADABLE).await;
    }
    for bytes in [b"{\"token\": \"\xff\xfe\", \"id\": 7}".as_slice(), b"\xff\xfe{\0}\0", b"\0", b"\xc0\xaf"] {
        let length = format!("content-length: {}\r\nconnection: close\r\n", bytes.len());
        check("not UTF-8", Reply::Bytes(raw(&length, bytes)), UNREADABLE).await;
    }
    let body = good();
    check("two bodies in one", answer(200, "", &format!("{body}{body}")), UNREADABLE).await;
    check("half a surrogate", answer(200, "", r#"{"token": "\ud800", "id": 7, "items": []}"#), UNREADABLE).await;
    let number = answer(200, "", &format!(r#"{{"token": "{VALUE}", "id": 1e999, "items": [], "active": true}}"#));
    check("a number that no computer has", number, UNREADABLE).await;
    let digits = "9".repeat(1_000_000);
    let long = answer(200, "", &format!(r#"{{"token": "{VALUE}", "id": {digits}, "items": [{{"id": {digits}}}]}}"#));
    check("a number of a million digits", long, UNREADABLE).await;
    let many = format!(r#"{{"items": [{}]}}"#, "0,".repeat(500_000) + "0");
    check("half a million rows that are none", answer(200, "", &many), UNREADABLE).await;
    println!("peak memory: +{} KiB", peak_memory() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_packed_although_nobody_asked_is_unpacked_or_unreadable() {
    let close = "connection: close\r\n";
    for (coding, expected) in [
        ("gzip", ["Ok"; 4]),
        ("x-gzip", ["Ok"; 4]),
        ("deflate", UNREADABLE),
        ("br", UNREADABLE),
        ("zstd", UNREADABLE),
        ("gzip, gzip", UNREADABLE),
        ("gzip\r\ncontent-encoding: gzip", UNREADABLE),
    ] {
        let headers = format!("content-encoding: {coding}\r\ncontent-length: {}\r\n{close}", PACKED.len());
        check(coding, Reply::Bytes(raw(&headers, PACKED)), expected).await;
    }
    let cut = &PACKED[..PACKED.len() - 9];
    let headers = format!("content-encoding: gzip\r\ncontent-length: {}\r\n{close}", cut.len());
    check("packed and cut off", Reply::Bytes(raw(&headers, cut)), UNREADABLE).await;
    let headers = format!("transfer-encoding: gzip, chunked\r\n{close}");
    let chunk = [format!("{:x}\r\n", PACKED.len()).as_bytes(), PACKED, b"\r\n0\r\n\r\n"].concat();
    check("packed on its way", Reply::Bytes(raw(&headers, &chunk)), UNREADABLE).await;
    let peer = Peer::always(answer(200, "", "")).await;
    outcomes(&peer).await;
    let plain = |request: &String| request.to_ascii_lowercase().contains("\r\naccept-encoding: identity\r\n");
    assert!(peer.requests().iter().all(plain));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_a_wrong_length_is_never_half_believed() {
    let body = good();
    let length =
        |text: &str| Reply::Bytes(raw(&format!("content-length: {text}\r\nconnection: close\r\n"), body.as_bytes()));
    check("one byte too few", length(&(body.len() - 1).to_string()), UNREADABLE).await;
    check("one byte too many", Reply::Bytes(head(200, body.len() + 1, &body)), UNREADABLE).await;
    for text in ["-1", "99999999999999999999", "18446744073709551615", "0x10", "7, 8", ""] {
        check(text, length(text), NONE).await;
    }
    let two = format!("content-length: {}\r\ncontent-length: 2\r\n", body.len());
    check("two lengths", Reply::Bytes(raw(&two, body.as_bytes())), NONE).await;
    let cut = raw("transfer-encoding: chunked\r\n", b"4000\r\n{\"items\": []}");
    check("a chunk that breaks off", Reply::Bytes(cut), UNREADABLE).await;
    let strange = raw("transfer-encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n");
    check("a chunk without a length", Reply::Bytes(strange), UNREADABLE).await;
    for status in
        ["HTTP/1.1 099 X", "HTTP/1.1 1000 X", "HTTP/1.1 2OO X", "HTTP/9.9 200 X", "ICY 200 X", "HTTP/1.1 101 X"]
    {
        check(status, Reply::Bytes(format!("{status}\r\ncontent-length: 2\r\n\r\n{{}}").into_bytes()), NONE).await;
    }
    check("a header with NUL", Reply::Bytes(raw("x: a\0b\r\ncontent-length: 2\r\n", b"{}")), NONE).await;
}

/// A second answer that nobody asked for must not become the answer to the next request.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_advance_answers_nothing() {
    let refused = br#"{"active": false}"#;
    let one = |status: u16, body: &[u8]| {
        [format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
    };
    let both = [one(401, refused), one(200, br#"{"active": true}"#)].concat();
    let peer = Peer::always(Reply::Hang(both)).await;
    let service = at(&peer.url());
    for _ in 0..20 {
        let verdict = service.verify(Some(&SecretString::from(VALUE)), &mut places()).await;
        assert!(matches!(verdict, Ok(VerifyAnswer::Refused { .. })));
    }
    assert_eq!(peer.requests().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_or_an_id_that_cannot_be_one_is_unknown_and_nothing_panics() {
    let generated = async |value: &str, id: &str| {
        let peer = Peer::always(answer(201, "", &format!(r#"{{"token": {value}, "id": {id}}}"#))).await;
        outcome(at(&peer.url()).generate(&wanted("test.x", Lifetime::Never), &mut places()).await)
    };
    let text = |length: usize| format!("\"{}\"", "x".repeat(length));
    assert_eq!(generated(&text(16 * 1024), "7").await, "Ok", "the longest value that can be published");
    for value in
        [text(16 * 1024 + 1), text(900_000), "\"\"".to_owned(), "null".to_owned(), "[]".to_owned(), "{}".to_owned()]
    {
        assert_eq!(generated(&value, "7").await, "Unknown", "{:.40}", value);
    }
    // As floating-point numbers, 2^64 and its neighbour are equal; as ids they must stay different.
    for id in ["18446744073709551616", "18446744073709551617", "1e300", "-1e17", "\"\"", "null", "[7]"] {
        assert_eq!(generated(&text(20), id).await, "Unknown", "{id}");
    }
    for id in ["18446744073709551615", "-7", "0", "\"a/b?c\"", "\"\\u0000\"", "\"\\r\\n\"", "true"] {
        assert_eq!(generated(&text(20), id).await, "Ok", "{id}: the ledger refuses an id that it cannot hold");
    }
}

/// *Verify* sends the value in a header, so a value with a line break would be a second header.
#[tokio::test]
async fn a_value_with_control_characters_is_never_sent() {
    let peer = Peer::always(answer(200, "", &good())).await;
    for value in ["a\r\nX-Evil: 1", "a\nb", "a\0b", "a\u{7f}b", "a\u{85}b", "\t"] {
        assert_eq!(
            outcome(at(&peer.url()).verify(Some(&SecretString::from(value)), &mut places()).await),
            "Unknown",
            "{value:?}"
        );
    }
    assert_eq!(peer.requests(), Vec::<String>::new());
}

/// A page of rows with these ids and names.
fn rows(ids: impl Iterator<Item = String>, name: &str) -> String {
    let rows: Vec<_> = ids.map(|id| format!(r#"{{"id": "{id}", "name": "{name}"}}"#)).collect();
    format!(r#"{{"items": [{}]}}"#, rows.join(","))
}

/// A service that lists by counted pages.
fn paged(url: &str) -> ServiceClient {
    let yaml = spec(url).replace("items: $.items[*]", "items: $.items[*]\n    pagination: {pageParameter: page}");
    service(declaration(&yaml), &[("key", CREDENTIAL)])
}

fn page_of(request: &str) -> usize {
    request.split(' ').nth(1).and_then(|target| target.split("page=").nth(1)).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_a_thousand_full_pages_is_not_kept_whole() {
    let before = peak_memory();
    let peer = Peer::start(|request| {
        let page = page_of(request);
        answer(200, "", &rows((0..900).map(|row| format!("{page}-{row}-{}", "x".repeat(1000))), "n"))
    })
    .await;
    assert_eq!(outcome(paged(&peer.url()).list(&mut places()).await), "Unknown");
    assert!(peer.requests().len() < 60, "{} pages were read", peer.requests().len());
    println!("peak memory: +{} KiB", peak_memory() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_a_hundred_thousand_rows_is_a_list_and_names_of_a_mebibyte_are_cut() {
    let peer = Peer::start(|request| {
        let page = page_of(request);
        let count = if page <= 100 { 1000 } else { 0 };
        answer(200, "", &rows((0..count).map(|row| format!("{page}-{row}")), "test.aaaaaaaaaaaaaaaa.1.0 of somebody"))
    })
    .await;
    let listing = paged(&peer.url()).list(&mut places()).await.unwrap();
    assert_eq!(listing.rows.len(), 100_000);
    let name = format!("test.{}", "a".repeat(1_000_000));
    let peer = Peer::always(answer(200, "", &rows(["7".to_owned()].into_iter(), &name))).await;
    let listing = at(&peer.url()).list(&mut places()).await.unwrap();
    assert_eq!(listing.rows[0].name.as_ref().unwrap().len(), 256);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_under_two_names_is_one_row_of_nobody() {
    let body = r#"{"items": [
        {"id": 7, "name": "a"}, {"id": "7", "name": "b"}, {"id": 7, "name": "a"},
        {"id": 8, "name": "c"}, {"id": 8},
        {"id": 9, "name": "d"}, {"id": 9, "name": "d"}
    ]}"#;
    let peer = Peer::always(answer(200, "", body)).await;
    let listing = at(&peer.url()).list(&mut places()).await.unwrap();
    let names: Vec<_> = listing.rows.iter().map(|row| (row.id.as_str(), row.name.as_deref())).collect();
    assert_eq!(names, [("7", None), ("8", None), ("9", Some("d"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_next_page_with_an_endless_url_is_not_followed() {
    let body = format!(r#"{{"items": [{{"id": 7}}], "next": "?cursor={}"}}"#, "x".repeat(900_000));
    let peer = Peer::always(answer(200, "", &body)).await;
    let yaml = spec(&peer.url()).replace("items: $.items[*]", "items: $.items[*]\n    pagination: {nextURL: $.next}");
    assert_eq!(outcome(service(declaration(&yaml), &[("key", CREDENTIAL)]).list(&mut places()).await), "Unknown");
    assert_eq!(peer.requests().len(), 1);
}

/// Memory is measured for a whole process, so each test that could need much of it runs once more in its own process.
#[tokio::test]
async fn hostile_answers_take_little_memory() {
    for name in [
        "an_answer_that_is_huge_or_endless_is_read_to_its_bound",
        "a_body_that_would_break_its_reader_is_unreadable",
        "a_list_of_a_thousand_full_pages_is_not_kept_whole",
    ] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("hostile::{name}"), "--nocapture"]);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|line| line.split("peak memory: +").nth(1)?.strip_suffix(" KiB"));
        let grown: u64 = line.unwrap_or_else(|| panic!("{text}")).parse().unwrap();
        println!("{name}: {grown} KiB");
        assert!(output.status.success() && grown < MAX_MEMORY, "{name} took {grown} KiB: {text}");
    }
}

/// The peak memory of this process, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
