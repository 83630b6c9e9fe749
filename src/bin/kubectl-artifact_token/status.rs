//! `kubectl artifact-token status`: one token with all around it: its service, its Secret, who uses that, and what happens next.

mod timeline;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anstyle::Style;
use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::duration::GoDuration;
use artifact_token_operator::api::time::Time;
use futures::StreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde::Serialize;

use self::timeline::{Event, timeline};
use super::cluster::{Place, now};
use super::consumers::{Consumer, Consumers, consumers};
use super::output::{BAD, DOUBTFUL, Format, GOOD, machine, styled};
use super::services::{Service, service};
use super::target::{Selection, Target};
use super::wait::plain;

/// Which tokens.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    place: Place,
    /// How it is printed. For programs: json or yaml.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Print it again whenever the object changes.
    #[arg(short, long)]
    watch: bool,
}

/// The overlap where neither the object nor its service sets one: the operator's own default.
const DEFAULT_OVERLAP: Duration = Duration::from_secs(600);

/// What is known of one token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    namespace: String,
    name: String,
    service: ServiceReport,
    secret: SecretReport,
    conditions: Vec<Condition>,
    consumers: Consumers,
    overlap: GoDuration,
    timeline: Vec<Event>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceReport {
    kind: &'static str,
    name: String,
    /// The reason of its condition `Ready`, or why that is not known.
    state: String,
    ready: bool,
}

#[derive(Debug, Serialize)]
struct SecretReport {
    name: String,
    keys: Vec<String>,
}

/// Prints what is known of them.
///
/// # Errors
/// When one is not there, or the API server does not answer.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { selection, place, output, watch } = arguments;
    let (client, namespace) = place.connect().await?;
    let targets = selection.targets(&client, &namespace, false).await?;
    if *watch {
        anyhow::ensure!(targets.len() == 1, "--watch shows one ArtifactToken");
        return follow(&client, &targets[0], *output).await;
    }
    let mut reports = Vec::new();
    for target in &targets {
        reports.push(report(&client, &target.token()?).await);
    }
    let text = match (output, reports.as_slice()) {
        (Format::Table | Format::Wide, reports) => reports.iter().map(shown).collect::<Vec<_>>().join("\n"),
        (Format::Name, reports) => reports.iter().map(|report| format!("artifacttoken/{}\n", report.name)).collect(),
        (format, [one]) => machine(one, *format)?,
        (format, all) => machine(&all, *format)?,
    };
    anstream::print!("{text}");
    Ok(())
}

/// Prints it again at each change, on a terminal in place of what was there.
async fn follow(client: &Client, target: &Target, output: Format) -> anyhow::Result<()> {
    let api = kube::api::Api::<ArtifactToken>::namespaced(client.clone(), &target.namespace());
    let only = watcher::Config::default().fields(&format!("metadata.name={}", target.object.name_any()));
    let mut events = std::pin::pin!(watcher(api, only).default_backoff().applied_objects());
    while let Some(event) = events.next().await {
        // It begins again by itself.
        let Ok(token) = event else { continue };
        let report = report(client, &token).await;
        let clear = if io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
        match output {
            Format::Json | Format::Yaml => anstream::print!("{}", machine(&report, output)?),
            _ => anstream::print!("{clear}{}", shown(&report)),
        }
    }
    Ok(())
}

async fn report(client: &Client, token: &ArtifactToken) -> Report {
    let (namespace, name) = (token.namespace().unwrap_or_default(), token.name_any());
    let reference = &token.spec.service_ref;
    let (service, consumers) =
        tokio::join!(service(client, &namespace, reference), consumers(client, &namespace, &token.spec.secret.name));
    let (state, ready) = match &service {
        Ok(Some(service)) => service.ready().map_or_else(
            || ("not checked yet".to_owned(), false),
            |ready| (ready.reason.to_string(), ready.status == ConditionStatus::True),
        ),
        Ok(None) => ("does not exist".to_owned(), false),
        Err(_) => ("you may not read it".to_owned(), true),
    };
    let defaults = service.ok().flatten().and_then(|Service { spec, .. }| spec.defaults);
    let overlap = token.spec.rotation.overlap.or_else(|| defaults.and_then(|defaults| defaults.overlap));
    Report {
        service: ServiceReport { kind: reference.kind.name(), name: reference.name.clone(), state, ready },
        secret: SecretReport {
            name: token.spec.secret.name.clone(),
            keys: token.spec.secret.data.iter().map(|entry| entry.key.clone()).collect(),
        },
        conditions: token.status.clone().unwrap_or_default().conditions,
        overlap: overlap.unwrap_or(GoDuration(DEFAULT_OVERLAP)),
        timeline: timeline(token, now()),
        consumers,
        namespace,
        name,
    }
}

