//! Services that no test can run: each declaration of `examples/services/` goes through the life of a token against what the documents of
//! its service say, which stands as data in `tests/services/documented/`: the request that they expect, and the answer that they give.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use artifact_token_operator::api::ids::Nonce;
use artifact_token_operator::api::parameters::{Lifetime, Parameters};
use artifact_token_operator::api::token_service::{Capability, TokenService, TokenServiceSpec};
use artifact_token_operator::rotation::identity;
use artifact_token_operator::service::client::ServiceClient;
use artifact_token_operator::service::client::answers::{GenerateRequest, RevokeAnswer, VerifyAnswer};
use artifact_token_operator::service::declaration::Declaration;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use support::peer::{Peer, Reply, answer};
use url::{Position, Url, form_urlencoded};

use super::{outcome, places, service, wanted};

const EXAMPLES: &str = "examples/services";
const RECORDS: &str = "tests/services/documented";

/// What the documents of a service say.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    /// Where they say it.
    sources: Vec<String>,
    /// The token that is asked for.
    #[serde(default)]
    lifetime: Option<Lifetime>,
    #[serde(default)]
    parameters: Parameters,
    /// The token that the service gives.
    token: Token,
    /// A request without a token.
    verify_nothing: Exchange,
    generate: Exchange,
    verify: Exchange,
    /// The pages of the list with the token in it.
    #[serde(default)]
    list: Vec<Exchange>,
    #[serde(default)]
    revoke: Option<Exchange>,
    verify_revoked: Exchange,
    #[serde(default)]
    list_revoked: Vec<Exchange>,
    #[serde(default)]
    revoke_again: Option<Exchange>,
    /// *generate* with a name that is taken, where names are unique.
    #[serde(default)]
    name_taken: Option<Exchange>,
    /// *generate* with a credential that is refused.
    refused: Exchange,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Token {
    value: String,
    id: String,
    #[serde(default)]
    expiration_time: Option<String>,
    /// The name that it has in the list.
    #[serde(default)]
    listed_name: Option<String>,
}

/// One request, and the answer to it. `{name}` stands for the name of the token.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Exchange {
    /// `GET /path?query`.
    request: String,
    /// Headers that it must have. All credentials and tokens must stand here, or in the body.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    form: Option<BTreeMap<String, String>>,
    /// The status of the answer.
    status: u16,
    #[serde(default)]
    answer_headers: BTreeMap<String, String>,
    #[serde(default)]
    answer: Value,
}

impl Exchange {
    /// What is wrong with a request, if anything.
    fn problem(&self, request: &str, secrets: &[String]) -> Option<String> {
        let (head, body) = request.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let line = lines.next()?.trim_end_matches(" HTTP/1.1");
        if line != self.request {
            return Some(format!("{line} instead of {}", self.request));
        }
        let headers: BTreeMap<String, &str> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        for (name, value) in &self.headers {
            let found = headers.get(&name.to_ascii_lowercase());
            if found != Some(&value.as_str()) {
                return Some(format!("the header {name} is {found:?} instead of {value:?}"));
            }
        }
        let known: Vec<_> = self.headers.keys().map(|name| name.to_ascii_lowercase()).collect();
        let leak = headers.iter().find(|(name, value)| {
            !known.contains(name) && secrets.iter().any(|secret| value.contains(secret.as_str()))
                || name.as_str() == "authorization" && !known.contains(name)
        });
        if let Some((name, _)) = leak {
            return Some(format!("the header {name} is sent, too"));
        }
        let same = match (&self.json, &self.form) {
            (Some(json), _) => serde_json::from_str::<Value>(body).is_ok_and(|body| body == *json),
            (None, Some(form)) => {
                form_urlencoded::parse(body.as_bytes()).into_owned().collect::<BTreeMap<_, _>>() == *form
            }
            (None, None) => body.is_empty(),
        };
        (!same).then(|| format!("the body is {body}"))
    }

    fn reply(&self) -> Reply {
        let headers: String = self.answer_headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let body = if self.answer.is_null() { String::new() } else { self.answer.to_string() };
        answer(self.status, &headers, &body)
    }
}

/// A service that answers what is recorded, in this order.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<(VecDeque<Exchange>, Vec<String>)>>);

impl Script {
    fn expect(&self, exchanges: &[Exchange]) {
        self.0.lock().unwrap().0.extend(exchanges.iter().cloned());
    }

