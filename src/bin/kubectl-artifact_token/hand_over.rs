//! `kubectl artifact-token hand-over`: writes the Secret that hands over a token, and tells what becomes of it.
//!
//! **Invariant:** the value goes from standard input into the Secret, and into nothing else: no argument, no output, no error.

mod judge;

use std::collections::HashSet;
use std::io::{self, IsTerminal as _, Read as _};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::ids::MAX_TOKEN_BYTES;
use artifact_token_operator::api::ledger::{ArtifactTokenStatus, HandOver};
use artifact_token_operator::api::names::is_name;
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::secret::hand_over::{hand_over_name, recipient};
use artifact_token_operator::secret::metadata::HAND_OVER;
use artifact_token_operator::service::mask::plain;
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::api::{Api, ApiResource, ListParams, PostParams};
use kube::core::DynamicObject;
use kube::{Client, ResourceExt};

use self::judge::{Outcome, end, hindrance, offer, outcome, refusal, to_revoke, version};
use super::cluster::{FIELD_MANAGER, Place, now};
use super::printing::Printing;
use super::target::{Kind, Target};
use super::wait::length;

/// To whom, and what is known of the token.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The ArtifactToken. The token itself comes from standard input, or from a prompt.
    name: String,
    // clap would show what it does not expect, and that may be a token.
    #[arg(hide = true)]
    more: Vec<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    printing: Printing,
    /// When the token expires at the service: a date or a time of RFC 3339. Example: `2027-11-01`.
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
    /// How long to wait until the token is taken up; 0 does not wait.
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = length)]
    timeout: Duration,
}

/// How often the object is looked at.
const PAUSE: Duration = Duration::from_secs(1);
/// No more is read, so that the wrong file does no harm: the longest token, and blanks around it.
const MAX_INPUT: u64 = 2 * MAX_TOKEN_BYTES as u64;

/// Hands over a token.
///
/// # Errors
/// When nothing may be handed over, the token is no token, the API server refuses a request, or the token is not taken up.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { name, more, place, printing, timeout, .. } = arguments;
    ensure!(
        more.is_empty(),
        "a token is no argument: it would stay in the history of the shell. Write it to standard input"
    );
    ensure!(is_name(name), "NAME is no name of an ArtifactToken");
    let expires = arguments.expires.as_deref().map(|text| end(text, now()));
    let expires = expires.transpose().map_err(|why| anyhow!("--expires {why}"))?;
    let (client, namespace) = place.connect().await?;
    let recipient = Recipient::new(&client, namespace, name.clone());
    recipient.token().await?;
    let there = recipient.offer().await?;
    let secret = offer(there, &recipient.namespace, name, &read_value(name)?, expires, now())
        .map_err(|why| anyhow!("nothing is written: {why}"))?;
    // A person may have taken a while to find the token.
    let before = recipient.token().await?;
    let told = recipient.refusals(&before).await.map(|events| events.into_iter().map(|(event, _)| event).collect());
    let written = recipient.write(&secret).await?;
    printing.say(&format!("The token is in the Secret {}, for the operator to take up.", written.name_any()));
    let look = format!("kubectl describe artifacttoken {name} -n {}", recipient.namespace);
    if timeout.is_zero() {
        printing.say(&format!("To see whether it is taken up: {look}"));
        return recipient.print(&client, printing).await;
    }
    // If nothing changed, what was said of the Secret holds for what was written, too.
    let changed = secret.resource_version() != written.resource_version();
    let stale = before.status.as_ref().and_then(refusal).filter(|_| changed).map(str::to_owned);
    let mut last = None;
    let version = version(&written);
    let wait = recipient.until_settled(&version, stale, told, &mut last);
    let settled = tokio::time::timeout(*timeout, wait).await.ok();
    match settled.or_else(|| last.map(Outcome::Refused)) {
        Some(Outcome::TakenUp(status)) => tell(printing, name, &status),
        Some(Outcome::Refused(why)) => bail!("{}", plain(&why)),
        Some(Outcome::Gone) => bail!("the ArtifactToken {name} is gone: delete the Secret {}", written.name_any()),
        None => bail!("not taken up yet; look at: {look}"),
    }
    recipient.print(&client, printing).await
}

/// The object to which a token is handed over.
struct Recipient {
    tokens: Api<ArtifactToken>,
    secrets: Api<Secret>,
    events: Api<Event>,
    namespace: String,
    name: String,
}

impl Recipient {
    fn new(client: &Client, namespace: String, name: String) -> Self {
        Self {
            tokens: Api::namespaced(client.clone(), &namespace),
            secrets: Api::namespaced(client.clone(), &namespace),
            events: Api::namespaced(client.clone(), &namespace),
            namespace,
            name,
        }
    }

    /// The object, if a token may be handed over to it.
    async fn token(&self) -> anyhow::Result<ArtifactToken> {
        let Self { name, namespace, .. } = self;
        let token = self.tokens.get_opt(name).await.with_context(|| format!("read the ArtifactToken {name}"))?;
        let token = token.ok_or_else(|| anyhow!("there is no ArtifactToken {name} in namespace {namespace}"))?;
        hindrance(&token).map_or(Ok(token), |why| Err(anyhow!(why)))
    }

