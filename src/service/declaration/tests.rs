#![allow(clippy::unwrap_used)]

mod addresses;
mod verdicts;
mod wrong;

use serde_json::{Value, json};

use super::*;
use crate::api::reason::Reason;
use crate::api::token_service::TokenServiceSpec;

const REFERENCE: &str = r#"
preset: Reference
baseURL: https://tokens.example/api/
credentials: {adminKey: {name: admin, key: key}}
naming: {prefix: prod-eu1}
"#;

const CUSTOM: &str = r#"
preset: Custom
baseURL: https://tokens.example
credentials: {user: {name: admin, key: user}, password: {name: admin, key: password}}
variables: {project: payments}
naming: {prefix: prod}
operations:
  authentication: {basic: {username: "{{ credentials.user }}", password: "{{ credentials.password }}"}}
  lifetime: {never: false, minimum: 24h, maximum: 8760h}
  parameters: [{name: role, values: [Developer, Admin], required: true}, {name: scopes}]
  generate:
    request: {method: POST, path: "/t/{{ variables.project }}", query: {role: "{{ parameters.role }}"}, json: '{"n": {{ name }}, "d": {{ lifetimeDays }}, "s": {{ parameters.scopes }}}'}
    response: {value: $.token, id: $.id}
  verify:
    request: {method: GET, path: /me, headers: {Authorization: "token {{ token }}"}}
    accepted: {statuses: [200]}
  list:
    request: {method: GET, path: /t}
    items: $.items[*]
    item: {id: $.id, name: $.name}
    pagination: {nextURL: $.next}
  revoke:
    request: {method: DELETE, path: "/t/{{ id }}"}
"#;

fn spec(yaml: &str) -> TokenServiceSpec {
    serde_saphyr::from_str(yaml).unwrap()
}

/// `yaml` with the value at a JSON pointer replaced; null removes it.
fn changed(yaml: &str, pointer: &str, value: Value) -> TokenServiceSpec {
    let mut spec: Value = serde_saphyr::from_str(yaml).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = spec.pointer_mut(parent).unwrap();
    if value.is_null() {
        parent.as_object_mut().unwrap().remove(name);
    } else {
        parent[name] = value;
    }
    serde_json::from_value(spec).unwrap()
}

fn problems(spec: &TokenServiceSpec) -> Vec<String> {
    Declaration::check(spec)
        .err()
        .map(|error| error.problems.iter().map(ToString::to_string).collect())
        .unwrap_or_default()
}

#[test]
fn a_right_declaration_says_what_the_service_can_do() {
    use Capability::{Expiry, Generate, LastUsed, List, Names, Revoke};
    let reference = Declaration::check(&spec(REFERENCE)).unwrap();
    assert_eq!(reference.capabilities(), [Generate, List, Revoke, Expiry, Names, LastUsed]);
    assert_eq!(reference.origin(), "https://tokens.example");
    assert_eq!(reference.used_credentials().collect::<Vec<_>>(), ["adminKey"]);
    assert_eq!(reference.prefix(), Some("prod-eu1"));
    assert_eq!(reference.generate_timeout(), Duration::from_secs(60));

    let verdaccio = r#"
preset: Verdaccio
baseURL: https://npm.example
credentials: {username: {name: admin, key: user}, password: {name: admin, key: password}}
"#;
    let verdaccio = Declaration::check(&spec(verdaccio)).unwrap();
    assert_eq!(verdaccio.capabilities(), [Generate, List, Revoke]);
    assert_eq!(verdaccio.maximum_name_length(), None);

    let custom = Declaration::check(&spec(CUSTOM)).unwrap();
    assert_eq!(custom.capabilities(), [Generate, List, Revoke, Expiry, Names]);
}

#[test]
fn an_override_replaces_one_part_of_a_preset() {
    let revoke = json!({"revoke": {"request": {"method": "POST", "path": "/end", "form": {"id": "{{ id }}"}}}});
    let declaration = Declaration::check(&changed(REFERENCE, "/operations", revoke)).unwrap();
    assert!(declaration.revoke.unwrap().request.uses("id"));
    assert!(declaration.generate.is_some() && declaration.list.is_some());
}

