//! `kubectl artifact-token status`: one token with all around it: its service, its Secret, who uses that, and what happens next.

mod timeline;

use std::collections::HashMap;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anstyle::Style;
use anyhow::bail;
use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::duration::GoDuration;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::service::mask::plain;
use futures::StreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde::Serialize;

use self::timeline::{Event, timeline};
use super::cluster::{Place, is_forbidden, now, server_time};
use super::consumers::{Consumer, Consumers, Workloads};
use super::end::Usage;
use super::output::{BAD, DOUBTFUL, Format, GOOD, machine, styled, wrapped};
use super::services::{Service, service};
use super::target::{Kind, Selection, Target};
use super::watching::may_go_on;

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
    /// Not known where only the service object could say it, and that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap: Option<GoDuration>,
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
        if targets.len() != 1 {
            bail!(Usage("--watch shows one ArtifactToken".to_owned()));
        }
        return follow(&client, &targets[0], *output).await;
    }
    let mut workloads: HashMap<String, Workloads> = HashMap::new();
    let mut reports = Vec::new();
    for target in &targets {
        let namespace = target.namespace();
        if !workloads.contains_key(&namespace) {
            workloads.insert(namespace.clone(), Workloads::list(&client, &namespace).await);
        }
        let Some(workloads) = workloads.get(&namespace) else { continue };
        reports.push(report(&client, &target.token()?, workloads).await);
    }
    anstream::print!("{}", text(&reports, *output)?);
    Ok(())
}

/// Prints it again at each change, on a terminal in place of what was there.
async fn follow(client: &Client, target: &Target, output: Format) -> anyhow::Result<()> {
    let api = kube::api::Api::<ArtifactToken>::namespaced(client.clone(), &target.namespace());
    let only = watcher::Config::default().fields(&format!("metadata.name={}", target.object.name_any()));
    let mut events = std::pin::pin!(watcher(api, only).default_backoff());
    while let Some(event) = events.next().await {
        let token = match event {
            Ok(watcher::Event::Apply(token) | watcher::Event::InitApply(token)) => token,
            Ok(watcher::Event::Delete(_)) => bail!("{} is gone", target.shown()),
            Err(error) => {
                may_go_on(error)?;
                continue;
            }
            Ok(_) => continue,
        };
        let report = report(client, &token, &Workloads::list(client, &target.namespace()).await).await;
        let clear = if io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
        anstream::print!("{clear}{}", text(&[report], output)?);
    }
    Ok(())
}

fn text(reports: &[Report], output: Format) -> anyhow::Result<String> {
    match (output, reports) {
        (Format::Table | Format::Wide, reports) => Ok(reports.iter().map(shown).collect::<Vec<_>>().join("\n")),
        (Format::Name, reports) => {
            Ok(reports.iter().map(|report| Kind::Token.full_name(&report.name) + "\n").collect())
        }
        (format, [one]) => machine(one, format),
        (format, all) => machine(&all, format),
    }
}

async fn report(client: &Client, token: &ArtifactToken, workloads: &Workloads) -> Report {
    let (namespace, name) = (token.namespace().unwrap_or_default(), token.name_any());
    let reference = &token.spec.service_ref;
    let (service, time) = tokio::join!(service(client, &namespace, reference), server_time(client));
    let (state, ready) = match &service {
        Ok(Some(service)) => service.ready().map_or_else(
            || ("not checked yet".to_owned(), false),
            |ready| (ready.reason.to_string(), ready.status == ConditionStatus::True),
        ),
        Ok(None) => ("does not exist".to_owned(), false),
        Err(error) if is_forbidden(error) => ("you may not read it".to_owned(), true),
        Err(error) => (format!("cannot be read: {error}"), false),
    };
    let default = |Service { spec, .. }: Service| {
        spec.defaults.and_then(|defaults| defaults.overlap).unwrap_or(GoDuration(DEFAULT_OVERLAP))
    };
    Report {
        service: ServiceReport { kind: reference.kind.name(), name: reference.name.clone(), state, ready },
        secret: SecretReport {
            name: token.spec.secret.name.clone(),
            keys: token.spec.secret.data.iter().map(|entry| entry.key.clone()).collect(),
        },
        conditions: token.status.clone().unwrap_or_default().conditions,
        overlap: token.spec.rotation.overlap.or_else(|| service.ok().flatten().map(default)),
        // The clock by which the times of the ledger are.
        timeline: timeline(token, time.unwrap_or_else(|_| now())),
        consumers: workloads.consumers(&token.spec.secret.name),
        namespace,
        name,
    }
}

/// For people, in lines that fit on a terminal.
fn shown(report: &Report) -> String {
    let Report { namespace, name, service, secret, consumers, timeline, .. } = report;
    let state = if service.ready { GOOD } else { BAD };
    let service = format!("{}/{} ({})", service.kind, service.name, styled(state, &plain(&service.state)));
    let mut lines = vec![
        format!("Token      {namespace}/{name}"),
        format!("State      {}", ready(&report.conditions)),
        format!("Service    {service}"),
        format!("Secret     {}   keys: {}", secret.name, secret.keys.join(" ")),
    ];
    let users = users(consumers).into_iter().chain(longest(report)).enumerate();
    lines.extend(users.map(|(at, line)| format!("{:11}{line}", if at == 0 { "Consumers" } else { "" })));
    let mut lines: Vec<String> = lines.iter().map(|line| wrapped(line, 11)).collect();
    lines.extend(report.conditions.iter().filter(|condition| asks(condition)).map(trouble));
    lines.push("Timeline (UTC)".to_owned());
    lines.extend(timeline.iter().map(|event| {
        let mark = if event.now { ">" } else { " " };
        let line = format!("{mark} {}  {}", event.time.to_utc().format("%Y-%m-%d %H:%M:%S"), plain(&event.what));
        wrapped(&line, 23)
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
    wrapped(&format!("{} ({reason}): {}", styled(style, type_.name()), plain(message)), 2)
}

fn users(consumers: &Consumers) -> Vec<String> {
    let mut lines: Vec<String> = consumers.found.iter().map(Consumer::shown).collect();
    if lines.is_empty() {
        lines.push("none found".to_owned());
    }
    if !consumers.unseen.is_empty() {
        lines.push(format!("not looked at, because you may not list them: {}", consumers.unseen.join(", ")));
    }
    lines
}

/// The consumer that runs longest; of those that keep what they read, if there is one: its token may be dead after a rotation.
fn longest(report: &Report) -> Vec<String> {
    let running = || report.consumers.found.iter().filter_map(|consumer| Some((consumer.running_since?, consumer)));
    let keeps = running().filter(|(_, consumer)| consumer.keeps_what_it_read()).min_by_key(|(since, _)| *since);
    let Some((since, consumer)) = keeps.or_else(|| running().min_by_key(|(since, _)| *since)) else {
        return Vec::new();
    };
    let present = report.timeline.iter().find(|event| event.now).map_or(Time::default(), |event| event.time);
    let runs = Duration::from_secs(present.since(since).as_secs());
    let overlap = report.overlap.map_or_else(|| "of unknown length".to_owned(), |overlap| overlap.to_string());
    let mut told =
        vec![format!("longest running: {} for {}; the overlap is {overlap}", consumer.name, GoDuration(runs))];
    if consumer.keeps_what_it_read() && report.overlap.is_some_and(|overlap| runs > overlap.0) {
        let warning = "after a rotation it holds a dead token: restart it, or mount a directory";
        told.push(styled(DOUBTFUL, warning));
    }
    told
}
