//! `kubectl artifact-token check-service`: tries a declaration at the live service with the operator's own client, and leaves nothing
//! behind.
//!
//! **Invariant:** no value of a credential or a token is an argument, or stands in an output or an error.

mod fields;
mod manifest;
mod report;
mod shape;
mod stop;
mod supplies;
mod trial;
mod wanted;
mod witness;

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use artifact_token_operator::api::operation::Operation;
use artifact_token_operator::service::client::ServiceClient;
use artifact_token_operator::service::client::answers::GenerateRequest;
use artifact_token_operator::service::client::meter::CallCounts;
use artifact_token_operator::service::declaration::Declaration;
use artifact_token_operator::service::limits::RateLimit;
use artifact_token_operator::service::mask::Mask;
use artifact_token_operator::service::networks::Networks;
use secrecy::SecretString;

use self::manifest::{Manifest, name_of};
use self::report::{Report, say};
use self::stop::Stop;
use self::supplies::{STANDARD_INPUT, Supplies, gather, read_value};
use self::trial::{Made, Trial};
use self::wanted::wanted;
use self::witness::Witness;
use super::cluster::Place;
use super::end::Usage;
use super::wait::length;

/// Which service object, and what the trial asks for.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file with the TokenService or ClusterTokenService; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    filename: String,
    #[command(flatten)]
    place: Place,
    /// A credential of the declaration, and the file that has its value; `NAME=-` asks for it without showing it. May be repeated.
    #[arg(long = "credential", value_name = "NAME=FILE")]
    credentials: Vec<String>,
    /// A parameter of the trial's token; a list is written as JSON, like `scopes=["read"]`. May be repeated.
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// How long the trial's token is to live: `Never` or a duration. Default: `spec.defaults.lifetime`, else `Never`.
    #[arg(long)]
    lifetime: Option<String>,
    /// Verifies the token in this file, and generates none; `-` asks for it without showing it.
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
    /// How long the service may take to know a new token, and to forget a revoked one.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = length)]
    settle: Duration,
    // clap would show what it does not expect, and that may be a value.
    #[arg(hide = true)]
    more: Vec<String>,
}

/// So many requests a trial takes at a quick service with a short list.
const USUAL_CALLS: i32 = 10;

/// Tries the declaration.
///
/// # Errors
/// When a step fails, or there is nothing to try.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(
        arguments.more.is_empty(),
        Usage("a value is no argument: it would stay in the history of the shell. Name a file that has it".to_owned())
    );
    let manifest = Manifest::read(&read_file(&arguments.filename)?)?;
    let declaration = Declaration::check(&manifest.spec).map_err(|invalid| {
        let problems: Vec<String> = invalid.problems.iter().map(|problem| format!("\n  {problem}")).collect();
        anyhow!("the declaration is wrong:{}", problems.concat())
    })?;
    let token = arguments.token_file.as_ref().map(|file| read_value("--token-file", file, arguments)).transpose()?;
    let token = token.map(|token| SecretString::from(token.trim()));
    let generates = token.is_none() && declaration.has(Operation::Generate) && declaration.has(Operation::Revoke);
    let wanted = generates.then(|| wanted(&manifest, &declaration, arguments)).transpose()?;
    let supplies = gather(&manifest, &declaration, arguments).await?;
    let mut trial = prepare(&manifest, declaration, supplies, arguments.settle, (wanted, token))?;
    let interrupted = try_all(&mut trial).await?;
    conclude(&trial, interrupted)
}

fn read_file(name: &str) -> anyhow::Result<String> {
    let read = if name == STANDARD_INPUT { io::read_to_string(io::stdin()) } else { fs::read_to_string(name) };
    // The error of the conversion has no bytes of the file.
    read.map_err(|error| anyhow!(Usage(format!("--filename {name}: cannot be read: {error}"))))
}

