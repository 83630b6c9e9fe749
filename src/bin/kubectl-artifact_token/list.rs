//! `kubectl artifact-token list`: a table of tokens, with the columns that the pages of services have.

use std::collections::HashMap;
use std::io::{self, Write as _};

use anyhow::Context as _;
use artifact_token_operator::api::artifact_token::{ArtifactToken, ServiceKind};
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::ledger::{ArtifactTokenStatus, Current, Superseded};
use artifact_token_operator::api::parameters::Parameters;
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use artifact_token_operator::api::token_service::TokenService;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

use super::cluster::Place;

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
    /// Without the line of titles.
    #[arg(long)]
    no_headers: bool,
}

const HEAD: [&str; 9] =
    ["NAMESPACE", "NAME", "TYPE", "EXPIRY", "CREATED-BY", "CREATED", "LAST-USED", "TOKEN", "STATUS"];
/// What is not known, or not there.
const NOTHING: &str = "-";

type Row = [String; HEAD.len()];
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
    let wanted = ListParams { label_selector: arguments.selector.clone(), ..ListParams::default() };
    let tokens = api.list(&wanted).await.context("list the ArtifactTokens")?.items;
    if tokens.is_empty() {
        let place = if everywhere { "any namespace".to_owned() } else { format!("namespace {namespace}") };
        eprintln!("No ArtifactTokens found in {place}.");
        return Ok(());
    }
    let prefixes = prefixes(&client, &tokens).await;
    let now = Time::from(chrono::Utc::now());
    let mut lines: Vec<Row> = if arguments.no_headers { Vec::new() } else { vec![HEAD.map(str::to_owned)] };
    lines.extend(tokens.iter().flat_map(|token| rows(token, &prefixes, now)));
    io::stdout().write_all(table(&lines, everywhere).as_bytes()).context("print the table")
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
        let service = service_of(token);
        if prefixes.contains_key(&service) {
            continue;
        }
        let (kind, namespace, name) = &service;
        let spec = match kind {
            ServiceKind::TokenService => {
                let api: Api<TokenService> = Api::namespaced(client.clone(), namespace);
                api.get_opt(name).await.ok().flatten().map(|service| service.spec)
            }
            ServiceKind::ClusterTokenService => {
                let api: Api<ClusterTokenService> = Api::all(client.clone());
                api.get_opt(name).await.ok().flatten().map(|service| service.spec.service)
            }
        };
        let prefix = spec.and_then(|spec| spec.naming).and_then(|naming| naming.prefix);
        prefixes.insert(service, prefix.unwrap_or_else(|| NOTHING.to_owned()));
    }
    prefixes
}

/// The tokens of one object: the one in use, and those that wait for their revoke. An object without any has a line that says why.
fn rows(token: &ArtifactToken, prefixes: &HashMap<ServiceName, String>, now: Time) -> Vec<Row> {
    let status = token.status.clone().unwrap_or_default();
    let (namespace, name) = (token.namespace().unwrap_or_default(), token.name_any());
    let kind = kind_of(&token.spec.parameters);
    let by = prefixes.get(&service_of(token)).map_or(NOTHING, String::as_str);
    let row = |expiry: String, created: Option<Time>, used: Option<Time>, hint: Option<&str>, status: String| {
        let date = |time: Option<Time>| time.map_or_else(|| NOTHING.to_owned(), date);
        let hint = hint.unwrap_or(NOTHING).to_owned();
        [namespace.clone(), name.clone(), kind.clone(), expiry, by.to_owned(), date(created), date(used), hint, status]
    };
    let ready = status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready);
    let mut rows = Vec::new();
    if let Some(current) = &status.ledger.current {
        let Current { expiration_time, issued_time, last_used_time, hint, .. } = current;
        let shown = standing(current, ready, now);
        rows.push(row(expiry(*expiration_time, now), Some(*issued_time), *last_used_time, hint.as_deref(), shown));
    }
    for old in &status.ledger.superseded {
        rows.push(row(NOTHING.to_owned(), old.claimed_time, None, old.hint.as_deref(), waits(old, &status, now)));
    }
    if rows.is_empty() {
        let why = ready.map_or_else(|| NOTHING.to_owned(), |ready| ready.reason.to_string());
        rows.push(row(NOTHING.to_owned(), None, None, None, why));
    }
    rows
}

