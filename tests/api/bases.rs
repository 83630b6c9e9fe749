//! Valid objects: a small one of each kind, and full ones that together have a value for every field.

use serde_json::{Value, json};

use crate::world::Kind;

/// The smallest object of a kind.
pub fn small(kind: Kind) -> Value {
    match kind {
        Kind::ArtifactToken => object(
            kind,
            json!({
                "serviceRef": {"name": "internal-registry"},
                "rotation": {"policy": "Disabled"},
                "secret": {"name": "registry-token", "data": [{"key": "token", "format": "Raw"}]},
            }),
        ),
        Kind::TokenService | Kind::ClusterTokenService => {
            object(kind, json!({"preset": "Verdaccio", "baseURL": "https://npm.example"}))
        }
    }
}

/// Objects of a kind that together have a value for every field of the spec.
pub fn full(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::ArtifactToken => vec![artifact_token(), short_lived(), unscheduled()],
        Kind::TokenService => vec![
            token_service(
                json!({"basic": {"username": "{{ credentials.user }}", "password": "{{ credentials.password }}"}}),
                json!({"json": "{\"id\": {{ id }}}"}),
                json!({"pageParameter": "page", "firstPage": 0, "next": "$.next"}),
            ),
            token_service(
                json!({"bearer": "{{ credentials.user }}"}),
                json!({"form": {"id": "{{ id }}"}}),
                json!({"nextURL": "$.next"}),
            ),
            token_service(
                json!({"header": {"name": "X-API-KEY", "value": "{{ credentials.user }}"}}),
                json!({"json": "{}"}),
                json!({"link": true}),
            ),
        ],
        Kind::ClusterTokenService => {
            let allowed = [by_labels(), json!({"from": "Names", "names": ["ci", "payments"]}), json!({"from": "All"})];
            let shared = |(mut service, allowed): (Value, Value)| {
                service["kind"] = json!(kind.name());
                service["spec"]["allowedNamespaces"] = allowed;
                service
            };
            full(Kind::TokenService).into_iter().zip(allowed).map(shared).collect()
        }
    }
}

fn by_labels() -> Value {
    let expressions = json!([
        {"key": "team", "operator": "In", "values": ["ci", "qa"]},
        {"key": "closed", "operator": "DoesNotExist"},
    ]);
    json!({"from": "Selector", "selector": {"matchLabels": {"team": "ci"}, "matchExpressions": expressions}})
}

/// `object` with other values. Each has a JSON pointer; null removes a field, and a pointer that ends in `/-` appends to a list.
pub fn with(object: &Value, edits: &Value) -> Value {
    let mut edited = object.clone();
    for (pointer, value) in edits.as_object().unwrap() {
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        // RFC 6901 writes a slash within a key like this.
        let last = last.replace("~1", "/");
        match edited.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
            Value::Object(fields) if value.is_null() => drop(fields.shift_remove(&last)),
            Value::Object(fields) => drop(fields.insert(last, value.clone())),
            Value::Array(items) if last == "-" => items.push(value.clone()),
            Value::Array(items) if value.is_null() => drop(items.remove(last.parse().unwrap())),
            Value::Array(items) => items[last.parse::<usize>().unwrap()] = value.clone(),
            other => panic!("{parent} is {other}"),
        }
    }
    edited
}

fn object(kind: Kind, spec: Value) -> Value {
    json!({"apiVersion": "artifact-token.dev/v1alpha1", "kind": kind.name(), "metadata": {"name": "base"}, "spec": spec})
}

