//! What may change after an object exists, and what may not.

use serde_json::{Value, json};

use crate::bases::full;
use crate::world::{KINDS, Kind, SERVICES, check_all, world};

/// A merge patch of an existing full object.
pub struct Case {
    pub kind: Kind,
    /// Words of the rule's message that no other rule has.
    pub words: &'static str,
    refused: Value,
    accepted: Value,
}

#[tokio::test]
async fn what_is_immutable_cannot_be_changed_and_all_else_can() {
    let world = world().await;
    for kind in KINDS {
        world.create(kind, &full(kind)[0]).await;
    }
    check_all(cases(), |case| {
        let world = &world;
        async move {
            let refused = world.try_patch(case.kind, "base", &json!({"spec": case.refused})).await;
            refused.refused_with(&[case.words]).map_err(|problem| format!("{}: {problem}", case.refused))?;
            let accepted = world.try_patch(case.kind, "base", &json!({"spec": case.accepted})).await;
            accepted.result().map(drop).map_err(|problem| format!("{}: {problem}", case.accepted))
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_left_out_at_first_is_immutable_too_where_it_has_a_default() {
    let world = world().await;
    let kind = Kind::ArtifactToken;
    world.create(kind, &crate::bases::small(kind)).await;
    let explicit = json!({"spec": {"serviceRef": {"kind": "TokenService"}, "secret": {"type": "Opaque"}}});
    world.try_patch(kind, "base", &explicit).await.accepted();
    let removed = json!({"spec": {"serviceRef": {"kind": null}, "secret": {"type": null}}});
    world.try_patch(kind, "base", &removed).await.accepted();
    let docker = json!([{"key": "password", "format": "BasicAuth", "username": "ci"}]);
    let other = json!({"spec": {"secret": {"type": "kubernetes.io/basic-auth", "data": docker}}});
    world.try_patch(kind, "base", &other).await.refused_with(&["spec.secret.type is immutable"]).unwrap();
}

pub fn cases() -> Vec<Case> {
    let case = |kind, words, refused, accepted| Case { kind, words, refused, accepted };
    let atok = |words, refused, accepted| case(Kind::ArtifactToken, words, refused, accepted);
    let mut cases = vec![
        atok(
            "spec.serviceRef is immutable",
            json!({"serviceRef": {"name": "another"}}),
            json!({"displayName": "another", "lifetime": "Never", "parameters": {"scopes": ["write"]}}),
        ),
        atok(
            "spec.serviceRef is immutable",
            json!({"serviceRef": {"kind": "ClusterTokenService"}}),
            json!({"serviceRef": {"kind": "TokenService"}}),
        ),
        atok(
            "spec.secret.name is immutable",
            json!({"secret": {"name": "another"}}),
            json!({"secret": {"labels": {"team": "qa"}, "data": [{"key": "other", "format": "Raw"}]}}),
        ),
        atok(
            "spec.secret.type is immutable",
            json!({"secret": {"type": "kubernetes.io/dockerconfigjson"}}),
            json!({"rotation": {"interval": "100h"}, "verification": null, "deletion": {"policy": "Orphan"}}),
        ),
    ];
    cases.extend(SERVICES.into_iter().flat_map(service_cases));
    cases
}

fn service_cases(kind: Kind) -> Vec<Case> {
    let case = |words, refused, accepted| Case { kind, words, refused, accepted };
    let origin = "the scheme, host and port of baseURL are immutable";
    let other_origin = |url: &str| json!({"baseURL": url, "connection": {"insecureHTTP": true, "proxy": null}});
    let prefix = "naming.prefix is immutable";
    let verify = "the scheme, host and port of operations.verify.baseURL are immutable";
    let elsewhere = |url: &str| json!({"operations": {"verify": {"baseURL": url}}});
    vec![
        case(
            origin,
            other_origin("https://tokens2.corp.example"),
            json!({"baseURL": "https://tokens.corp.example/api"}),
        ),
        case(origin, other_origin("https://tokens.corp.example:8443"), json!({"suspend": true, "hint": "None"})),
        case(
            origin,
            other_origin("http://tokens.corp.example"),
            json!({"connection": {"insecureHTTP": true, "proxy": null}}),
        ),
        case(
            prefix,
            json!({"naming": {"prefix": "prod-eu2"}}),
            json!({"preset": "Verdaccio", "operations": {"generate": null}}),
        ),
        case(verify, json!({"operations": null, "preset": "Verdaccio"}), elsewhere("https://dl.corp.example/v2")),
        case(verify, elsewhere("https://dl2.corp.example"), json!({"operations": {"errorMessage": null}})),
        case(verify, elsewhere("https://dl.corp.example:8443"), json!({"operations": {"list": null}})),
        case(verify, json!({"operations": {"verify": {"baseURL": null}}}), json!({"operations": {"ids": "Unique"}})),
        case(prefix, json!({"naming": null}), json!({"limits": null, "defaults": null})),
        case(prefix, json!({"naming": {"prefix": null}}), json!({"credentials": null, "variables": null})),
    ]
}
