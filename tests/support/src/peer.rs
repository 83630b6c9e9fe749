//! A raw HTTP peer: it reads a request and answers with the bytes that the test gives, also with wrong ones.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the peer does with a request.
#[derive(Clone)]
pub enum Reply {
    /// Writes these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Writes these bytes and then nothing more.
    Hang(Vec<u8>),
    /// Writes these bytes and then `x` until the other side gives up.
    Flood(Vec<u8>),
    /// Writes the first bytes and then the second ones again and again until the other side gives up.
    Repeat(Vec<u8>, Vec<u8>),
    /// Writes the first bytes, and then the second ones one at a time, ten a second.
    Trickle(Vec<u8>, Vec<u8>),
}

/// The peer on 127.0.0.1. It ends with the test's runtime.
pub struct Peer {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    written: Arc<Mutex<usize>>,
}

impl Peer {
    /// Starts a peer that answers each request by `answer`, which gets head and body.
    pub async fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = Self { port, requests: Arc::default(), written: Arc::default() };
        let (requests, written, answer) = (peer.requests.clone(), peer.written.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (requests, written, answer) = (requests.clone(), written.clone(), answer.clone());
                tokio::spawn(async move {
                    serve(stream, &requests, &written, &*answer).await;
                });
            }
        });
        peer
    }

    /// Starts a peer that always gives the same answer.
    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All requests so far, head and body.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many bytes a flood wrote.
    pub fn written(&self) -> usize {
        *self.written.lock().unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    requests: &Mutex<Vec<String>>,
    written: &Mutex<usize>,
    answer: &(impl Fn(&str) -> Reply + Sync),
) {
    let Some(request) = read(&mut stream).await else { return };
    requests.lock().unwrap().push(request.clone());
    match answer(&request) {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        Reply::Flood(bytes) => repeat(&mut stream, &bytes, &[b'x'; 16 * 1024], written).await,
        Reply::Repeat(bytes, again) => repeat(&mut stream, &bytes, &again, written).await,
        Reply::Trickle(bytes, slow) => {
            let _ = stream.write_all(&bytes).await;
            for byte in slow {
                tokio::time::sleep(Duration::from_millis(100)).await;
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
        }
    }
}

async fn repeat(stream: &mut TcpStream, begin: &[u8], again: &[u8], written: &Mutex<usize>) {
    let _ = stream.write_all(begin).await;
    while stream.write_all(again).await.is_ok() {
        *written.lock().unwrap() += again.len();
    }
}

/// Reads a request with its body; `None` if there is none (a TLS greeting, or nothing).
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        let text = std::str::from_utf8(&bytes).ok()?;
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text.to_owned());
            }
        }
    }
}

/// A complete answer.
pub fn answer(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .into_bytes(),
    )
}

/// The head of an answer, which promises a body of `length` bytes, and the beginning of that body.
pub fn head(status: u16, length: usize, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}
