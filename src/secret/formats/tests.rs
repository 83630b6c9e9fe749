#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod table;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use proptest::prelude::*;

use super::*;
use crate::api::secret_template::{NpmAuth, Registry, Username};

/// The token that would break a URL, an ini file and a careless base64 reader.
const AWKWARD: &str = "s3al+/tok=x";

/// An entry with what its format needs, and nothing else.
fn entry(format: Format) -> DataEntry {
    let shape = format.shape();
    DataEntry {
        key: shape.keys.map_or("token", |keys| keys.token).to_owned(),
        format,
        username: (shape.username == Username::Required).then(|| "payments".to_owned()),
        registry: matches!(shape.registry, Registry::Required | Registry::Url)
            .then(|| "https://npm.example/".to_owned()),
        scopes: None,
        auth: None,
        template: shape.template.then(|| "{{ token }}".to_owned()),
    }
}

fn npm_basic() -> DataEntry {
    DataEntry { username: Some("payments".to_owned()), auth: Some(NpmAuth::Basic), ..entry(Format::Npmrc) }
}

fn template(text: &str) -> DataEntry {
    DataEntry { template: Some(text.to_owned()), ..entry(Format::Template) }
}

/// An entry of each readable format, and the other way of npm.
fn readable() -> Vec<DataEntry> {
    let readable = Format::ALL.into_iter().filter(|format| is_readable(*format));
    readable.map(entry).chain([npm_basic()]).collect()
}

fn token_of(entry: &DataEntry, data: &Data) -> Option<String> {
    read_back(entry.format, &entry.key, data)
}

fn rendered(entry: &DataEntry, token: &str) -> Result<BTreeMap<String, ByteString>, Unrenderable> {
    let facts = Facts { token: &SecretString::from(token), id: Some("tok_1"), expiration_time: None };
    Ok(render(entry, &facts)?.into_iter().map(|(key, content)| (key, ByteString(content))).collect())
}

fn content(entry: &DataEntry, token: &str) -> String {
    let data = rendered(entry, token).expect("renders");
    String::from_utf8(data[&entry.key].0.clone()).expect("is text")
}

#[test]
fn each_format_writes_what_its_tool_reads() {
    let check = |entry: &DataEntry, expected: &str| assert_eq!(content(entry, AWKWARD), expected, "{entry:?}");
    check(&entry(Format::Raw), AWKWARD);
    check(&entry(Format::BasicAuth), AWKWARD);
    check(&entry(Format::SealEnv), AWKWARD);
    let both = |format, key: &str| rendered(&entry(format), AWKWARD).unwrap()[key].0.clone();
    assert_eq!(both(Format::SealEnv, "SEAL_PROJECT"), b"payments");
    assert_eq!(both(Format::BasicAuth, "username"), b"payments");
    check(
        &entry(Format::DockerConfigJson),
        r#"{"auths":{"https://npm.example/":{"username":"payments","password":"s3al+/tok=x","auth":"cGF5bWVudHM6czNhbCsvdG9rPXg="}}}"#,
    );
    check(&entry(Format::Npmrc), "registry=https://npm.example/\n//npm.example/:_authToken=s3al+/tok=x\n");
    check(
        &npm_basic(),
        "registry=https://npm.example/\n//npm.example/:username=payments\n//npm.example/:_password=czNhbCsvdG9rPXg=\n",
    );
    let scopes = Some(vec!["@a".to_owned(), "@b".to_owned()]);
    check(
        &DataEntry { scopes, registry: Some("https://H.example:443/npm/x".to_owned()), ..entry(Format::Npmrc) },
        "@a:registry=https://h.example/npm/x/\n@b:registry=https://h.example/npm/x/\n//h.example/npm/x/:_authToken=s3al+/tok=x\n",
    );
    check(
        &DataEntry { registry: Some("http://127.0.0.1:4873".to_owned()), ..entry(Format::Npmrc) },
        "registry=http://127.0.0.1:4873/\n//127.0.0.1:4873/:_authToken=s3al+/tok=x\n",
    );
}

#[test]
fn basic_auth_writes_the_user_name_beside_the_token() {
    let data = rendered(&entry(Format::BasicAuth), AWKWARD).unwrap();
    assert_eq!(data["username"].0, b"payments");
    assert_eq!(data.len(), 2);
}

