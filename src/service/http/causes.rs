//! Why there was no answer, in one sentence that says what to do. The text of a library is never a part of it.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

use crate::service::resolver::NoAddress;

/// What the library calls a connection that a proxy should have made. It hides the type of this error.
const TUNNEL: &str = "tunnel error: ";

/// The variables of the environment that name a proxy. The operator ignores them, which people may not expect.
const PROXY_VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Why no connection came about. `error` is the library's, with all that caused it. `proxied`: it was to go through the proxy of the
/// service object.
pub(super) fn no_connection(error: &(dyn Error + 'static), connect_timeout: Duration, proxied: bool) -> String {
    if !proxied {
        return direct(error, connect_timeout, hinted);
    }
    match tunnel(error) {
        Some(what) if what == "proxy authorization required" => {
            "no connection to the service: the proxy wants another password: check spec.connection.proxy.basic (status 407)".to_owned()
        }
        Some(what) if ["failed to create underlying connection", "io error establishing tunnel"].contains(&what.as_str()) => {
            of_proxy(&direct(error, connect_timeout, |what| what))
        }
        Some(_) => {
            "no connection to the service: the proxy does not connect to it: check that it allows host and port of spec.baseURL, and see its log"
                .to_owned()
        }
        None if timed_out(error) => format!(
            "no connection within {} s: the proxy of spec.connection.proxy.url, or the service behind it, does not answer",
            connect_timeout.as_secs_f32()
        ),
        None => direct(error, connect_timeout, |what| what),
    }
}

/// What is true of the proxy in the place of the service.
fn of_proxy(what: &str) -> String {
    let what = what.replace("to the service", "to the proxy").replace("the service runs", "the proxy runs");
    what.replace("spec.baseURL", "spec.connection.proxy.url")
}

/// What the library says of the proxy, if it is about that.
fn tunnel(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(what) = error.to_string().strip_prefix(TUNNEL) {
            return Some(what.to_owned());
        }
        cause = error.source();
    }
    None
}

/// `hint` adds what may help where the way there may be wrong.
fn direct(error: &(dyn Error + 'static), connect_timeout: Duration, hint: fn(String) -> String) -> String {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(what) = known(error, hint) {
            return format!("no connection to the service: {what}");
        }
        cause = error.source();
    }
    if timed_out(error) {
        return hint(format!(
            "no connection to the service within {} s: a firewall or a network policy may be in between; check host and port of spec.baseURL",
            connect_timeout.as_secs_f32()
        ));
    }
    hint("no connection to the service: check spec.baseURL and the network".to_owned())
}

fn known(error: &(dyn Error + 'static), hint: fn(String) -> String) -> Option<String> {
    if let Some(no_address) = error.downcast_ref::<NoAddress>() {
        return Some(hint(format!(
            "{no_address}; check the host of spec.baseURL, and the name servers of the operator's pod"
        )));
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls(error));
    }
    let error = error.downcast_ref::<io::Error>()?;
    // An I/O error hides what it was made of from `source`.
    if let Some(inner) = error.get_ref() {
        let inner: &(dyn Error + 'static) = inner;
        return known(inner, hint);
    }
    let what = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "it was refused: nothing listens there; check host and port of spec.baseURL, and that the service runs"
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no route to it; check the host of spec.baseURL and the network of the operator's pod"
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
            "it was broken off; check that https:// or http:// in spec.baseURL is what this port speaks"
        }
        _ => return None,
    };
    Some(what.to_owned())
}

fn timed_out(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
            || error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

fn tls(error: &rustls::Error) -> String {
    let what = match error {
        rustls::Error::InvalidCertificate(error) => return certificate(error),
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => {
            "it does not speak TLS; check the port of spec.baseURL, or write http:// with connection.insecureHTTP: true"
        }
        rustls::Error::NoCertificatesPresented => "it shows no certificate; mend the TLS of the service",
        rustls::Error::PeerIncompatible(_) => "it knows neither TLS 1.2 nor TLS 1.3; mend the TLS of the service",
        rustls::Error::AlertReceived(_) => {
            "it broke TLS off with an alert; does it know the host of spec.baseURL, or want another certificate from its clients (spec.connection.clientCertificateRef)?"
        }
        _ => "TLS failed; check the TLS of the service",
    };
    what.to_owned()
}

fn certificate(error: &CertificateError) -> String {
    let what = match error {
        CertificateError::UnknownIssuer => {
            "its certificate is from an authority that is not known here: put the PEM of that authority, or of a self-signed certificate itself, into a ConfigMap and name it in spec.connection.caBundleRef"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name: write the name of the certificate in spec.baseURL, or renew the certificate with this name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: renew it at the service"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: compare the clocks of service and operator"
        }
        CertificateError::BadEncoding => "what it shows is not a certificate that can be read: renew it at the service",
        CertificateError::Revoked => "its certificate is revoked: renew it at the service",
        _ if super::trust::is_authority_itself(error) => {
            "it shows the certificate of an authority (self-signed): put that very certificate into the ConfigMap of spec.connection.caBundleRef"
        }
        _ => "its certificate is not accepted: check it with `openssl s_client`",
    };
    what.to_owned()
}

/// The sentence, and a second one where the environment names a proxy: then the network probably wants one.
fn hinted(what: String) -> String {
    match PROXY_VARIABLES.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
        Some(name) => {
            format!(
                "{what}; {name} is set, but the operator uses only the proxy of spec.connection.proxy: name one there"
            )
        }
        None => what,
    }
}