/// For people.
fn shown(report: &Report) -> String {
    let Report { namespace, name, service, secret, consumers, timeline, .. } = report;
    let state = if service.ready { GOOD } else { BAD };
    let service = format!("{}/{} ({})", service.kind, service.name, styled(state, &service.state));
    let mut lines = vec![
        format!("Token      {namespace}/{name}   {}   service {service}", ready(&report.conditions)),
        format!("Secret     {}   keys: {}", secret.name, secret.keys.join(" ")),
        format!("Consumers  {}", users(consumers)),
    ];
    lines.extend(longest(report).map(|line| format!("           {line}")));
    lines.extend(report.conditions.iter().filter(|condition| asks(condition)).map(trouble));
    lines.push("Timeline (UTC)".to_owned());
    lines.extend(timeline.iter().map(|event| {
        let mark = if event.now { ">" } else { " " };
        format!("{mark} {}  {}", event.time.to_utc().format("%Y-%m-%d %H:%M:%S"), plain(&event.what))
    }));
    lines.join("\n") + "\n"
}

fn ready(conditions: &[Condition]) -> String {
    let Some(ready) = conditions.iter().find(|condition| condition.type_ == ConditionType::Ready) else {
        return styled(DOUBTFUL, "the operator has not looked at it yet");
    };
    let (style, word) = match ready.status {
        ConditionStatus::True => (GOOD, "Ready"),
        ConditionStatus::False => (BAD, "not Ready"),
        ConditionStatus::Unknown => (DOUBTFUL, "perhaps Ready"),
    };
    styled(style, &format!("{word} ({})", ready.reason))
}

/// Whether a condition tells people more than that the token works.
fn asks(condition: &Condition) -> bool {
    match condition.type_ {
        ConditionType::Ready => condition.status != ConditionStatus::True,
        _ => condition.status == ConditionStatus::True,
    }
}

fn trouble(condition: &Condition) -> String {
    let Condition { type_, reason, message, .. } = condition;
    let style = match type_ {
        ConditionType::Reconciling | ConditionType::RevocationPending => Style::new(),
        ConditionType::Ready | ConditionType::Stalled => BAD,
        _ => DOUBTFUL,
    };
    format!("{} ({reason}): {}", styled(style, type_.name()), plain(message))
}

fn users(consumers: &Consumers) -> String {
    let mut lines: Vec<String> = consumers.found.iter().map(Consumer::shown).collect();
    if lines.is_empty() {
        lines.push("none found".to_owned());
    }
    if !consumers.unseen.is_empty() {
        lines.push(format!("not looked at, because you may not list them: {}", consumers.unseen.join(", ")));
    }
    lines.join("\n           ")
}

/// The consumer that runs longest, if it may still use a token that it read before the overlap began.
fn longest(report: &Report) -> Option<String> {
    let running = report.consumers.found.iter().filter_map(|consumer| Some((consumer.running_since?, consumer)));
    let (since, consumer) = running.min_by_key(|(since, _)| *since)?;
    let present = report.timeline.iter().find(|event| event.now).map_or(Time::default(), |event| event.time);
    let (runs, overlap) = (Duration::from_secs(present.since(since).as_secs()), report.overlap);
    let shown = GoDuration(runs);
    let told = format!("longest running: {} for {shown}; the overlap is {overlap}", consumer.name);
    if consumer.keeps_what_it_read() && runs > overlap.0 {
        let warning = "after a rotation it would hold a dead token: restart it, or mount the Secret as a volume";
        return Some(format!("{told}: {}", styled(DOUBTFUL, warning)));
    }
    Some(told)
}
