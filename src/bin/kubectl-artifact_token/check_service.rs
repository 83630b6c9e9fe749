//! `kubectl artifact-token check-service`: tries a declaration at the live service with the operator's own client, and leaves nothing
//! behind.
//!
//! **Invariant:** no value of a credential or a token is an argument, or stands in an output or an error.

mod fields;
mod manifest;
mod mask;
mod report;
mod stop;
mod supplies;
mod trial;
mod witness;

use std::fmt;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use artifact_token_operator::api::duration::GoDuration;
use artifact_token_operator::api::ids::Nonce;
use artifact_token_operator::api::operation::Operation;
use artifact_token_operator::api::parameters::{Lifetime, ParameterValue, Parameters};
use artifact_token_operator::api::time::Time;
use artifact_token_operator::rotation::identity::{self, NONCE_BYTES, Name};
use artifact_token_operator::service::client::ServiceClient;
use artifact_token_operator::service::client::answers::GenerateRequest;
use artifact_token_operator::service::client::meter::CallCounts;
use artifact_token_operator::service::declaration::Declaration;
use artifact_token_operator::service::limits::RateLimit;
use artifact_token_operator::service::networks::Networks;
use secrecy::SecretString;

use self::manifest::{Manifest, name_of};
use self::mask::Mask;
use self::report::{Report, say};
use self::stop::Stop;
use self::supplies::{STANDARD_INPUT, Supplies, gather, read_value};
use self::trial::{Made, Trial};
use self::witness::Witness;
use super::cluster::Place;

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

/// The arguments or the file are not what this command takes: the exit code is 2.
#[derive(Debug)]
pub struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// No Kubernetes object has this text as its uid, so the token of a trial is nobody's.
const IDENTITY: &str = "kubectl artifact-token check-service";
/// What comes after the operator's own part of the token's name.
const DISPLAY_NAME: &str = "check-service";

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
    let mut trial = prepare(&manifest, declaration, supplies, arguments.settle)?;
    (trial.wanted, trial.value) = (wanted, token);
    trial.own_part =
        trial.wanted.as_ref().and_then(|wanted| wanted.name.as_deref()?.split(' ').next().map(str::to_owned));
    if let Some(value) = &trial.value {
        trial.mask.hide(value);
    }
    let interrupted = try_all(&mut trial).await?;
    conclude(&trial, interrupted)
}

/// Reads how long to wait.
fn length(text: &str) -> Result<Duration, &'static str> {
    GoDuration::parse(text).map(|length| length.0).ok_or("write a duration such as 10s")
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
) -> anyhow::Result<Trial> {
    let Supplies { credentials, bundle, sources } = supplies;
    let mask = Mask::default();
    credentials.values().for_each(|value| mask.hide(value));
    let report = Report::new(mask.clone());
    report.say(&format!("{} {} at {}", name_of(manifest.kind), manifest.name, manifest.spec.base_url));
    sources.iter().for_each(|source| report.say(source));
    let per_minute = manifest.spec.limits.requests_per_minute;
    if per_minute < USUAL_CALLS {
        report.say(&format!("The steps keep spec.limits.requestsPerMinute, {per_minute}, so they take some minutes."));
    }
    let network = Networks::default().of(&declaration, None, bundle.as_deref())?;
    let witness = Arc::new(Witness::new(network, mask.clone()));
    let limit = RateLimit::new(u32::try_from(per_minute).unwrap_or(1));
    let client = ServiceClient::through(witness.clone(), declaration, credentials, limit, CallCounts::default())?;
    Ok(Trial {
        client,
        witness,
        mask,
        report,
        settle,
        hint: manifest.spec.hint,
        most: manifest.spec.limits.maximum_live_tokens.and_then(|most| usize::try_from(most).ok()),
        own_part: None,
        wanted: None,
        value: None,
        made: Made::No,
        id: None,
        listed_id: None,
        before: None,
        not_ours: false,
        accepted: false,
        verify_proves: false,
        listed: false,
        revoked: false,
        judged: false,
        unreachable: false,
    })
}