/// The client of the operator, over a network that remembers what came back.
fn prepare(
    manifest: &Manifest,
    declaration: Declaration,
    supplies: Supplies,
    settle: Duration,
    token: (Option<GenerateRequest>, Option<SecretString>),
) -> anyhow::Result<Trial> {
    let Supplies { credentials, material, sources } = supplies;
    let mask = Mask::default();
    let key = material.client_certificate.iter().map(|own| &own.key);
    credentials.values().chain(&token.1).chain(key).for_each(|value| mask.hide(value));
    let report = Report::new(mask.clone());
    report.say(&format!("{} {} at {}", name_of(manifest.kind), manifest.name, manifest.spec.base_url));
    let elsewhere = declaration.verify_elsewhere().map(|url| format!("Only verify is asked at {url}."));
    let proxy = declaration.proxy_url().map(|url| format!("All requests go through the proxy {url}."));
    sources.iter().chain(&elsewhere).chain(&proxy).for_each(|line| report.say(line));
    let per_minute = manifest.spec.limits.requests_per_minute;
    if per_minute < USUAL_CALLS {
        report.say(&format!("The steps keep spec.limits.requestsPerMinute, {per_minute}, so they take some minutes."));
    }
    let network = Networks::default().of(&declaration, None, &credentials, &material)?;
    let witness = Arc::new(Witness::new(network, mask.clone()));
    let limit = RateLimit::new(u32::try_from(per_minute).unwrap_or(1));
    let client = ServiceClient::through(witness.clone(), declaration, credentials, limit, CallCounts::default())?;
    let mut trial = Trial::new(client, witness, report, settle, token);
    trial.hint = manifest.spec.hint;
    trial.most = manifest.spec.limits.maximum_live_tokens.and_then(|most| usize::try_from(most).ok());
    Ok(trial)
}

/// Performs all steps, and ends what they made, also when somebody ends the command. Returns whether somebody did.
async fn try_all(trial: &mut Trial) -> anyhow::Result<bool> {
    let mut stop = Stop::new().context("listen for signals")?;
    if trial.wanted.is_none() {
        trial.report.not_tried("generate", &why_not(trial));
    }
    let mut interrupted = tokio::select! {
        () = trial.look_before() => false,
        () = stop.next() => true,
    };
    while !interrupted && trial.is_to_generate() {
        interrupted = tokio::select! {
            () = trial.wait_for_turn() => false,
            () = stop.next() => true,
        };
        if !interrupted {
            interrupted = generate(trial, &mut stop).await;
        }
    }
    interrupted = interrupted
        || tokio::select! {
            () = trial.rest() => false,
            () = stop.next() => true,
        };
    if interrupted && trial.may_live() {
        trial.report.say("");
        trial.report.say("Ended early: the token is revoked first. Once more ends at once.");
    }
    tokio::select! {
        () = trial.clean() => {}
        () = stop.next() => {}
    }
    Ok(interrupted)
}

/// Sends generate, and waits for its answer even when somebody ends the command meanwhile. Returns whether somebody did.
async fn generate(trial: &mut Trial, stop: &mut Stop) -> bool {
    let mask = trial.report.mask().clone();
    let generate = trial.generate();
    tokio::pin!(generate);
    tokio::select! {
        () = &mut generate => return false,
        () = stop.next() => {}
    }
    // Its time-out bounds this wait.
    say(&mask, "Ends as soon as the answer to generate says what is to be revoked. Once more ends at once.");
    tokio::select! {
        () = &mut generate => {}
        () = stop.next() => {}
    }
    true
}

/// Why no token is generated.
fn why_not(trial: &Trial) -> String {
    let declaration = trial.client.declaration();
    if trial.value.is_some() {
        "--token-file has the token to verify".to_owned()
    } else if declaration.is_by_hand() {
        let page = declaration.page().map(|page| format!(" ({page})")).unwrap_or_default();
        format!("a person makes the tokens of this service{page}: verify one with --token-file")
    } else {
        "the declaration has no spec.operations.revoke, so the token would stay at the service: declare it, or verify a token of your own \
         with --token-file"
            .to_owned()
    }
}

/// The last lines, and the exit code.
fn conclude(trial: &Trial, interrupted: bool) -> anyhow::Result<()> {
    let failed = trial.report.failed();
    if trial.may_live() {
        trial.tell_leftover();
        bail!("a token may be left at the service");
    }
    if interrupted {
        bail!("ended early; nothing is left at the service");
    }
    if !failed.is_empty() {
        trial.report.say("");
        trial.report.say("Nothing is left at the service.");
        bail!("failed: {}", failed.join(", "));
    }
    trial.report.say("");
    trial.report.say(match trial.made {
        Made::Dead => "All that was tried works, and nothing is left at the service.",
        _ => "All that was tried works.",
    });
    Ok(())
}