/// The parameters that tell tokens of a service apart: its type, its role, its scopes.
fn kind_of(parameters: &Parameters) -> String {
    let texts: Vec<&str> =
        parameters.values().filter_map(|value| value.texts()).flatten().map(String::as_str).collect();
    if texts.is_empty() { NOTHING.to_owned() } else { texts.join(",") }
}

fn standing(current: &Current, ready: Option<&Condition>, now: Time) -> String {
    let expired = current.expiration_time.is_some_and(|end| end <= now);
    let word = match ready {
        _ if current.rejected_time.is_some() => "Rejected",
        _ if expired => "Expired",
        Some(ready) if ready.status == ConditionStatus::True => "Active",
        Some(ready) => return ready.reason.to_string(),
        None => NOTHING,
    };
    word.to_owned()
}

fn waits(old: &Superseded, status: &ArtifactTokenStatus, now: Time) -> String {
    let due = old.next_try_time.unwrap_or_default().max(old.revoke_after_time);
    match due > now {
        _ if old.handed_over && is_asked_for(old.attempt, &status.conditions) => {
            "Superseded, revoke by hand".to_owned()
        }
        // Not before the condition says so: the Secret may hold it still.
        _ if old.handed_over => "Superseded, later to be revoked by hand".to_owned(),
        true => format!("Superseded, will be revoked at {due}"),
        false => "Superseded, being revoked".to_owned(),
    }
}

/// Whether the object asks a person to revoke the token of this attempt.
fn is_asked_for(attempt: u32, conditions: &[Condition]) -> bool {
    let asks = conditions.iter().find(|condition| condition.reason == Reason::RevokeByHand);
    let words = format!("of attempt {attempt}");
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_digit());
    asks.is_some_and(|asks| asks.message.split(&words).skip(1).any(ends))
}

fn expiry(end: Option<Time>, now: Time) -> String {
    let Some(end) = end else { return "Never".to_owned() };
    let hours = end.since(now).as_secs() / 3600;
    match hours {
        _ if end <= now => "Expired".to_owned(),
        0..48 => format!("{hours} hours left"),
        _ => format!("{} days left", hours / 24),
    }
}

fn date(time: Time) -> String {
    time.to_string().chars().take(10).collect()
}

