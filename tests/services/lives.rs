//! The same steps with tokens at every real service: generate, verify, list, revoke.

use std::time::Duration;

use artifact_token_operator::api::parameters::{Lifetime, Parameters};
use artifact_token_operator::api::time::Time;
use artifact_token_operator::api::token_service::Capability;
use artifact_token_operator::service::client::ServiceClient;
use artifact_token_operator::service::client::answers::{GenerateRequest, Generated, ListedToken, VerifyAnswer};
use secrecy::{ExposeSecret, SecretString};
use testbed::ReferenceService;

use super::{declaration, outcome, places, service};

async fn reference() -> ReferenceService {
    ReferenceService::start(support::binary("reference-service")).await.unwrap()
}

fn reference_spec(url: &str, more: &str) -> String {
    format!(
        "preset: Reference\nbaseURL: {url}\nconnection: {{insecureHTTP: true}}\ncredentials: {{adminKey: {{name: admin, key: key}}}}\nnaming: {{prefix: test}}\n{more}"
    )
}

fn at_reference(running: &ReferenceService, more: &str) -> ServiceClient {
    service(declaration(&reference_spec(&running.base_url(), more)), &[("adminKey", running.admin_key())])
}

/// The token that the caller asks for. It has a name only if tokens of the service have names.
async fn generate(service: &ServiceClient, name: &str, lifetime: Lifetime) -> Generated {
    let names = service.declaration().can(Capability::Names);
    let parameters = service.declaration().check_parameters(&Parameters::new()).unwrap();
    service.declaration().check_lifetime(lifetime).unwrap();
    let name = names.then(|| name.to_owned());
    let now = Time::from(chrono::Utc::now());
    let wanted = GenerateRequest { name, display_name: None, lifetime, parameters, now, claimed: now };
    service.generate(&wanted, &mut places()).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn verdict(service: &ServiceClient, token: Option<&SecretString>) -> VerifyAnswer {
    service.verify(token, &mut places()).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn rows(service: &ServiceClient) -> Vec<ListedToken> {
    service.list(&mut places()).await.unwrap_or_else(|error| panic!("{error}")).rows.clone()
}

/// Two tokens of one service: both are accepted and listed; one is revoked, and the other one stays.
async fn tokens_live_and_die(service: &ServiceClient) {
    assert!(matches!(verdict(service, None).await, VerifyAnswer::Refused { .. }), "verify proves something");
    assert!(matches!(verdict(service, Some(&SecretString::from("wrong"))).await, VerifyAnswer::Refused { .. }));
    assert_eq!(rows(service).await, []);

    let name = "test.abcdefghijklmnop.1.k3f9q2ax a/b \"c\" \u{fc}";
    let first = generate(service, name, Lifetime::Never).await;
    let second = generate(service, "test.abcdefghijklmnop.2.k3f9q2ay", Lifetime::Never).await;
    assert_eq!(verdict(service, Some(&first.value)).await, VerifyAnswer::Accepted);
    assert_eq!(verdict(service, Some(&second.value)).await, VerifyAnswer::Accepted);
    let listed = rows(service).await;
    let (first_id, second_id) = (first.id.unwrap(), second.id.unwrap());
    assert_eq!(listed.len(), 2, "{listed:?}");
    let row = listed.iter().find(|row| row.id == first_id).unwrap();
    assert!(row.created.is_some());
    assert_eq!(row.name.as_deref(), service.declaration().can(Capability::Names).then_some(name));

    service.revoke(&first_id, &mut places()).await.unwrap();
    assert!(matches!(verdict(service, Some(&first.value)).await, VerifyAnswer::Refused { .. }));
    assert_eq!(verdict(service, Some(&second.value)).await, VerifyAnswer::Accepted, "only one was revoked");
    assert_eq!(rows(service).await.into_iter().map(|row| row.id).collect::<Vec<_>>(), std::slice::from_ref(&second_id));
    // Some services answer "gone", some answer "success": neither is an error.
    service.revoke(&first_id, &mut places()).await.unwrap();
    service.revoke(&second_id, &mut places()).await.unwrap();
    assert!(matches!(verdict(service, Some(&second.value)).await, VerifyAnswer::Refused { .. }));
    assert_eq!(rows(service).await, []);
}

/// The service reports a wrong credential as such, and changes nothing.
async fn a_wrong_credential_is_refused(wrong: &ServiceClient) {
    assert_eq!(outcome(wrong.list(&mut places()).await), "Refused credential");
    assert_eq!(outcome(wrong.revoke("x", &mut places()).await), "Refused credential");
    let wanted = GenerateRequest {
        name: Some("test.x".to_owned()),
        display_name: None,
        lifetime: Lifetime::Never,
        parameters: Parameters::new(),
        now: Time::default(),
        claimed: Time::default(),
    };
    assert_eq!(outcome(wrong.generate(&wanted, &mut places()).await), "Refused credential");
}

#[tokio::test]
async fn tokens_of_the_reference_service_live_and_die() {
    let running = reference().await;
    tokens_live_and_die(&at_reference(&running, "")).await;
    assert_eq!(running.live().await.unwrap(), []);
    let wrong = service(declaration(&reference_spec(&running.base_url(), "")), &[("adminKey", "wrong")]);
    a_wrong_credential_is_refused(&wrong).await;
    assert_eq!(running.books().await.unwrap().tokens.len(), 2, "the wrong credential generated nothing");
}

#[tokio::test]
async fn tokens_of_appetize_live_and_die() {
    let running = reference().await;
    let yaml = format!(
        "preset: Appetize\nbaseURL: {}/appetize\nconnection: {{insecureHTTP: true}}\ncredentials: {{apiKey: {{name: admin, key: key}}}}\nnaming: {{prefix: test}}\n",
        running.base_url()
    );
    let with = |key: &str| service(declaration(&yaml), &[("apiKey", key)]);
    let service = with(running.admin_key());
    tokens_live_and_die(&service).await;
    a_wrong_credential_is_refused(&with("wrong")).await;
    assert_eq!(running.books().await.unwrap().mails, 2, "one mail for each token");

    // The least role is the default. It may not make other tokens.
    let developer = generate(&service, "test.x", Lifetime::Never).await;
    a_wrong_credential_is_refused(&with(developer.value.expose_secret())).await;
    let listed = rows(&service).await;
    assert_eq!(listed[0].name.as_deref(), Some("test.x"));
    assert!(listed[0].last_used.is_none(), "it was only refused");
    assert_eq!(verdict(&service, Some(&developer.value)).await, VerifyAnswer::Accepted);
    assert!(rows(&service).await[0].last_used.is_some());
    for number in 0..40 {
        generate(&service, &format!("test.{number}"), Lifetime::Never).await;
    }
    assert_eq!(rows(&service).await.len(), 41, "all pages");
}

/// Seal's clients send HTTP Basic: the project, and the token. The operator's own credential never goes with it.
#[tokio::test]
async fn a_token_of_seal_is_verified_by_basic() {
    let running = reference().await;
    let yaml = format!(
        "preset: Custom\nbaseURL: {}/seal/authorization\nconnection: {{insecureHTTP: true}}\ncredentials: {{key: {{name: admin, key: key}}}}\nvariables: {{project: payments}}\noperations:\n  authentication: {{basic: {{username: admin, password: '{{{{ credentials.key }}}}'}}}}\n  verify:\n    request: {{method: GET, path: /, basic: {{username: '{{{{ variables.project }}}}', password: '{{{{ token }}}}'}}}}\n    accepted: {{statuses: [200]}}\n",
        running.base_url()
    );
    let service = service(declaration(&yaml), &[("key", running.admin_key())]);
    let value = running.make_by_hand("/seal/settings/tokens", "name=ci&type=Production&expiry=Never").await.unwrap();
    assert_eq!(verdict(&service, Some(&SecretString::from(value))).await, VerifyAnswer::Accepted);
    for wrong in [Some(SecretString::from("wrong")), None] {
        assert!(matches!(verdict(&service, wrong.as_ref()).await, VerifyAnswer::Refused { status: 401 }));
    }
    let credentials: Vec<String> = running.books().await.unwrap().log.into_iter().map(|call| call.credential).collect();
    assert_eq!(credentials, ["Token", "Wrong", "None"], "the admin key never");
}

#[tokio::test]
async fn a_limited_lifetime_is_asked_for_and_comes_back() {
    let running = reference().await;
    let service = at_reference(&running, "");
    let hour = Duration::from_secs(3600);
    let token = generate(&service, "test.x", Lifetime::Limited(hour)).await;
    let ends = token.expiration_time.unwrap();
    let expected = Time::from(chrono::Utc::now()).plus(hour);
    assert!(expected.since(ends) < Duration::from_secs(60) && ends.since(expected) < Duration::from_secs(60), "{ends}");
    assert_eq!(rows(&service).await[0].expiration, Some(ends));
}

#[tokio::test]
async fn long_lists_are_read_to_their_end_by_every_kind_of_pagination() {
    let running = reference().await;
    let list = |pagination: &str| {
        format!(
            "operations: {{list: {{request: {{method: GET, path: /v1/tokens, query: {{limit: \"2\"}}}}, items: '$.items[*]', item: {{id: $.id, name: $.name}}, pagination: {pagination}}}}}"
        )
    };
    let service = at_reference(&running, "");
    for number in 0..5 {
        generate(&service, &format!("test.{number}"), Lifetime::Never).await;
    }
    for pagination in
        ["{pageParameter: page, next: $.nextPage}", "{pageParameter: page}", "{nextURL: $.next}", "{link: true}"]
    {
        let mut names: Vec<_> =
            rows(&at_reference(&running, &list(pagination))).await.into_iter().map(|row| row.name.unwrap()).collect();
        names.sort();
        assert_eq!(names, ["test.0", "test.1", "test.2", "test.3", "test.4"], "{pagination}");
    }
}

#[tokio::test]
async fn a_verify_by_the_body_proves_something_and_one_that_accepts_everybody_is_seen() {
    let running = reference().await;
    let verify = |path: &str, accepted: &str, refused: &str| {
        format!(
            "operations: {{verify: {{request: {{method: GET, path: {path}, headers: {{Authorization: 'Bearer {{{{ token }}}}'}}}}, accepted: {accepted}, refused: {refused}}}}}"
        )
    };
    let by = |active: bool| format!("{{statuses: [200], body: {{path: $.active, equals: '{active}'}}}}");
    let introspect = at_reference(&running, &verify("/v1/introspect", &by(true), &by(false)));
    let token = generate(&introspect, "test.x", Lifetime::Never).await;
    assert_eq!(verdict(&introspect, Some(&token.value)).await, VerifyAnswer::Accepted);
    assert!(matches!(verdict(&introspect, Some(&SecretString::from("wrong"))).await, VerifyAnswer::Refused { .. }));
    assert!(matches!(verdict(&introspect, None).await, VerifyAnswer::Refused { .. }));
    let open = at_reference(&running, &verify("/v1/open", "{statuses: [200]}", "{statuses: [401]}"));
    assert_eq!(
        verdict(&open, None).await,
        VerifyAnswer::Accepted,
        "this is the case of the reason VerifyProvesNothing"
    );
}

#[tokio::test]
#[cfg_attr(not(feature = "real-services"), ignore = "needs the feature real-services")]
async fn tokens_of_verdaccio_live_and_die() {
    let running = testbed::Verdaccio::start().await.unwrap();
    let yaml = format!(
        "preset: Verdaccio\nbaseURL: {}\nconnection: {{insecureHTTP: true}}\ncredentials: {{username: {{name: admin, key: user}}, password: {{name: admin, key: password}}}}\n",
        running.base_url()
    );
    let with = |password: &str| service(declaration(&yaml), &[("username", running.user()), ("password", password)]);
    tokens_live_and_die(&with(running.password())).await;
    a_wrong_credential_is_refused(&with("wrong")).await;
}