#[test]
fn a_token_that_a_format_cannot_carry_is_refused_with_the_reason() {
    let check = |entry: &DataEntry, token: &str, expected: &str| {
        let error = rendered(entry, token).expect_err(expected).to_string();
        assert!(error.contains(expected), "{token:?} in {entry:?}: {error}");
        assert!(token.len() < 2 || !error.contains(token), "the error contains the token: {error}");
    };
    let bearer = entry(Format::Npmrc);
    check(&bearer, "line\nbreak", "spec.secret.data[token]: format Npmrc cannot carry this token: it has a line break");
    check(&bearer, "bell\u{7}", "control character");
    check(&bearer, "schlüssel", "not ASCII");
    check(&bearer, " padded", "begins or ends with a space");
    check(&bearer, "padded ", "begins or ends with a space");
    check(&bearer, "a${HOME}b", "an environment variable");
    for word in WORDS_OF_NPM {
        check(&bearer, word, "npm does not read as text");
    }
    for entry in [entry(Format::BasicAuth), entry(Format::SealEnv), entry(Format::DockerConfigJson), npm_basic()] {
        check(&entry, "line\nbreak", "line break");
        check(&entry, "escape\u{1b}", "control character");
    }
    for entry in readable() {
        check(&entry, "", "token is empty");
        check(&entry, &"x".repeat(MAX_TOKEN_BYTES + 1), "more than the 16384");
    }
    check(&template("{{ token * 9 }}"), "secret-token", "'*' is not allowed");
    check(&template(&"{{ token }}".repeat(100)), &"s".repeat(1000), "failed to write output");
}

const WORDS_OF_NPM: [&str; 4] = ["true", "false", "null", "undefined"];

#[test]
fn an_entry_that_is_wrong_for_every_token_is_refused_before_there_is_one() {
    let check = |entry: DataEntry, expected: &str| {
        let error = super::check(&entry).expect_err(expected);
        assert!(error.contains(expected), "{entry:?}: {error}");
    };
    check(DataEntry { username: None, ..entry(Format::BasicAuth) }, "data[password].username: set it");
    check(DataEntry { username: Some("a:b".to_owned()), ..entry(Format::DockerConfigJson) }, "colon");
    check(DataEntry { key: "token".to_owned(), ..entry(Format::BasicAuth) }, "data[token].key: set it to password");
    check(DataEntry { key: "token".to_owned(), ..entry(Format::SealEnv) }, "data[token].key: set it to SEAL_TOKEN");
    check(DataEntry { registry: None, ..entry(Format::DockerConfigJson) }, "data[token].registry: set it");
    check(DataEntry { username: Some("true".to_owned()), ..npm_basic() }, "data[token].username: it is a word");
    check(DataEntry { scopes: Some(vec!["a=b".to_owned()]), ..entry(Format::Npmrc) }, "@payments");
    for registry in ["", "npm.example", "https://", "https://u:p@h/", "https://h/a/../b", "https://h/#x", "https://h/;"]
    {
        let entry = DataEntry { registry: Some(registry.to_owned()), ..entry(Format::Npmrc) };
        assert!(super::check(&entry).is_err(), "{registry}");
    }
    assert!(readable().iter().all(|entry| super::check(entry).is_ok()));
}