#[test]
fn all_problems_are_told_at_a_time_and_short_names_have_their_own_reason() {
    let mut several = changed(CUSTOM, "/operations/revoke/request/path", json!("/t"));
    several.base_url = "http://tokens.example".to_owned();
    assert_eq!(problems(&several).len(), 2);
    let short = changed(REFERENCE, "/operations", json!({"naming": {"maximumLength": 40}}));
    assert_eq!(Declaration::check(&short).unwrap_err().reason(), Reason::NameTooShort);
}

#[test]
fn a_lifetime_is_given_exactly_or_not_at_all() {
    let custom = Declaration::check(&spec(CUSTOM)).unwrap();
    let check = |text: &str, expected: &str| {
        let checked = custom.check_lifetime(Lifetime::parse(text).unwrap());
        assert_eq!(checked.err().unwrap_or_default(), expected, "{text}");
    };
    check("24h", "");
    check("8760h", "");
    check("Never", "tokens of this service always expire: set lifetime to a duration");
    check("23h", "a lifetime of 23h is too short: the service gives at least 24h");
    check("8761h", "a lifetime of 8761h is too long: the service gives at most 8760h");
    check(
        "36h",
        "a lifetime of 36h is not a whole number of days, and the service counts in days: use a multiple of 24h",
    );
    check("24h500ms", "a lifetime of 24h500ms is not a whole number of seconds: leave the fraction out");
    let dated = changed(
        CUSTOM,
        "/operations/generate/request/json",
        json!(r#"{"n": {{ name }}, "end": {{ expirationDate }}}"#),
    );
    let dated = Declaration::check(&dated).unwrap();
    assert!(dated.check_lifetime(Lifetime::parse("49h").unwrap()).is_ok());
    assert_eq!(
        dated.check_lifetime(Lifetime::parse("47h").unwrap()).unwrap_err(),
        "a lifetime of 47h is too short: the service is told a date, and the token may end as that begins: use at least 48h"
    );
    let unlimited = changed(CUSTOM, "/operations/lifetime", Value::Null);
    let unlimited = Declaration::check(&unlimited).unwrap();
    assert!(unlimited.check_lifetime(Lifetime::Never).is_ok());
    assert_eq!(
        unlimited.check_lifetime(Lifetime::parse("24h").unwrap()).unwrap_err(),
        "tokens of this service never expire: set lifetime: Never, and rotate by rotation.interval"
    );
}

#[test]
fn a_token_is_valid_where_the_service_is_and_where_verify_is_asked() {
    let origin = |spec| Declaration::check(&spec).unwrap().origin().to_owned();
    let here = origin(spec(CUSTOM));
    let elsewhere = origin(changed(CUSTOM, "/operations/verify/baseURL", json!("https://dl.example:8443/v2")));
    assert_eq!(elsewhere, format!("{here}, verify at https://dl.example:8443"));
}

#[test]
fn a_service_may_want_names_without_a_part_for_people() {
    let part = |naming: Value| {
        let declaration = Declaration::check(&changed(CUSTOM, "/operations/naming", naming)).unwrap();
        declaration.display_part("shop/ci").to_owned()
    };
    assert_eq!(part(json!({"maximumLength": 128})), "shop/ci");
    assert_eq!(part(json!({"displayName": "Omitted"})), "");
}

#[test]
fn parameters_are_completed_and_checked() {
    let mut spec = spec(CUSTOM);
    spec.constraints.parameters = BTreeMap::from([("role".to_owned(), vec!["Developer".to_owned()])]);
    let declaration = Declaration::check(&spec).unwrap();
    let check = |given: Value, expected: &str| {
        let given: Parameters = serde_json::from_value(given).unwrap();
        assert_eq!(declaration.check_parameters(&given).err().unwrap_or_default(), expected);
    };
    check(json!({"role": "Developer", "scopes": ["a", "b"]}), "");
    check(json!({}), "the parameter role is required: set it");
    check(json!({"role": "Admin"}), "the parameter role has a value that is not allowed: use Developer");
    check(json!({"role": "Root"}), "the parameter role has a value that is not allowed: use Developer, Admin");
    check(json!({"role": ["Developer"]}), "the parameter role must be one string: the service takes no list here");
    check(json!({"role": 7}), "the parameter role must be a string or a list of strings");
    check(json!({"role": "Developer", "x": "y"}), "the service has no parameter x: it knows role, scopes");
}