    fn hear(&self, request: &str, secrets: &[String]) -> Reply {
        let mut script = self.0.lock().unwrap();
        let Some(next) = script.0.pop_front() else {
            script.1.push(format!("one request too many: {request}"));
            return answer(500, "", "");
        };
        match next.problem(request, secrets) {
            None => next.reply(),
            Some(problem) => {
                script.1.push(problem);
                answer(500, "", "")
            }
        }
    }

    /// All that was expected was asked, and nothing else.
    fn done(&self, step: &str) {
        let script = self.0.lock().unwrap();
        assert!(script.1.is_empty(), "{step}: {}", script.1.join("\n"));
        let missing: Vec<_> = script.0.iter().map(|exchange| &exchange.request).collect();
        assert!(missing.is_empty(), "{step}: not asked: {missing:?}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the YAML files in a folder.
fn names(folder: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(root().join(folder)).unwrap().map(|file| PathBuf::from(file.unwrap().file_name()));
    let yaml = files.filter(|file| file.extension().is_some_and(|end| end == "yaml"));
    yaml.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// The declaration of a file, at `url`.
fn spec(name: &str, url: &str) -> TokenServiceSpec {
    let text = std::fs::read_to_string(root().join(format!("{EXAMPLES}/{name}.yaml"))).unwrap();
    let object: TokenService = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut spec = object.spec;
    Declaration::check(&spec).unwrap_or_else(|error| panic!("{name}: {error}"));
    let here = |there: &str| format!("{url}{}", &Url::parse(there).unwrap()[Position::BeforePath..]);
    spec.base_url = here(&spec.base_url);
    let verify = spec.operations.as_mut().and_then(|operations| operations.verify.as_mut());
    if let Some(elsewhere) = verify.and_then(|verify| verify.base_url.as_mut()) {
        *elsewhere = here(elsewhere);
    }
    spec.connection.insecure_http = true;
    spec
}

/// The record, with the name in its places.
fn record(name: &str, of_token: &str) -> Record {
    let path = format!("{RECORDS}/{name}.yaml");
    let text = std::fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut value: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    fill(&mut value, of_token);
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn fill(value: &mut Value, name: &str) {
    match value {
        Value::String(text) => *text = text.replace("{name}", name),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, name)),
        Value::Object(fields) => fields.values_mut().for_each(|value| fill(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The value of a credential.
fn credential(name: &str) -> String {
    format!("credential-{name}")
}

struct Life {
    script: Script,
    client: ServiceClient,
    record: Record,
    wanted: GenerateRequest,
}

impl Life {
    async fn begin(file: &str) -> Self {
        let script = Script::default();
        let spec_there = spec(file, "https://there.example");
        let mut secrets: Vec<_> = spec_there.credentials.keys().map(|name| credential(name)).collect();
        let declared = Declaration::check(&spec_there).unwrap();
        let own =
            identity::Name { uid16: "abcdefghijklmnop".to_owned(), attempt: 1, nonce: Nonce::new("k3f9q2ax").unwrap() };
        let prefix = declared.prefix().unwrap_or_default().to_owned();
        let name = declared
            .maximum_name_length()
            .map(|most| identity::format(&prefix, &own, declared.display_part("shop/ci"), most));
        let record = record(file, name.as_deref().unwrap_or_default());
        assert!(!record.sources.is_empty(), "{file}: say where its documents are");
        secrets.push(record.token.value.clone());
        let heard = script.clone();
        let peer = Peer::start(move |request| heard.hear(request, &secrets)).await;
        let declaration =
            Declaration::check(&spec(file, &peer.url())).unwrap_or_else(|error| panic!("{file}: {error}"));
        let lifetime = record.lifetime.unwrap_or(Lifetime::Never);
        declaration.check_lifetime(lifetime).unwrap_or_else(|error| panic!("{file}: {error}"));
        let parameters = declaration.check_parameters(&record.parameters);
        let wanted = GenerateRequest {
            name,
            display_name: Some("shop/ci".to_owned()),
            parameters: parameters.unwrap_or_else(|error| panic!("{file}: {error}")),
            ..wanted("", lifetime)
        };
        let credentials: Vec<_> = spec_there.credentials.keys().map(|name| (name.clone(), credential(name))).collect();
        let credentials: Vec<_> = credentials.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let client = service(declaration, &credentials);
        Self { script, client, record, wanted }
    }

    async fn verify(&self, token: Option<&str>, exchange: &Exchange, step: &str) -> VerifyAnswer {
        self.script.expect(std::slice::from_ref(exchange));
        let token = token.map(SecretString::from);
        let seen = self.client.verify(token.as_ref(), &mut places()).await;
        self.script.done(step);
        seen.unwrap_or_else(|error| panic!("{step}: {error}"))
    }

    /// The ids that are listed, each with its name.
    async fn list(&self, pages: &[Exchange], step: &str) -> BTreeMap<String, Option<String>> {
        self.script.expect(pages);
        let seen = self.client.list(&mut places()).await;
        self.script.done(step);
        let seen = seen.unwrap_or_else(|error| panic!("{step}: {error}"));
        seen.rows.iter().map(|row| (row.id.clone(), row.name.clone())).collect()
    }

    async fn revoke(&self, exchange: &Exchange, step: &str) -> RevokeAnswer {
        self.script.expect(std::slice::from_ref(exchange));
        let seen = self.client.revoke(&self.record.token.id, &mut places()).await;
        self.script.done(step);
        seen.unwrap_or_else(|error| panic!("{step}: {error}"))
    }

    async fn live(&self) {
        let Token { value, id, expiration_time, listed_name } = &self.record.token;
        let refused = |seen| matches!(seen, VerifyAnswer::Refused { .. });
        assert!(refused(self.verify(None, &self.record.verify_nothing, "verify without a token").await));

        self.script.expect(std::slice::from_ref(&self.record.generate));
        let made = self.client.generate(&self.wanted, &mut places()).await;
        self.script.done("generate");
        let made = made.unwrap_or_else(|error| panic!("generate: {error}"));
        assert_eq!((made.value.expose_secret(), made.id.as_ref()), (value.as_str(), Some(id)), "generate");
        assert_eq!(made.expiration_time.map(|end| end.to_string()), *expiration_time, "the end of the token");
        assert_eq!(made.doubt, None);

        assert_eq!(self.verify(Some(value), &self.record.verify, "verify").await, VerifyAnswer::Accepted);
        if self.client.declaration().can(Capability::List) {
            let listed = self.list(&self.record.list, "list").await;
            let names = self.client.declaration().can(Capability::Names);
            let name = listed_name.clone().or_else(|| self.wanted.name.clone()).filter(|_| names);
            assert_eq!(listed.get(id), Some(&name), "the token is listed: {listed:?}");
        }
        if let Some(revoke) = &self.record.revoke {
            assert_eq!(self.revoke(revoke, "revoke").await, RevokeAnswer::Success);
        }
        assert!(refused(self.verify(Some(value), &self.record.verify_revoked, "verify what is revoked").await));
        if self.client.declaration().can(Capability::List) {
            let listed = self.list(&self.record.list_revoked, "list without it").await;
            assert_eq!(listed.get(id), None, "{listed:?}");
        }
        if let Some(again) = &self.record.revoke_again {
            self.script.expect(std::slice::from_ref(again));
            let seen = self.client.revoke(id, &mut places()).await;
            self.script.done("revoke again");
            // An error of the service proves nothing, and ends nothing either.
            let known = if again.status < 500 { "Ok" } else { "Unknown" };
            assert_eq!(outcome(seen), known, "revoke again");
        }
        if let Some(taken) = &self.record.name_taken {
            self.script.expect(std::slice::from_ref(taken));
            let seen = outcome(self.client.generate(&self.wanted, &mut places()).await);
            self.script.done("a name that is taken");
            assert_eq!(seen, "Unknown", "a name that is taken");
        }
        self.script.expect(std::slice::from_ref(&self.record.refused));
        let seen = outcome(self.client.generate(&self.wanted, &mut places()).await);
        self.script.done("generate with a credential that is refused");
        assert_eq!(seen, "Refused credential");
    }

    /// What the declaration has must be recorded.
    fn check_record(&self, file: &str) {
        let declaration = self.client.declaration();
        let revoke = declaration.can(Capability::Revoke);
        assert_eq!(
            (self.record.revoke.is_some(), self.record.revoke_again.is_some()),
            (revoke, revoke),
            "{file}: revoke and revokeAgain"
        );
        let list = declaration.can(Capability::List);
        assert_eq!(
            (!self.record.list.is_empty(), !self.record.list_revoked.is_empty()),
            (list, list),
            "{file}: list and listRevoked"
        );
    }
}

#[tokio::test]
async fn every_declared_service_goes_through_the_life_that_its_documents_tell() {
    let files = names(EXAMPLES);
    assert_eq!(files, names(RECORDS), "each declaration has a record of the same name");
    for file in &files {
        let life = Life::begin(file).await;
        life.check_record(file);
        // The name of the file stands before what fails.
        println!("{file}");
        life.live().await;
    }
    println!("figure: {} declared services went through the life that their documents tell", files.len());
}