/// One entry of each format. It keeps all rules, for each type of Secret.
fn artifact_token() -> Value {
    let spec = json!({
        "serviceRef": {"kind": "TokenService", "name": "internal-registry"},
        "displayName": "ci main",
        "parameters": {"scopes": ["read"]},
        "lifetime": "2160h",
        "rotation": {
            "policy": "Periodic", "interval": "720h", "rotateBefore": "336h", "overlap": "6h",
            "rotateIssuedBefore": "2026-11-01T00:00:00Z", "revokeIssuedBefore": "2026-11-01T00:00:00Z",
        },
        "verification": {"probe": "Required", "interval": "12h"},
        "deletion": {"policy": "Revoke"},
        "suspend": false,
        "secret": {
            "name": "registry-token",
            "type": "Opaque",
            "labels": {"team": "ci"},
            "annotations": {"team": "ci"},
            "data": [
                {"key": ".npmrc", "format": "Npmrc", "registry": "https://npm.example/", "scopes": ["@payments"],
                 "auth": "Basic", "username": "payments"},
                {"key": "token", "format": "Raw"},
                {"key": ".dockerconfigjson", "format": "DockerConfigJson", "registry": "registry.example:5000",
                 "username": "payments"},
                {"key": "password", "format": "BasicAuth", "username": "payments"},
                {"key": "seal.ini", "format": "Template", "template": "key = {{ token }}"},
                {"key": "SEAL_TOKEN", "format": "SealEnv", "username": "payments"},
            ],
        },
    });
    object(Kind::ArtifactToken, spec)
}

/// All durations are as short as the rules between them allow.
fn short_lived() -> Value {
    let edits = json!({
        "/spec/lifetime": "3m",
        "/spec/rotation/interval": "1m",
        "/spec/rotation/rotateBefore": "1s",
        "/spec/rotation/overlap": "1s",
    });
    with(&artifact_token(), &edits)
}

/// No rotation by age, and the other way to write an `.npmrc`.
fn unscheduled() -> Value {
    let edits = json!({
        "/spec/rotation": {"policy": "Disabled"},
        "/spec/secret/data/0": {"key": ".npmrc", "format": "Npmrc", "registry": "https://npm.example/", "auth": "Bearer"},
    });
    with(&artifact_token(), &edits)
}

fn token_service(authentication: Value, body: Value, pagination: Value) -> Value {
    let request = |method: &str| {
        let mut request = json!({
            "method": method, "path": "/v1/tokens", "query": {"limit": "50"}, "headers": {"X-Client": "operator"},
            "basic": {"username": "{{ variables.project }}", "password": "{{ credentials.user }}"},
        });
        request.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        request
    };
    let matched = json!({"statuses": [200], "body": {"path": "$.active", "equals": "true"}});
    let spec = json!({
        "preset": "Custom",
        "baseURL": "https://tokens.corp.example",
        "credentials": {"user": {"name": "reg-admin", "key": "user"}},
        "variables": {"project": "payments"},
        "operations": {
            "authentication": authentication,
            "ids": "Reused",
            "page": "Settings > Tokens",
            "naming": {"unsupported": false, "maximumLength": 64, "displayName": "Omitted"},
            "lifetime": {"never": true, "minimum": "24h", "maximum": "8760h", "expiry": "Answered"},
            "parameters": [{"name": "role", "values": ["Developer"], "default": "Developer", "required": true}],
            "generate": {
                "request": request("POST"), "success": [201], "notExecuted": [429], "nameTaken": matched, "timeout": "90s",
                "response": {"value": "$.key", "id": "$.id", "expirationTime": "$.until"},
            },
            "errorMessage": "$.message",
            "verify": {"baseURL": "https://dl.corp.example", "request": request("GET"), "accepted": matched,
                       "refused": {"statuses": [200], "body": {"path": "$.active", "equals": "false"}, "or": [matched]}},
            "list": {
                "request": request("PUT"), "success": [200], "empty": matched, "items": "$.items[*]",
                "pagination": pagination,
                "item": {"id": "$.id", "name": "$.note", "namePrefix": "robot$", "createdTime": "$.created", "expirationTime": "$.until",
                         "lastUsedTime": "$.used"},
            },
            "revoke": {"request": request("DELETE"), "success": [204], "gone": [404]},
        },
        "connection": {"timeout": "30s", "caBundleRef": {"name": "corp-ca", "key": "ca.crt"}, "clientCertificateRef": {"name": "reg-tls"},
                       "proxy": {"url": "http://proxy.corp.example:3128", "basic": {"username": "me", "password": "{{ credentials.key }}"}}, "insecureHTTP": false,
                       "allowLinkLocal": false},
        "limits": {"requestsPerMinute": 30, "maximumLiveTokens": 100},
        "naming": {"prefix": "prod-eu1"},
        "defaults": {"lifetime": "Never", "overlap": "6h", "parameters": {"role": "Developer"}},
        "constraints": {"parameters": {"role": ["Developer"]}, "minimumInterval": "24h"},
        "hint": "LastFour",
        "sweep": {"interval": "1h", "policy": "Revoke"},
        "revokeIssuedBefore": "2026-11-01T00:00:00Z",
        "suspend": false,
    });
    object(Kind::TokenService, spec)
}