/// Columns as wide as their widest value, three blanks apart; the namespace only where there may be several. Tenants choose parameters, so
/// no control character of theirs reaches the terminal.
fn table(rows: &[Row], namespaces: bool) -> String {
    let shown = |row: &Row| -> Vec<String> {
        let cells = row.iter().skip(usize::from(!namespaces));
        cells.map(|cell| cell.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()).collect()
    };
    let lines: Vec<Vec<String>> = rows.iter().map(shown).collect();
    let columns = HEAD.len() - usize::from(!namespaces);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-30T12:00:00Z";

    fn token(status: Value) -> ArtifactToken {
        serde_json::from_value(json!({
            "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken",
            "metadata": {"name": "uploads", "namespace": "ci"},
            "spec": {
                "serviceRef": {"name": "appetize"}, "parameters": {"role": "Developer"},
                "rotation": {"policy": "Disabled"},
                "secret": {"name": "uploads", "data": [{"key": "token", "format": "Raw"}]},
            },
            "status": status,
        }))
        .unwrap()
    }

    fn ready(status: &str, reason: &str) -> Value {
        json!([{"type": "Ready", "status": status, "reason": reason, "message": "", "lastTransitionTime": NOW}])
    }

    fn shown(status: Value, everywhere: bool) -> String {
        let token = token(status);
        let prefixes = HashMap::from([(service_of(&token), "prod-eu1".to_owned())]);
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(rows(&token, &prefixes, Time::parse(NOW).unwrap()));
        table(&lines, everywhere)
    }

    fn current(more: Value) -> Value {
        let mut current = json!({
            "attempt": 2, "id": "tok_2", "hint": "****x7Qd", "claimedTime": "2026-11-01T00:00:00Z",
            "issuedTime": "2026-11-01T00:00:01Z", "publishedTime": "2026-11-01T00:00:02Z",
            "verifiedTime": "2026-11-01T00:00:03Z", "probed": true, "lastUsedTime": "2026-11-29T10:00:00Z",
        });
        current.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        current
    }

    #[test]
    fn the_table_has_what_the_pages_of_services_show() {
        let status = json!({
            "conditions": ready("True", "TokenValid"),
            "current": current(json!({"expirationTime": "2027-02-28T12:00:00Z"})),
            "superseded": [{"attempt": 1, "id": "tok_1", "claimedTime": "2026-10-01T00:00:00Z", "revokeAfterTime": "2026-11-30T18:00:00Z"}],
        });
        let expected = "\
NAMESPACE   NAME      TYPE        EXPIRY         CREATED-BY   CREATED      LAST-USED    TOKEN      STATUS
ci          uploads   Developer   90 days left   prod-eu1     2026-11-01   2026-11-29   ****x7Qd   Active
ci          uploads   Developer   -              prod-eu1     2026-10-01   -            -          Superseded, will be revoked at 2026-11-30T18:00:00Z
";
        assert_eq!(shown(status, true), expected);
    }

    #[test]
    fn a_token_that_only_a_person_can_revoke_says_so_and_how_to_find_it() {
        let old = |message: &str| {
            let old = json!({"attempt": 1, "id": "hand-over-1", "handedOver": true, "hint": "****nTcg",
                "claimedTime": "2026-10-01T00:00:00Z", "revokeAfterTime": "2026-11-30T11:00:00Z"});
            let asks = json!([{"type": "RevocationPending", "status": "True", "reason": "RevokeByHand", "message": message,
                "lastTransitionTime": NOW}]);
            shown(json!({"conditions": asks, "superseded": [old]}), false)
        };
        assert!(
            old("the token ****nTcg of attempt 1, handed over").ends_with("****nTcg   Superseded, revoke by hand\n")
        );
        assert!(old("the token of attempt 12, handed over").ends_with("Superseded, later to be revoked by hand\n"));
    }

    #[test]
    fn no_parameter_of_a_tenant_moves_the_cursor() {
        let mut token = token(json!({}));
        token.spec.parameters = serde_json::from_value(json!({"role": "a\u{1b}[2Jb\nc"})).unwrap();
        let shown = table(&rows(&token, &HashMap::new(), Time::parse(NOW).unwrap()), false);
        assert_eq!(shown, "uploads   a?[2Jb?c   -   -   -   -   -   -\n");
    }

    #[test]
    fn a_token_that_does_not_work_says_so() {
        let line = |status: Value| shown(status, false).lines().nth(1).unwrap().to_owned();
        let of = |conditions: Value, more: Value| line(json!({"conditions": conditions, "current": current(more)}));
        let refused = ready("Unknown", "RefusalUnconfirmed");
        assert!(of(refused, json!({})).ends_with("****x7Qd   RefusalUnconfirmed"));
        let expired = of(ready("False", "TokenExpired"), json!({"expirationTime": "2026-11-30T11:00:00Z"}));
        assert!(expired.contains("Expired") && expired.ends_with("Expired"), "{expired}");
        let rejected = of(ready("False", "TokenRejected"), json!({"rejectedTime": NOW}));
        assert!(rejected.contains("Never") && rejected.ends_with("Rejected"), "{rejected}");
        let none = line(json!({"conditions": ready("False", "ServiceNotReady")}));
        assert_eq!(none, "uploads   Developer   -        prod-eu1     -         -           -       ServiceNotReady");
    }
}
