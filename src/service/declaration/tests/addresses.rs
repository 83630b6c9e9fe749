#![allow(clippy::panic)]

use super::*;

/// The problems of the declaration with this host; with `connection.allowLinkLocal` if `allow`.
fn judged(host: &str, allow: bool) -> Vec<String> {
    let mut spec = changed(REFERENCE, "/baseURL", json!(format!("https://{host}/api")));
    spec.connection.allow_link_local = allow;
    problems(&spec)
}

#[test]
fn an_address_in_the_url_is_judged_however_it_is_spelt() {
    for host in [
        "169.254.169.254",
        "169.254.169.254.",
        "169.254.169.254:8080",
        "2852039166",
        "0xA9FEA9FE",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.16689662",
        "0251.254.0xa9fe",
        "%31%36%39.254.169.254",
        "169\u{3002}254\u{3002}169\u{3002}254",
        "\u{ff11}\u{ff16}\u{ff19}.254.169.254",
        "[fe80::1]",
        "[FE80:0:0:0:0:0:0:1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]",
        "[::a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
    ] {
        let problems = judged(host, false);
        let [problem] = problems.as_slice() else { panic!("{host}: {problems:?}") };
        assert!(problem.starts_with("spec.baseURL: ") && problem.contains(" is a link-local address"), "{problem}");
        assert!(problem.ends_with("set spec.connection.allowLinkLocal: true"), "what to do: {problem}");
        assert_eq!(judged(host, true), Vec::<String>::new(), "{host}, allowed");
    }
    for host in ["100.100.100.200", "1684301000", "[fd00:ec2::254]", "[fd20:ce::254]"] {
        assert!(judged(host, false).concat().contains("the metadata service of a cloud"), "{host}");
        assert_eq!(judged(host, true), Vec::<String>::new(), "{host}, allowed");
    }
}

#[test]
fn what_is_no_host_is_refused_whatever_is_allowed() {
    for host in
        ["0.0.0.0", "0", "0x0", "[::]", "[::ffff:0.0.0.0]", "224.0.0.1", "[ff02::1]", "255.255.255.255", "4294967295"]
    {
        for allow in [false, true] {
            let problems = judged(host, allow).concat();
            assert!(
                problems.ends_with("so nothing is sent there: use the service's own address"),
                "{host}: {problems}"
            );
        }
    }
}

#[test]
fn a_host_that_the_url_cannot_have_is_no_way_around() {
    for host in [
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "169.254.169.254.0.0",
        "169.254.169.256",
        "0xA9FEA9FE0",
        "user@169.254.169.254",
    ] {
        assert!(!judged(host, true).is_empty(), "{host}");
    }
}

#[test]
fn the_own_network_and_names_are_no_problem() {
    for host in [
        "127.0.0.1:8090",
        "2130706433",
        "[::1]",
        "10.0.0.7",
        "[fd12:3456::1]",
        "tokens.corp.example",
        "localhost",
        "metadata.google.internal",
    ] {
        assert_eq!(judged(host, false), Vec::<String>::new(), "{host}");
    }
}
