//! An HTTP client that hides nothing: it sends one request per connection, and shows every byte that came back.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for an answer. Only a broken test reaches it.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// The bytes that came back before the connection ended.
pub struct Reply(Vec<u8>);

/// Sends one request and reads until the service closes the connection.
pub async fn exchange(address: SocketAddr, method: &str, path: &str, credential: Option<&str>, body: &str) -> Reply {
    read(send(address, method, path, credential, body).await).await
}

/// The same with these headers.
pub async fn exchange_with(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    read(send_with(address, method, path, headers, body).await).await
}

async fn read(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // A reset after the last byte is an end as well.
    let _ = tokio::time::timeout(ANSWER_LIMIT, stream.read_to_end(&mut bytes))
        .await
        .expect("the service neither answers nor hangs up");
    Reply(bytes)
}

/// Sends one request and leaves the answer on the connection.
pub async fn send(address: SocketAddr, method: &str, path: &str, credential: Option<&str>, body: &str) -> TcpStream {
    let bearer = credential.map(|credential| format!("Bearer {credential}"));
    let headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    send_with(address, method, path, &headers, body).await
}

async fn send_with(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("\r\n{body}"));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

impl Reply {
    /// Whether not a single byte came back.
    pub fn lost(&self) -> bool {
        self.0.is_empty()
    }

    pub fn status(&self) -> u16 {
        let head = self.head();
        let status = head.split(' ').nth(1).expect("a status line");
        status.parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.head().lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    pub fn body(&self) -> &[u8] {
        &self.0[self.head_length() + 4..]
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body()).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(self.body()).expect("a JSON body")
    }

    fn head(&self) -> String {
        String::from_utf8(self.0[..self.head_length()].to_vec()).unwrap()
    }

    fn head_length(&self) -> usize {
        let end = self.0.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        end.expect("a complete head")
    }
}
