//! The lines of the table: what the ledger of an object says of its tokens. Pure.

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::ledger::{ArtifactTokenStatus, Current, Superseded};
use artifact_token_operator::api::parameters::Parameters;
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::time::Time;
use kube::ResourceExt as _;

/// The first five fit on a terminal of 80 columns; the others are shown where they are asked for.
pub const HEAD: [&str; 13] = [
    "NAMESPACE",
    "NAME",
    "EXPIRY",
    "TOKEN",
    "STATUS",
    "UNTIL",
    "TYPE",
    "CREATED-BY",
    "CREATED",
    "LAST-USED",
    "SERVICE",
    "SECRET",
    "ATTEMPT",
];
/// So many of them always.
const NARROW: usize = 5;
/// What is not known, or not there.
pub const NOTHING: &str = "-";

pub type Row = [String; HEAD.len()];

/// The columns that are shown; the namespace only where there may be several.
pub fn columns(namespaces: bool, wide: bool) -> Vec<usize> {
    (usize::from(!namespaces)..if wide { HEAD.len() } else { NARROW }).collect()
}

/// What differs between the tokens of one object.
#[derive(Default)]
struct Cells<'a> {
    attempt: Option<u32>,
    expiry: Option<String>,
    /// Until when it lives: until it expires, or the operator revokes it.
    until: Option<Time>,
    created: Option<Time>,
    used: Option<Time>,
    hint: Option<&'a str>,
    status: String,
}

/// The tokens of one object: the one in use, and those that wait for their revoke. An object without any has a line that says why.
/// `prefix` is that of its service.
pub fn rows(token: &ArtifactToken, prefix: &str, now: Time) -> Vec<Row> {
    let status = token.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready);
    let current = status.ledger.current.iter().map(|current| Cells {
        attempt: Some(current.attempt),
        expiry: Some(expiry(current.expiration_time, now)),
        until: current.expiration_time,
        created: Some(current.issued_time),
        used: current.last_used_time,
        hint: current.hint.as_deref(),
        status: standing(current, ready, now),
    });
    let superseded = status.ledger.superseded.iter().map(|old| {
        let lives = !old.handed_over && old.rejected_time.is_none();
        let until = Some(old.revoke_after_time).filter(|end| lives && *end > now);
        Cells {
            attempt: Some(old.attempt),
            expiry: until.map(|end| left(end, now)),
            until,
            created: old.claimed_time,
            hint: old.hint.as_deref(),
            status: waits(old, &status, now).to_owned(),
            ..Cells::default()
        }
    });
    let mut lines: Vec<Cells> = current.chain(superseded).collect();
    if lines.is_empty() {
        let status = ready.map_or_else(|| NOTHING.to_owned(), |ready| ready.reason.to_string());
        lines.push(Cells { status, ..Cells::default() });
    }
    lines.into_iter().map(|cells| row(token, prefix, cells)).collect()
}