    /// The Secret with which a token is handed over, if there is one.
    async fn offer(&self) -> anyhow::Result<Option<Secret>> {
        let name = hand_over_name(&self.name);
        let secret =
            self.secrets.get_opt(&name).await.map_err(|error| failed(error, &format!("read the Secret {name}")))?;
        let foreign =
            secret.as_ref().is_some_and(|secret| recipient(&name, secret.metadata.labels.as_ref()) != Some(&self.name));
        let (object, namespace) = (&self.name, &self.namespace);
        ensure!(
            !foreign,
            "nothing is written: there is a Secret {name} without the label {HAND_OVER}: {object}, so it may be somebody else's. If it \
             may be replaced, delete it: kubectl delete secret {name} -n {namespace}; or set the label: kubectl label --overwrite \
             secret {name} -n {namespace} {HAND_OVER}={object}"
        );
        Ok(secret)
    }

    /// Writes the Secret: a new one, or that version which was read.
    async fn write(&self, secret: &Secret) -> anyhow::Result<Secret> {
        let name = secret.name_any();
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let answer = match secret.metadata.resource_version {
            Some(_) => self.secrets.replace(&name, &params, secret).await,
            None => self.secrets.create(&params, secret).await,
        };
        answer.map_err(|error| match error {
            kube::Error::Api(status) if matches!(status.code, 404 | 409) => {
                anyhow!("nothing is written: somebody else changed the Secret {name} meanwhile. Call this again")
            }
            error => failed(error, &format!("write the Secret {name}")),
        })
    }

    /// The events about refused tokens of this object, by name, with their notes; `None` if they cannot be read, for example because the
    /// person may not. Then the condition alone says it.
    async fn refusals(&self, token: &ArtifactToken) -> Option<Vec<(String, String)>> {
        let uid = token.uid().unwrap_or_default();
        let about = format!("involvedObject.uid={uid},reason={}", Reason::HandOverRefused);
        let events = self.events.list(&ListParams::default().fields(&about)).await.ok()?;
        Some(events.into_iter().map(|event| (event.name_any(), event.message.unwrap_or_default())).collect())
    }

    /// Prints the object, for programs.
    async fn print(&self, client: &Client, printing: &Printing) -> anyhow::Result<()> {
        let object = DynamicObject::new(&self.name, &ApiResource::erase::<ArtifactToken>(&())).within(&self.namespace);
        let target = Target { kind: Kind::Token, object };
        printing.print(vec![printing.latest(client, target).await], true)
    }

    /// Waits until the token in this version of the Secret is taken up or refused. `stale` is what the condition said of an earlier one,
    /// `told` are the events about earlier ones. `last` gets what the condition says now.
    async fn until_settled(
        &self,
        written: &HandOver,
        mut stale: Option<String>,
        told: Option<HashSet<String>>,
        last: &mut Option<String>,
    ) -> Outcome {
        loop {
            match self.tokens.get_opt(&self.name).await {
                Ok(None) => return Outcome::Gone,
                Ok(Some(token)) => {
                    let events = if told.is_some() { self.refusals(&token).await } else { None };
                    let new = |(event, _): &(String, String)| told.as_ref().is_some_and(|told| !told.contains(event));
                    let news = events.into_iter().flatten().find(new).map(|(_, note)| note);
                    let status = token.status.unwrap_or_default();
                    *last = refusal(&status).map(str::to_owned);
                    // Once it is gone, what comes is about this version, even if it says the same.
                    if stale != *last {
                        stale = None;
                    }
                    if let Some(outcome) = outcome(status, written, stale.as_deref(), news) {
                        return outcome;
                    }
                }
                // The API server may be away for a moment.
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// An error of a request about a Secret. What could not be parsed may be the Secret, and the error may show a part of it.
fn failed(error: kube::Error, what: &str) -> anyhow::Error {
    match error {
        kube::Error::SerdeError(_) => anyhow!("{what}: the API server's answer is unreadable"),
        error => anyhow::Error::new(error).context(what.to_owned()),
    }
}

fn read_value(object: &str) -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        let prompt = format!("The token for {object}, which is not shown: ");
        return rpassword::prompt_password(prompt).context("read the token from the terminal");
    }
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_INPUT).read_to_end(&mut bytes).context("read the token from standard input")?;
    // The error of the conversion has the bytes.
    String::from_utf8(bytes).map_err(|_| anyhow!("nothing is written: standard input is no text in UTF-8"))
}

/// Tells that the token is taken up, and what is left to do.
fn tell(printing: &Printing, name: &str, status: &ArtifactTokenStatus) {
    if let Some(current) = &status.ledger.current {
        let life =
            current.expiration_time.map_or_else(|| "does not expire".to_owned(), |end| format!("expires at {end}"));
        printing.say(&format!("The token is taken up as attempt {} of {name}, and {life}.", current.attempt));
    }
    for line in to_revoke(status, now()) {
        printing.say(&plain(&line));
    }
}
