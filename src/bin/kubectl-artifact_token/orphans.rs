//! `kubectl artifact-token orphans`: tokens that may live at a service although no object needs them.

use anyhow::Context as _;
use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::api::token_service::sweep::SweepPolicy;
use artifact_token_operator::api::token_service::{Capability, TokenService};
use artifact_token_operator::service::mask::plain;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt as _};
use serde::Serialize;

use super::cluster::{Place, is_forbidden};
use super::output::{Format, machine, print, table, wrapped};
use super::services::Service;

/// Where to look.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// In all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only what service objects and ArtifactTokens with these labels know of. Example: `team=ci`.
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// How it is printed: wide has since when, the name at the service and what happens, too. For programs: json or yaml.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Without the line of titles.
    #[arg(long)]
    no_headers: bool,
}

/// The first two fit on a terminal of 80 columns, with ids of up to 30 letters.
const HEAD: [&str; 5] = ["FOUND-BY", "ID", "SINCE", "NAME-AT-SERVICE", "WHAT-HAPPENS"];

/// One token that may live for nobody.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    /// The object that knows of it.
    found_by: String,
    id: Option<String>,
    since: Option<Time>,
    name: Option<String>,
    what_happens: String,
}

/// All of them, and how far they can be known.
#[derive(Debug, Serialize)]
struct Found {
    tokens: Vec<Row>,
    notes: Vec<String>,
}

/// Prints them, and which services nobody can look at.
///
/// # Errors
/// When the API server does not answer, or the person may not list ArtifactTokens.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, namespace) = arguments.place.connect().await?;
    let scope = (!arguments.all_namespaces).then_some(namespace.as_str());
    let wanted = ListParams { label_selector: arguments.selector.clone(), ..ListParams::default() };
    let (services, unread) = services(&client, scope, &wanted).await?;
    let tokens = scoped::<ArtifactToken>(&client, scope).list(&wanted).await.context("list the ArtifactTokens")?;
    let mut rows: Vec<Row> = services.iter().flat_map(|(name, service)| of_service(name, service)).collect();
    rows.extend(tokens.iter().flat_map(|token| of_token(token, scope)));
    let nowhere = services.is_empty() && tokens.items.is_empty() && unread.is_none() && arguments.selector.is_some();
    let nowhere = nowhere.then(|| match scope {
        Some(_) => {
            format!("No ClusterTokenService, and in {namespace} no TokenService or ArtifactToken, has these labels.")
        }
        None => "No service object and no ArtifactToken has these labels.".to_owned(),
    });
    let notes = services.iter().map(|(name, service)| seen(name, service)).chain(unread).chain(nowhere).collect();
    let found = Found { tokens: rows, notes };
    match arguments.output {
        Format::Json | Format::Yaml => print(&machine(&found, arguments.output)?),
        Format::Name => {
            let ids = found.tokens.iter().filter_map(|row| row.id.as_ref());
            print(&ids.map(|id| plain(id) + "\n").collect::<String>())
        }
        Format::Table | Format::Wide => {
            let wide = arguments.output == Format::Wide;
            let mut notes = if wide { Vec::new() } else { advice(&found.tokens) };
            notes.extend(found.notes);
            let notes: String = notes.iter().map(|note| wrapped(&plain(note), 2) + "\n").collect();
            let table = match (found.tokens.is_empty(), &arguments.selector) {
                (true, None) => "No orphaned tokens are known.\n".to_owned(),
                (true, Some(_)) => "No object with these labels knows of an orphaned token.\n".to_owned(),
                (false, _) => shown(&found.tokens, arguments.no_headers, wide),
            };
            print(&(table + &notes))
        }
    }
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

/// The namespace before a name, where there may be several.
fn place(object: &impl kube::Resource, scope: Option<&str>) -> String {
    let namespace = object.meta().namespace.as_deref().filter(|_| scope.is_none());
    namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default()
}