fn row(token: &ArtifactToken, prefix: &str, cells: Cells) -> Row {
    let or = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    [
        token.namespace().unwrap_or_default(),
        token.name_any(),
        or(cells.expiry),
        or(cells.hint.map(str::to_owned)),
        cells.status,
        or(cells.until.map(|time| time.to_string())),
        kind_of(&token.spec.parameters),
        prefix.to_owned(),
        or(cells.created.map(date)),
        or(cells.used.map(date)),
        token.spec.service_ref.name.clone(),
        token.spec.secret.name.clone(),
        or(cells.attempt.map(|attempt| attempt.to_string())),
    ]
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

fn waits(old: &Superseded, status: &ArtifactTokenStatus, now: Time) -> &'static str {
    match old.revoke_after_time > now {
        _ if old.handed_over && is_asked_for(old.attempt, &status.conditions) => "Revoke by hand",
        // Not before the condition says so: the Secret may hold it still.
        _ if old.handed_over => "Revoke by hand later",
        true => "Superseded",
        false => "Being revoked",
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
    match end {
        None => "Never".to_owned(),
        Some(end) if end <= now => "Expired".to_owned(),
        Some(end) => left(end, now),
    }
}

/// How long it is until then.
fn left(end: Time, now: Time) -> String {
    match end.since(now).as_secs() / 3600 {
        0 => "<1h".to_owned(),
        hours @ 1..48 => format!("{hours}h"),
        hours => format!("{}d", hours / 24),
    }
}

fn date(time: Time) -> String {
    time.to_string().chars().take(10).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::output::table;

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

    fn shown(status: Value, everywhere: bool, wide: bool) -> String {
        let token = token(status);
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(rows(&token, "prod-eu1", Time::parse(NOW).unwrap()));
        table(&lines, &columns(everywhere, wide))
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
NAMESPACE   NAME      EXPIRY   TOKEN      STATUS
ci          uploads   90d      ****x7Qd   Active
ci          uploads   6h       -          Superseded
";
        assert_eq!(shown(status.clone(), true, false), expected);
        let expected = "\
NAME      EXPIRY   TOKEN      STATUS       UNTIL                  TYPE        CREATED-BY   CREATED      LAST-USED    SERVICE    SECRET    ATTEMPT
uploads   90d      ****x7Qd   Active       2027-02-28T12:00:00Z   Developer   prod-eu1     2026-11-01   2026-11-29   appetize   uploads   2
uploads   6h       -          Superseded   2026-11-30T18:00:00Z   Developer   prod-eu1     2026-10-01   -            appetize   uploads   1
";
        assert_eq!(shown(status, false, true), expected);
    }

    #[test]
    fn usual_names_fit_on_80_columns() {
        let mut token = token(json!({
            "conditions": ready("False", "TokenGenerationFailed"), "current": current(json!({"expirationTime": "2027-11-30T12:00:00Z"})),
            "superseded": [{"attempt": 1, "id": "1", "revokeAfterTime": NOW}, {"attempt": 0, "id": "0", "handedOver": true, "revokeAfterTime": NOW}],
        }));
        token.metadata.namespace = Some("n".repeat(12));
        token.metadata.name = Some("t".repeat(20));
        let lines = rows(&token, NOTHING, Time::parse(NOW).unwrap());
        let shown = table(&lines, &columns(true, false));
        assert!(shown.lines().count() == 3 && shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }

    #[test]
    fn a_token_that_only_a_person_can_revoke_says_so_and_how_to_find_it() {
        let old = |message: &str| {
            let old = json!({"attempt": 1, "id": "hand-over-1", "handedOver": true, "hint": "****nTcg",
                "claimedTime": "2026-10-01T00:00:00Z", "revokeAfterTime": "2026-11-30T11:00:00Z"});
            let asks = json!([{"type": "RevocationPending", "status": "True", "reason": "RevokeByHand", "message": message,
                "lastTransitionTime": NOW}]);
            shown(json!({"conditions": asks, "superseded": [old]}), false, false)
        };
        assert!(old("the token ****nTcg of attempt 1, handed over").ends_with("****nTcg   Revoke by hand\n"));
        assert!(old("the token of attempt 12, handed over").ends_with("-        ****nTcg   Revoke by hand later\n"));
    }

    #[test]
    fn no_parameter_of_a_tenant_moves_the_cursor() {
        let mut token = token(json!({}));
        token.spec.parameters = serde_json::from_value(json!({"role": "a\u{1b}[2Jb\nc"})).unwrap();
        let shown = table(&rows(&token, NOTHING, Time::parse(NOW).unwrap()), &columns(false, true));
        assert_eq!(shown, "uploads   -   -   -   -   a?[2Jb?c   -   -   -   appetize   uploads   -\n");
    }

    #[test]
    fn a_token_that_does_not_work_says_so() {
        let line = |status: Value| shown(status, false, false).lines().nth(1).unwrap().to_owned();
        let of = |conditions: Value, more: Value| line(json!({"conditions": conditions, "current": current(more)}));
        let refused = ready("Unknown", "RefusalUnconfirmed");
        assert!(of(refused, json!({})).ends_with("****x7Qd   RefusalUnconfirmed"));
        let expired = of(ready("False", "TokenExpired"), json!({"expirationTime": "2026-11-30T11:00:00Z"}));
        assert!(expired.contains("Expired") && expired.ends_with("Expired"), "{expired}");
        let rejected = of(ready("False", "TokenRejected"), json!({"rejectedTime": NOW}));
        assert!(rejected.contains("Never") && rejected.ends_with("Rejected"), "{rejected}");
        let none = line(json!({"conditions": ready("False", "ServiceNotReady")}));
        assert_eq!(none, "uploads   -        -       ServiceNotReady");
    }
}
