//! Where requests may go: wrong addresses, each with its sentence.

use serde_json::{Value, json};

use super::{CUSTOM, changed, problems};

#[test]
fn every_wrong_address_is_named_with_what_to_do() {
    let check = |yaml: &str, pointer: &str, value: Value, expected: &str| {
        assert_eq!(problems(&changed(yaml, pointer, value)), [expected], "{pointer}");
    };
    check(
        CUSTOM,
        "/operations/verify/baseURL",
        json!("http://dl.example"),
        "spec.operations.verify.baseURL: credentials would be sent in clear text: use https://, or set connection.insecureHTTP: true for a service inside your own network",
    );
    check(
        CUSTOM,
        "/operations/verify/baseURL",
        json!("https://169.254.169.254/latest"),
        "spec.operations.verify.baseURL: 169.254.169.254 is a link-local address, so nothing is sent there: use the service's own address; if the service really is there, set spec.connection.allowLinkLocal: true",
    );
    for url in
        ["proxy.example:3128", "http://user@proxy.example", "http://proxy.example/path", "socks5://proxy.example"]
    {
        check(
            CUSTOM,
            "/connection",
            json!({"proxy": {"url": url}}),
            "spec.connection.proxy.url: write it like http://proxy.corp.example:3128, without user and path; a user name goes into proxy.basic",
        );
    }
    check(
        CUSTOM,
        "/connection",
        json!({"proxy": {"url": "http://169.254.169.254"}}),
        "spec.connection.proxy.url: 169.254.169.254 is a link-local address, so nothing is sent there: use the service's own address; if the service really is there, set spec.connection.allowLinkLocal: true",
    );
    check(
        CUSTOM,
        "/connection",
        json!({"proxy": {"url": "http://proxy.example:3128"}, "insecureHTTP": true}),
        "spec.connection.proxy: would see the credentials: use https:// and leave connection.insecureHTTP out, or reach the service without a proxy",
    );
    check(
        CUSTOM,
        "/connection",
        json!({"proxy": {"url": "http://proxy.example", "basic": {"username": "{{ credentials.nobody }}", "password": "x"}}}),
        "spec.connection.proxy.basic.username: uses the credential nobody: add it to spec.credentials",
    );
    check(
        CUSTOM,
        "/connection",
        json!({"clientCertificateRef": {"name": "a/b"}}),
        "spec.connection.clientCertificateRef.name: is not the name of an object: write it like reg-admin, with a-z, 0-9, - and . only",
    );
}