/// A status with a value for every field, as the operator writes it.
pub fn status(kind: Kind) -> Value {
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "TokenValid", "message": "attempt 7 verified",
        "observedGeneration": 1, "lastTransitionTime": TIME,
    });
    match kind {
        Kind::TokenService | Kind::ClusterTokenService => json!({
            "observedGeneration": 1, "conditions": [condition], "capabilities": ["Generate"],
            "credentialsRevision": "3f9a",
            "lastSweep": {"time": TIME, "managed": 11, "pendingRevocation": 1, "suspected": 0, "renamed": 1, "disputed": 1, "unseen": 1,
                          "orphaned": 1,
                          "orphans": [{"id": "tok_01JA", "name": "prod.aaaaaaaaaaaaaaaa.1.0", "sinceTime": TIME}]},
        }),
        Kind::ArtifactToken => json!({
            "observedGeneration": 1,
            "conditions": [condition],
            "nextRotationTime": TIME,
            "binding": {"name": "registry-token"},
            "service": {"uid": "d90b9474-8543", "origin": "https://tokens.corp.example"},
            "claim": {"attempt": 7, "nonce": "k3f9q2ax", "time": TIME, "requestDigest": "9c56", "request": "1",
                      "handOver": {"uid": "d9a7", "resourceVersion": "4710"}, "outcome": "Verified"},
            "current": {
                "attempt": 7, "id": "tok_01J9", "nonce": "k3f9q2ax", "credentialsRevision": "3f9a", "hint": "****x7Qd", "requestDigest": "9c56", "claimedTime": TIME,
                "issuedTime": TIME, "publishedTime": TIME, "verifiedTime": TIME, "probed": true, "refusedTime": TIME, "rejectedTime": TIME, "unclear": {"sinceTime": TIME, "message": "status 418"},
                "handOver": {"uid": "d9a7", "resourceVersion": "4710"}, "remindedDays": 30, "expirationTime": TIME, "lastUsedTime": TIME, "secretResourceVersion": "4711",
            },
            "superseded": [{"attempt": 6, "id": "tok_01HX", "nonce": "k3f9q2ax", "credentialsRevision": "3f9a", "claimedTime": TIME, "revokeAfterTime": TIME, "unpublished": false, "held": true, "tries": 1,
                            "nextTryTime": TIME, "rejectedTime": TIME, "handedOver": true, "hint": "****x7Qd", "failure": "the service still accepts it"}],
            "lost": [{"attempt": 4, "nonce": "k3f9q2ax", "time": TIME}],
            "possiblyLost": [{"attempt": 3, "claimedTime": TIME}],
            "history": [{"attempt": 5, "id": "tok_01HB", "nonce": "k3f9q2ax", "revokedTime": TIME, "proof": "Refused"}],
            "replaced": {"id": "tok_01HA", "untilTime": TIME},
            "failures": {"count": 1, "nextTryTime": TIME, "generation": 1, "reason": "ServiceNotReady",
                         "message": "no answer"},
            "refusals": {"count": 2, "lastTime": TIME, "nextReplacementTime": TIME},
            "handledRequests": {"rotate": "1", "reconcile": "1", "confirm": "1"},
            "leak": {"issuedBefore": TIME, "objectIssuedBefore": TIME, "serviceIssuedBefore": TIME, "claimedBefore": TIME, "revokedTime": TIME, "replacedTime": TIME},
            "conflict": {"attempt": 9, "id": "tok_01KA"},
        }),
    }
}

/// A time, as the operator writes it.
const TIME: &str = "2026-10-01T09:02:11.000Z";
