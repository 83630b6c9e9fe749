use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::time::Duration;

use reqwest::{Client, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::api::token_service::request::Method;
use crate::service::http::{self, trust};
use crate::service::transport::{Bound, Exchange, SendError};

const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The addresses that each look-up finds, in turn; the last ones for ever.
fn finding(answers: &[&[&str]]) -> Resolver {
    let parse = |answer: &&[&str]| answer.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
    let answers: Mutex<Vec<Vec<SocketAddr>>> = Mutex::new(answers.iter().map(parse).collect());
    Resolver::with(false, move |_| {
        let mut left = answers.lock().unwrap();
        let found = if left.len() > 1 { left.remove(0) } else { left[0].clone() };
        std::future::ready(Ok(found)).boxed()
    })
}

/// A service that answers every connection once; and the number of connections.
async fn service() -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            *counted.lock().unwrap() += 1;
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    (port, count)
}

/// The status of one request, or why there is none.
async fn ask(client: &Client, url: &str) -> Result<u16, SendError> {
    let (url, timeout) = (url.parse().unwrap(), Duration::from_secs(5));
    let exchange = Exchange { method: Method::Get, url: &url, headers: &[], body: None, timeout, bound: Bound::One };
    http::send(client, false, exchange).await.map(|answer| answer.status)
}

fn client(resolver: Resolver) -> Client {
    client_through(None, resolver)
}

fn client_through(proxy: Option<Proxy>, resolver: Resolver) -> Client {
    http::client(Duration::from_secs(5), false, &trust::config(None, None).unwrap(), resolver, proxy).unwrap()
}

#[tokio::test]
async fn the_name_of_a_proxy_is_judged_and_that_behind_it_is_not_looked_up() {
    let through = |found| client_through(Some(Proxy::all("http://proxy.example:3128").unwrap()), found);
    let error = ask(&through(finding(&[&["169.254.169.254"]])), "https://tokens.example/x").await.unwrap_err();
    let judged = |what: &str| what.starts_with("proxy.example leads to 169.254.169.254, a link-local address");
    assert!(matches!(&error, SendError::Forbidden(what) if judged(what)), "{error:?}");
}

#[tokio::test]
async fn a_name_that_leads_inwards_is_not_asked_and_the_message_says_what_to_do() {
    let error = ask(&client(finding(&[&["169.254.169.254"]])), "http://tokens.example/x").await.unwrap_err();
    let expected = "tokens.example leads to 169.254.169.254, a link-local address, so nothing was sent: use the service's own address; if the service really is there, set spec.connection.allowLinkLocal: true";
    assert_eq!(error, SendError::Forbidden(expected.to_owned()));
    for inwards in ["fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "0.0.0.0", "::"] {
        let error = ask(&client(finding(&[&[inwards]])), "http://tokens.example/").await.unwrap_err();
        assert!(matches!(error, SendError::Forbidden(_)), "{inwards}: {error:?}");
    }
}

#[tokio::test]
async fn one_forbidden_address_among_good_ones_refuses_the_name() {
    let (port, count) = service().await;
    let both = client(finding(&[&["127.0.0.1", "169.254.169.254"]]));
    let error = ask(&both, &format!("http://tokens.example:{port}/")).await.unwrap_err();
    assert!(matches!(error, SendError::Forbidden(_)), "{error:?}");
    assert_eq!(*count.lock().unwrap(), 0, "nothing was sent to the good one either");
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_at_the_second_look_is_refused_at_the_second_look() {
    let (port, count) = service().await;
    let rebinding = client(finding(&[&["127.0.0.1"], &["169.254.169.254"], &["127.0.0.1"]]));
    let url = format!("http://tokens.example:{port}/");
    assert_eq!(ask(&rebinding, &url).await, Ok(200));
    assert!(matches!(ask(&rebinding, &url).await, Err(SendError::Forbidden(_))));
    assert_eq!(ask(&rebinding, &url).await, Ok(200), "and comes back by itself");
    assert_eq!(*count.lock().unwrap(), 2);
}

#[tokio::test]
async fn the_systems_names_of_this_machine_are_allowed() {
    let (port, _) = service().await;
    assert_eq!(ask(&client(Resolver::system(false)), &format!("http://localhost:{port}/")).await, Ok(200));
}

#[test]
fn what_the_service_object_allows_is_let_through_and_nothing_more() {
    let found = |address: IpAddr| vec![SocketAddr::new(address, 0)];
    assert_eq!(allowed("x", found(METADATA.into()), true), Ok(found(METADATA.into())));
    for never in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::BROADCAST)] {
        let error = allowed("x", found(never), true).unwrap_err().to_string();
        assert!(!error.contains("allowLinkLocal"), "advice that would not help: {error}");
    }
}