#[test]
fn npm_gets_back_what_would_otherwise_be_changed() {
    for token in
        ["a;b", "a#b", r"a\b", r"a\;b", r"a\\b", "\"a\"", "'a'", "\"", "'", "a b", "[a]", "a=b", "=", r"\", "$x"]
    {
        let data = rendered(&entry(Format::Npmrc), token).unwrap();
        assert_eq!(token_of(&entry(Format::Npmrc), &data).as_deref(), Some(token), "{token}");
    }
}

#[test]
fn a_file_by_other_hands_is_read_as_the_tool_reads_it() {
    let check = |format, text: &str, expected: Option<&str>| {
        let entry = entry(format);
        let data = BTreeMap::from([(entry.key.clone(), ByteString(text.into()))]);
        assert_eq!(token_of(&entry, &data).as_deref(), expected, "{text}");
    };
    check(Format::Npmrc, "; c\n# c\n\n  //h/:_authToken = abc ; tail\r\n", Some("abc"));
    check(Format::Npmrc, "//h/:_authToken='a;b'", Some("a;b"));
    check(Format::Npmrc, "//h/:_authToken=old\n//h/:_authToken=new", Some("new"));
    check(Format::Npmrc, "//h/:_password=YWJj", Some("abc"));
    check(Format::Npmrc, "//h/:_authToken=${NPM_TOKEN}", None);
    check(Format::Npmrc, "//h/:_authToken=true", None);
    check(Format::Npmrc, "//h/:_authToken", None);
    check(Format::Npmrc, "//h/:_authToken=", None);
    check(Format::Npmrc, "[section]\n//h/:_authToken=abc", None);
    check(Format::Npmrc, "//h/:_authToken=abc\n//i/:_authToken=def", None);
    check(Format::Npmrc, "//h/:_password=%%%", None);
    check(Format::DockerConfigJson, r#"{"auths":{}}"#, None);
    check(Format::DockerConfigJson, r#"{"auths":{"h":{"username":"u","password":"p","auth":"dTpx"}}}"#, None);
    check(Format::DockerConfigJson, r#"{"auths":{"h":{"username":"u","password":"p","auth":"dTpw"}}}"#, Some("p"));
    check(Format::DockerConfigJson, "[]", None);
    check(Format::BasicAuth, "", None);
    check(Format::Template, "abc", None);
}

#[test]
fn a_template_has_the_facts_and_filters_and_keeps_its_last_line_end() {
    let check = |text: &str, expected: &str| {
        let entry = DataEntry {
            username: Some("u".to_owned()),
            registry: Some("https://h.example:8443/x/".to_owned()),
            ..template(text)
        };
        super::check(&entry).expect(text);
        assert_eq!(content(&entry, "a\"<&\u{7f}/é"), expected, "{text}");
    };
    check("[seal]\nkey = {{ token | toml }}\n", "[seal]\nkey = \"a\\\"<&\\u007F/é\"\n");
    check("{{ token | json }}", "\"a\\\"<&\u{7f}/é\"");
    check("<t>{{ token | xml }}</t>", "<t>a&quot;&lt;&amp;\u{7f}/é</t>");
    check("https://{{ token | urlencode }}@{{ host }}", "https://a%22%3C%26%7F%2F%C3%A9@h.example:8443/x");
    check("{{ (username ~ ':' ~ username) | b64encode }}", "dTp1");
    check("{{ id }} {% if expirationTime %}until {{ expirationTime }}{% else %}for ever{% endif %}", "tok_1 for ever");
    check("{# no * here #}{{- 'a*{%' -}} * %}", "a*{%* %}");
}

#[test]
fn a_template_that_could_fail_or_take_all_memory_is_refused_before_there_is_a_token() {
    let check = |text: &str, expected: &str| {
        let error = super::check(&template(text)).expect_err(text);
        assert!(error.contains(expected) && error.starts_with("spec.secret.data[token].template: "), "{text}: {error}");
    };
    check("{{ tokn }}", "undefined");
    check("{{ username }}", "undefined");
    check("{% if expirationTime %}{{ tokn }}{% endif %}", "undefined");
    check("{{ token | upper }}", "unknown filter");
    check("{{ token", "has no }}: close it");
    check("{{ 'token }}", "has no }}");
    check("{% if token %}", "end of input");
    check("{{ range(10) }}", "unknown function");
    check("{{ [[token] * 10000] * 10000 ~ '' }}", "'[' is not allowed");
    check("{{ token*999 }}", "'*' is not allowed");
    check("{{ '%9999d' % 1 }}", "'%' is not allowed");
    check("{%- set a = token ~ token %}{{ a }}", "\"set\" is not allowed");
    check("{%+ for a in token %}{% endfor %}", "\"for\" is not allowed");
    check("{% raw %}{{ ' {% endraw %}{{ [token] * 9 }}", "\"raw\" is not allowed");
    check("{% include 'a' %}", "\"include\" is not allowed");
    check(&format!("{{{{ '{}'{} }}}}", "\\\\".repeat(100), " | json".repeat(20)), "longer than 64 KiB");
    check(&format!("{{{{ {} }}}}", "(".repeat(8000)), "recursion");
    check(&"x".repeat(MAX_TOKEN_BYTES * 4 + 1), "write");
}

#[test]
fn nothing_that_is_printed_tells_the_token() {
    let token = SecretString::from("do-not-print");
    let facts = Facts { token: &token, id: None, expiration_time: None };
    assert!(!format!("{facts:?}").contains("do-not-print"));
}

proptest! {
    #[test]
    fn every_format_gives_printable_tokens_back_unchanged_or_refuses(token in "[ -~]{1,80}") {
        for entry in readable() {
            match rendered(&entry, &token) {
                Ok(data) => prop_assert_eq!(token_of(&entry, &data), Some(token.clone())),
                Err(Unrenderable::Token { .. }) => {
                    prop_assert!(entry.format == Format::Npmrc && entry.auth.is_none());
                    let changed = token.trim() != token || token.contains("${");
                    prop_assert!(changed, "{}", token);
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }

    #[test]
    fn every_format_gives_any_text_back_unchanged_or_refuses(token in "\\PC{0,30}|(?s:.{0,30})") {
        for entry in readable() {
            if let Ok(data) = rendered(&entry, &token) {
                prop_assert_eq!(token_of(&entry, &data), Some(token.clone()));
            }
        }
    }

    #[test]
    fn reading_is_total(text in "(?s:.{0,60})", key in "//h/:_authToken|//h/:_password|x") {
        for entry in readable() {
            for content in [text.clone(), format!("{key}={text}")] {
                let data = BTreeMap::from([(entry.key.clone(), ByteString(content.into_bytes()))]);
                let _ = token_of(&entry, &data);
            }
        }
    }

    #[test]
    fn a_template_of_any_text_is_checked_without_a_panic(text in "(?s:.{0,20}(\\{\\{|\\{%|\\{#)?[ -~]{0,20}(\\}\\}|%\\}|#\\})?.{0,20})") {
        let _ = super::check(&template(&text));
    }
}