/// The service objects, each with its name for people, and what could not be read.
async fn services(
    client: &Client,
    scope: Option<&str>,
    wanted: &ListParams,
) -> anyhow::Result<(Vec<(String, Service)>, Option<String>)> {
    let local = scoped::<TokenService>(client, scope).list(wanted).await.context("list the TokenServices")?;
    let named = |service: TokenService| {
        (format!("tokenservice/{}{}", place(&service, scope), service.name_any()), service.into())
    };
    let mut all: Vec<(String, Service)> = local.into_iter().map(named).collect();
    let unread = match Api::<ClusterTokenService>::all(client.clone()).list(wanted).await {
        Ok(shared) => {
            let named =
                |service: ClusterTokenService| (format!("clustertokenservice/{}", service.name_any()), service.into());
            all.extend(shared.into_iter().map(named));
            None
        }
        Err(error) if is_forbidden(&error) => Some("ClusterTokenServices: you may not list them.".to_owned()),
        Err(error) => return Err(error).context("list the ClusterTokenServices"),
    };
    Ok((all, unread))
}

fn of_service(name: &str, service: &Service) -> Vec<Row> {
    let revoked = service.spec.sweep.policy == SweepPolicy::Revoke;
    let what =
        if revoked { "a later sweep revokes it" } else { "revoke it at the service, or set spec.sweep.policy: Revoke" };
    let sweep = service.status.last_sweep.as_ref();
    let rows = sweep.map(|sweep| &sweep.orphans).into_iter().flatten();
    rows.map(|orphan| Row {
        found_by: name.to_owned(),
        id: Some(orphan.id.to_string()),
        since: orphan.since_time,
        name: Some(orphan.name.clone()),
        what_happens: what.to_owned(),
    })
    .collect()
}

/// Tokens whose *generate* had no answer, at a service where tokens have no names.
fn of_token(token: &ArtifactToken, scope: Option<&str>) -> Vec<Row> {
    let ledger = token.status.as_ref().map(|status| &status.ledger);
    let lost = ledger.map(|ledger| &ledger.possibly_lost).into_iter().flatten();
    let found_by = format!("artifacttoken/{}{}", place(token, scope), token.name_any());
    lost.map(|lost| Row {
        found_by: found_by.clone(),
        id: None,
        since: Some(lost.claimed_time),
        name: None,
        what_happens: format!(
            "attempt {}: look at the service for a token of {}, and revoke it",
            lost.attempt, lost.claimed_time
        ),
    })
    .collect()
}

/// When somebody looked at this service, or why nobody can, and whether more live there than are shown.
fn seen(name: &str, service: &Service) -> String {
    let Some(sweep) = &service.status.last_sweep else {
        let capabilities = &service.status.capabilities;
        return if capabilities.is_empty() || capabilities.contains(&Capability::List) {
            format!("{name}: not swept yet, so its orphans are not known.")
        } else {
            format!("{name}: it has no list, so its orphans are not known.")
        };
    };
    let (time, shown) = (sweep.time, sweep.orphans.len());
    match sweep.orphaned {
        None => format!(
            "{name}: the operator may not list the ArtifactTokens of all namespaces, so its orphans are not known."
        ),
        Some(all) if usize::try_from(all).is_ok_and(|all| all > shown) => {
            format!("{name}: swept at {time}; {all} orphans, {shown} of them shown.")
        }
        Some(_) => format!("{name}: swept at {time}."),
    }
}

/// What becomes of them, where the table does not say it: once for those of one object of which the same is said.
fn advice(rows: &[Row]) -> Vec<String> {
    let mut told: Vec<String> = rows.iter().map(|row| format!("{}: {}.", row.found_by, row.what_happens)).collect();
    told.dedup();
    told
}

fn shown(rows: &[Row], no_headers: bool, wide: bool) -> String {
    let nothing = || "-".to_owned();
    let mut lines = if no_headers { Vec::new() } else { vec![HEAD.map(str::to_owned)] };
    lines.extend(rows.iter().map(|row| {
        let since = row.since.map_or_else(nothing, |since| since.to_string());
        let (id, name) = (row.id.clone().unwrap_or_else(nothing), row.name.clone().unwrap_or_else(nothing));
        [row.found_by.clone(), id, since, name, row.what_happens.clone()]
    }));
    table(&lines, if wide { &[0, 1, 2, 3, 4] } else { &[0, 1] })
}
