//! The table of wrong declarations: which field, which value, which sentence.

use serde_json::{Value, json};

use super::{CUSTOM, REFERENCE, changed, problems, spec};

#[test]
fn every_wrong_field_is_named_with_what_to_do() {
    let check = |yaml: &str, pointer: &str, value: Value, expected: &str| {
        assert_eq!(problems(&changed(yaml, pointer, value)), [expected], "{pointer}");
    };
    check(
        REFERENCE,
        "/baseURL",
        json!("http://tokens.example"),
        "spec.baseURL: credentials would be sent in clear text: use https://, or set connection.insecureHTTP: true for a service inside your own network",
    );
    check(
        REFERENCE,
        "/baseURL",
        json!("https://user:pass@tokens.example"),
        "spec.baseURL: write it like https://tokens.corp.example/api, without user, query and fragment",
    );
    check(
        CUSTOM,
        "/operations/errorMessage",
        json!("message"),
        "spec.operations.errorMessage: not a JSONPath (RFC 9535): write it like $.items[0].id",
    );
    let value = spec(CUSTOM).operations.unwrap().generate.unwrap().response.value;
    check(
        CUSTOM,
        "/operations/errorMessage",
        json!(value),
        "spec.operations.errorMessage: is the place of the token itself: name that of a text for people",
    );
    check(
        CUSTOM,
        "/operations/generate/nameTaken",
        json!({"statuses": [200, 409]}),
        "spec.operations.generate.nameTaken.statuses: has statuses that mean success, too (200): name the answer to a name that is taken only",
    );
    check(
        REFERENCE,
        "/baseURL",
        json!("ftp://tokens.example"),
        "spec.baseURL: write it like https://tokens.corp.example/api, without user, query and fragment",
    );
    check(
        REFERENCE,
        "/baseURL",
        json!("tokens.example"),
        "spec.baseURL: is not a URL: write it like https://tokens.corp.example/api",
    );
    check(
        REFERENCE,
        "/credentials/adminKey/name",
        json!("vault/reg-admin"),
        "spec.credentials.adminKey.name: is not the name of an object: write it like reg-admin, with a-z, 0-9, - and . only",
    );
    check(
        REFERENCE,
        "/connection",
        json!({"caBundleRef": {"name": "?limit=1", "key": "ca.crt"}}),
        "spec.connection.caBundleRef.name: is not the name of an object: write it like reg-admin, with a-z, 0-9, - and . only",
    );
    check(
        REFERENCE,
        "/connection",
        json!({"caBundleRef": {"name": "corp-ca", "key": "a/b"}}),
        "spec.connection.caBundleRef.key: is not a key: write it like ca.crt, with letters, digits, -, _ and . only",
    );
    check(
        REFERENCE,
        "/credentials",
        Value::Null,
        "spec.operations.authentication.bearer: uses the credential adminKey: add it to spec.credentials",
    );
    check(
        REFERENCE,
        "/naming",
        Value::Null,
        "spec.naming.prefix: is required where tokens have names: choose one for this cluster, such as prod-eu1 (at most 20 of a-z 0-9 -)",
    );
    check(
        REFERENCE,
        "/naming",
        json!({"prefix": "Prod_1"}),
        "spec.naming.prefix: write 1 to 20 characters of a-z, 0-9 and -",
    );
    check(
        REFERENCE,
        "/constraints",
        json!({"parameters": {"role": ["x"]}}),
        "spec.constraints.parameters.role: the service has no such parameter: remove it",
    );
    check(
        REFERENCE,
        "/defaults",
        json!({"parameters": {"scopes": 7}}),
        "spec.defaults.parameters.scopes: the parameter scopes must be a string or a list of strings",
    );
    check(
        REFERENCE,
        "/operations",
        json!({"naming": {"maximumLength": 40}}),
        "spec.operations.naming.maximumLength: names of 40 characters are too short for the operator's own part: 45 are needed with this prefix; shorten spec.naming.prefix, or set spec.operations.naming: {unsupported: true}",
    );

    check(
        CUSTOM,
        "/operations/verify",
        Value::Null,
        "spec.operations.verify: is missing: declare a request that is accepted with a valid token and refused without one",
    );
    check(
        CUSTOM,
        "/operations/verify/request/headers",
        Value::Null,
        "spec.operations.verify.request: does not send the token: put {{ token }} into a header or into basic",
    );
    check(
        CUSTOM,
        "/operations/verify/request/query",
        json!({"k": "{{ credentials.user }}"}),
        "spec.operations.verify.request.query.k: verify is sent with the token and nothing else: remove the credential",
    );
    check(
        CUSTOM,
        "/operations/verify/request/basic",
        json!({"username": "{{ variables.project }}", "password": "{{ token }}"}),
        "spec.operations.verify.request: set basic or the header Authorization, not both",
    );
    check(
        CUSTOM,
        "/operations/generate/request/basic",
        json!({"username": "{{ displayName }}", "password": "{{ credentials.password }}"}),
        "spec.operations.generate.request.basic.username: has a hole that may be empty: use one that always has a value",
    );
    check(
        CUSTOM,
        "/operations/verify/refused",
        json!({"statuses": [200]}),
        "spec.operations.verify.refused: means answers that accepted means, too (status 200), so verify would prove nothing: name the answers to a wrong token only; where the status is the same, tell the two apart by the same body.path with another equals",
    );
    check(
        CUSTOM,
        "/operations/verify/accepted/statuses",
        json!([20]),
        "spec.operations.verify.accepted.statuses: write HTTP statuses, which are numbers from 100 to 599",
    );
    check(
        CUSTOM,
        "/operations/verify/accepted/body",
        json!({"path": "active"}),
        "spec.operations.verify.accepted.body.path: not a JSONPath (RFC 9535): write it like $.items[0].id",
    );
    check(
        CUSTOM,
        "/operations/authentication/bearer",
        json!("x"),
        "spec.operations.authentication: set exactly one of basic, bearer and header",
    );
    check(
        CUSTOM,
        "/operations/generate/request/path",
        json!("t?x=1"),
        "spec.operations.generate.request.path: begin it with /, without ? and #; a query goes into the field query",
    );
    check(
        CUSTOM,
        "/operations/generate/request/path",
        json!("/a/../t"),
        "spec.operations.generate.request.path: has . or .. as a segment, or characters that a path cannot have: write it percent-encoded and without them",
    );
    check(
        CUSTOM,
        "/operations/generate/request/path",
        json!("/t/{{ displayName }}"),
        "spec.operations.generate.request.path: has a hole that may be empty: use one that always has a value",
    );
    check(
        CUSTOM,
        "/operations/generate/request/path",
        json!("/t/{{ nmae }}"),
        "spec.operations.generate.request.path: there is no hole nmae here: use name, displayName, lifetimeSeconds, lifetimeDays, expirationTime, expirationDate, expirationEpoch, credentials.X, variables.X, parameters.X",
    );
    check(
        CUSTOM,
        "/operations/generate/request/path",
        json!("/t/{{ parameters.rol }}"),
        "spec.operations.generate.request.path: uses the parameter rol: declare it in spec.operations.parameters",
    );
    check(
        CUSTOM,
        "/operations/generate/request/path",
        json!("/t/{{ variables.x }}"),
        "spec.operations.generate.request.path: uses the variable x: add it to spec.variables",
    );
    check(
        CUSTOM,
        "/operations/generate/request/path",
        json!("/t/{{ name"),
        "spec.operations.generate.request.path: is not a template (syntax error): write holes like {{ name }}",
    );
    check(
        CUSTOM,
        "/operations/generate/request/json",
        json!(r#"{"n": "{{ name }}", "d": {{ lifetimeDays }}}"#),
        "spec.operations.generate.request.json: the rendered text is not JSON; holes become JSON values with their quotes, so put none around them",
    );
    check(
        CUSTOM,
        "/operations/generate/request/json",
        json!("{% for x in name %}{% endfor %}"),
        "spec.operations.generate.request.json: the tag \"for\" is not allowed: use only if, elif, else and endif",
    );
    check(
        CUSTOM,
        "/operations/generate/request/json",
        json!(r#"{"n": {{ name }}}"#),
        "spec.operations.generate.request: does not send the lifetime that spec.operations.lifetime promises: put {{ lifetimeSeconds }}, {{ lifetimeDays }}, {{ expirationTime }}, {{ expirationDate }} or {{ expirationEpoch }} into it",
    );
    check(
        CUSTOM,
        "/operations/generate/request/json",
        json!(r#"{"d": {{ lifetimeDays }}}"#),
        "spec.operations.generate.request: does not send the token's name: put {{ name }} into it, or set spec.operations.naming: {unsupported: true} if tokens have no names",
    );
    check(
        CUSTOM,
        "/operations/generate/request/form",
        json!({"a": "b"}),
        "spec.operations.generate.request: set json or form, not both",
    );
    check(
        CUSTOM,
        "/operations/generate/request/headers",
        json!({"Host": "x"}),
        "spec.operations.generate.request.headers.Host: the operator sets this header itself: remove it",
    );
    check(
        CUSTOM,
        "/operations/generate/request/headers",
        json!({"a b": "x"}),
        "spec.operations.generate.request.headers.a b: is not the name of a header: use letters, digits, -, _ and .",
    );
    check(
        CUSTOM,
        "/operations/generate/request/headers",
        json!({"A": "x\n"}),
        "spec.operations.generate.request.headers.A: has a control character, for example a line break: remove it",
    );
    check(
        CUSTOM,
        "/operations/generate/response/id",
        Value::Null,
        "spec.operations.generate.response.id: is missing: the operator records and revokes a token by its id; say where the answer has it, such as $.id",
    );
    check(
        CUSTOM,
        "/operations/generate/timeout",
        json!("1h"),
        "spec.operations.generate.timeout: must be from 1s to 10m",
    );
    check(
        CUSTOM,
        "/operations/list/items",
        json!("$.items"),
        "spec.operations.list.items: must end in [*] or in a filter: write it like $.items[*]",
    );
    check(
        CUSTOM,
        "/operations/list/item",
        json!({"id": "$.id"}),
        "spec.operations.list.item.name: is missing: the operator finds lost tokens by their names; set it, or set spec.operations.naming: {unsupported: true} if tokens have no names",
    );
    check(
        CUSTOM,
        "/operations/list/pagination/link",
        json!(true),
        "spec.operations.list.pagination: set exactly one of pageParameter, nextURL and link: true",
    );
    check(
        CUSTOM,
        "/operations/list/request/path",
        json!("/t/{{ id }}"),
        "spec.operations.list.request.path: there is no hole id here: use credentials.X, variables.X",
    );
    check(
        CUSTOM,
        "/operations/revoke/request/path",
        json!("/t"),
        "spec.operations.revoke.request: does not say which token: put {{ id }} into the path, the query or the body",
    );
    check(
        CUSTOM,
        "/defaults",
        json!({"lifetime": "Never"}),
        "spec.defaults.lifetime: tokens of this service always expire: set lifetime to a duration",
    );
    let mut limited = changed(CUSTOM, "/operations/list", Value::Null);
    limited.limits.maximum_live_tokens = Some(3);
    assert_eq!(
        problems(&limited),
        [
            "spec.limits.maximumLiveTokens: needs spec.operations.list, which counts the tokens: declare it, or remove the limit"
        ]
    );
}