/// The trial's token: an identity that no object has, so that no object takes it for its own, and a sweep takes it for an orphan.
fn wanted(manifest: &Manifest, declaration: &Declaration, arguments: &Arguments) -> anyhow::Result<GenerateRequest> {
    let defaults = manifest.spec.defaults.as_ref();
    let lifetime = match &arguments.lifetime {
        Some(text) => Lifetime::parse(text).ok_or_else(|| {
            Usage("--lifetime: write Never or a duration such as 720h (there are no days)".to_owned())
        })?,
        None => defaults.and_then(|defaults| defaults.lifetime).unwrap_or(Lifetime::Never),
    };
    declaration.check_lifetime(lifetime).map_err(|why| Usage(format!("--lifetime: {why}")))?;
    let parameters = parameters(&arguments.parameters)?;
    let parameters = declaration.check_parameters(&parameters).map_err(|why| Usage(format!("--parameter: {why}")))?;
    let own = Name { uid16: identity::uid16(IDENTITY), attempt: 1, nonce: random_nonce()? };
    let prefix = declaration.prefix().unwrap_or_default();
    let name = declaration.maximum_name_length().map(|most| identity::format(prefix, &own, DISPLAY_NAME, most));
    let now = Time::from(chrono::Utc::now());
    Ok(GenerateRequest { name, display_name: Some(DISPLAY_NAME.to_owned()), lifetime, parameters, now, claimed: now })
}

fn random_nonce() -> anyhow::Result<Nonce> {
    let mut random = [0; NONCE_BYTES];
    getrandom::fill(&mut random).map_err(|_| anyhow!("the system has no random bytes"))?;
    Ok(identity::nonce(random))
}

/// The parameters of the command line. One that is given twice is a list.
fn parameters(pairs: &[String]) -> Result<Parameters, Usage> {
    let mut parameters = Parameters::new();
    for pair in pairs {
        let (name, value) = pair.split_once('=').ok_or_else(|| Usage("--parameter: write NAME=VALUE".to_owned()))?;
        let value = match serde_json::from_str::<Vec<String>>(value) {
            Ok(list) => ParameterValue::List(list),
            Err(_) => ParameterValue::Text(value.to_owned()),
        };
        let texts = |value: &ParameterValue| value.texts().unwrap_or_default().to_vec();
        let both = match parameters.remove(name) {
            Some(before) => ParameterValue::List([texts(&before), texts(&value)].concat()),
            None => value,
        };
        parameters.insert(name.to_owned(), both);
    }
    Ok(parameters)
}

/// Performs all steps, and ends what they made, also when somebody ends the command. Returns whether somebody did.
async fn try_all(trial: &mut Trial) -> anyhow::Result<bool> {
    let mut stop = Stop::new().context("listen for signals")?;
    if trial.wanted.is_none() {
        trial.report.not_tried("generate", &why_not(trial));
    }
    let early = tokio::select! {
        () = trial.look_before() => false,
        () = stop.next() => true,
    };
    let interrupted = early
        || {
            let mask = trial.mask.clone();
            let generate = trial.generate();
            tokio::pin!(generate);
            tokio::select! {
                () = &mut generate => false,
                () = stop.next() => {
                    // Its time-out bounds this wait.
                    say(&mask, "Ends as soon as the answer to generate says what is to be revoked. Once more ends at once.");
                    tokio::select! {
                        () = &mut generate => {}
                        () = stop.next() => {}
                    }
                    true
                }
            }
        };
    let interrupted = interrupted
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use artifact_token_operator::rotation::service_sweep::{NamedToken, sort};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sweep_takes_the_token_of_a_trial_for_one_without_an_object() {
        let own = Name { uid16: identity::uid16(IDENTITY), attempt: 1, nonce: random_nonce().unwrap() };
        let name = identity::format("prod", &own, DISPLAY_NAME, 255);
        assert_eq!(identity::parse("prod", &name), Some(own));
        let row = NamedToken { id: None, name };
        // The uid of an object, whose own tokens stay what they are.
        let owners = [("6a1f0c1e-0000-4000-8000-000000000000".to_owned(), Default::default())].into();
        let found = sort("prod", [row.clone()], &owners, true, Time::from_millis(0));
        assert_eq!((found.ownerless, found.suspects.len()), (Some(vec![row]), 0));
    }

    #[test]
    fn parameters_are_texts_or_lists() {
        let read = |pairs: &[&str]| {
            let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
            parameters(&pairs).map(|read| json!(read)).map_err(|error| error.to_string())
        };
        assert_eq!(read(&["role=Admin=1", "empty="]), Ok(json!({"role": "Admin=1", "empty": ""})));
        assert_eq!(read(&[r#"scopes=["a","b"]"#, "scopes=c"]), Ok(json!({"scopes": ["a", "b", "c"]})));
        assert_eq!(read(&["scopes=[a]"]), Ok(json!({"scopes": "[a]"})));
        assert!(read(&["role"]).unwrap_err().contains("NAME=VALUE"));
    }
}
