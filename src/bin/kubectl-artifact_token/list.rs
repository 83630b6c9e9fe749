//! `kubectl artifact-token list`: a table of tokens, with the columns that the pages of services have.

mod rows;

use std::collections::HashMap;
use std::io::{self, IsTerminal as _};
use std::pin::pin;

use anyhow::Context as _;
use artifact_token_operator::api::artifact_token::{ArtifactToken, ServiceKind};
use futures::StreamExt as _;
use kube::api::{Api, ListParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};

use self::rows::{HEAD, NOTHING, Row, columns, rows};
use super::cluster::{Place, now};
use super::output::{Format, machine, print, table};
use super::services::service;
use super::target::Kind;
use super::watching::may_go_on;

/// Which tokens.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The tokens of all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only those of ArtifactTokens with these labels. Example: `team=ci`.
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// How it is printed: wide has all columns; json and yaml have the whole ArtifactTokens.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Print it again whenever a token changes.
    #[arg(short, long)]
    watch: bool,
    /// Without the line of titles.
    #[arg(long)]
    no_headers: bool,
}

/// A service object: its kind, its namespace and its name.
type ServiceName = (ServiceKind, String, String);

/// Prints the table.
///
/// # Errors
/// When the API server does not answer, or the person may not list ArtifactTokens.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, namespace) = arguments.place.connect().await?;
    let everywhere = arguments.all_namespaces;
    let api: Api<ArtifactToken> =
        if everywhere { Api::all(client.clone()) } else { Api::namespaced(client.clone(), &namespace) };
    let mut last = look(&client, &api, arguments).await?;
    if last.is_empty() {
        let place = if everywhere { "any namespace".to_owned() } else { format!("namespace {namespace}") };
        eprintln!("No ArtifactTokens found in {place}.");
    }
    print(&last)?;
    if !arguments.watch {
        return Ok(());
    }
    let selector = arguments.selector.as_deref().unwrap_or_default();
    let mut changes = pin!(watcher(api.clone(), watcher::Config::default().labels(selector)).default_backoff());
    while let Some(change) = changes.next().await {
        match change {
            Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone) => {}
            Ok(_) => continue,
            Err(error) => {
                may_go_on(error)?;
                continue;
            }
        }
        // The API server may be away for a moment.
        let Ok(text) = look(&client, &api, arguments).await else { continue };
        if text != last {
            let clear = if io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
            print(&format!("{clear}{text}"))?;
            last = text;
        }
    }
    Ok(())
}

/// What is printed now; nothing if there is no token.
async fn look(client: &Client, api: &Api<ArtifactToken>, arguments: &Arguments) -> anyhow::Result<String> {
    let Arguments { all_namespaces: everywhere, output, .. } = arguments;
    let wanted = ListParams { label_selector: arguments.selector.clone(), ..ListParams::default() };
    let tokens = api.list(&wanted).await.context("list the ArtifactTokens")?;
    match output {
        Format::Json | Format::Yaml => return machine(&tokens, *output),
        Format::Name => {
            return Ok(tokens.iter().map(|token| Kind::Token.full_name(&token.name_any()) + "\n").collect());
        }
        Format::Table | Format::Wide if tokens.items.is_empty() => return Ok(String::new()),
        Format::Table | Format::Wide => {}
    }
    let wide = *output == Format::Wide;
    let prefixes = if wide { prefixes(client, &tokens.items).await } else { HashMap::new() };
    let mut lines: Vec<Row> = if arguments.no_headers { Vec::new() } else { vec![HEAD.map(str::to_owned)] };
    lines.extend(tokens.iter().flat_map(|token| {
        let prefix = prefixes.get(&service_of(token)).map_or(NOTHING, String::as_str);
        rows(token, prefix, now())
    }));
    Ok(table(&lines, &columns(*everywhere, wide)))
}

fn service_of(token: &ArtifactToken) -> ServiceName {
    let reference = &token.spec.service_ref;
    let namespace = match reference.kind {
        ServiceKind::TokenService => token.namespace().unwrap_or_default(),
        ServiceKind::ClusterTokenService => String::new(),
    };
    (reference.kind, namespace, reference.name.clone())
}

/// `naming.prefix` of each service: the operator of which cluster made the tokens. A service that cannot be read, for example because
/// the person may not, has none: the table is worth more than that column.
async fn prefixes(client: &Client, tokens: &[ArtifactToken]) -> HashMap<ServiceName, String> {
    let mut prefixes = HashMap::new();
    for token in tokens {
        let name = service_of(token);
        if prefixes.contains_key(&name) {
            continue;
        }
        let found = service(client, &name.1, &token.spec.service_ref).await.ok().flatten();
        let prefix = found.and_then(|found| found.spec.naming).and_then(|naming| naming.prefix);
        prefixes.insert(name, prefix.unwrap_or_else(|| NOTHING.to_owned()));
    }
    prefixes
}
