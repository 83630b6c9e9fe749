//! `kubectl artifact-token revoke`: a token leaked. It is revoked at once, without an overlap, and then replaced.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use artifact_token_operator::api::artifact_token::{ArtifactToken, ServiceKind};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::{Leak, Proof};
use artifact_token_operator::api::time::Time;
use kube::api::ListParams;
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::change::{Writing, warn_of_git};
use super::cluster::{Place, server_time};
use super::consumers::{Consumer, consumers};
use super::each::each;
use super::places::by_hand;
use super::target::{Kind, Target, find};
use super::wait::{Waiting, condition, is_ready, plain};

/// What leaked.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The ArtifactToken whose tokens leaked; or tokenservice/NAME or clustertokenservice/NAME: all tokens of that service.
    name: String,
    /// The name again, in place of the question on the terminal.
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    waiting: Waiting,
}

/// Revokes, and waits until the service refuses the tokens.
///
/// # Errors
/// When no operator leads, the name is not confirmed, or a token is not dead in time.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { name, confirm, place, writing, waiting } = arguments;
    let (client, namespace) = place.connect().await?;
    let target = find(&client, &namespace, name, true).await?;
    ensure!(
        target.object.metadata.deletion_timestamp.is_none(),
        "{} is being deleted, so its tokens are revoked",
        target.shown()
    );
    let tokens = tokens(&client, &target).await?;
    if waiting.wait && !writing.dry_run {
        waiting.operator.require(&client, || by_hand(&tokens)).await?;
    }
    tell_what_breaks(&client, &tokens).await?;
    if !writing.dry_run {
        confirmed(&target.object.name_any(), confirm.as_deref())?;
    }
    // What the operator claimed until it notices this leaked. It takes a time ahead for now, and a clock of this machine may be behind.
    let before = server_time(&client).await?.plus(Duration::from_secs(1));
    let (field, patch) = match target.kind {
        Kind::Token => {
            ("spec.rotation.revokeIssuedBefore", json!({"spec": {"rotation": {"revokeIssuedBefore": before}}}))
        }
        Kind::Service(_) => ("spec.revokeIssuedBefore", json!({"spec": {"revokeIssuedBefore": before}})),
    };
    warn_of_git(&target, &format!("{field}: {}", String::from(before)));
    writing.patch(&client, &target, &patch).await?;
    if writing.dry_run || !waiting.wait {
        println!("{}", writing.done(&target, "revoke requested"));
        return Ok(());
    }
    each(&tokens, |token| until_dead(&client, token, target.kind, before, waiting)).await
}

/// The ArtifactTokens that this is about.
async fn tokens(client: &Client, target: &Target) -> anyhow::Result<Vec<Target>> {
    let Kind::Service(kind) = target.kind else { return Ok(vec![target.clone()]) };
    let name = target.object.name_any();
    let of = format!("spec.serviceRef.name={name},spec.serviceRef.kind={}", kind.name());
    let wanted = ListParams::default().fields(&of);
    let tokens = match kind {
        ServiceKind::TokenService => Kind::Token.api(client, &target.namespace()).list(&wanted).await,
        ServiceKind::ClusterTokenService => Kind::Token.everywhere(client).list(&wanted).await,
    };
    let tokens = tokens.context("list the ArtifactTokens of the service")?;
    Ok(tokens.into_iter().map(|object| Target { kind: Kind::Token, object }).collect())
}

/// Names who will hold a dead token until the Secret has a new one.
async fn tell_what_breaks(client: &Client, tokens: &[Target]) -> anyhow::Result<()> {
    for target in tokens {
        let token = target.token()?;
        let found = consumers(client, &target.namespace(), &token.spec.secret.name).await;
        let names: Vec<String> = found.found.iter().map(Consumer::shown).collect();
        let unseen = if found.unseen.is_empty() {
            String::new()
        } else {
            format!("; not looked at, because you may not list them: {}", found.unseen.join(", "))
        };
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        println!(
            "{}: consumers of the Secret {} that get a dead token: {names}{unseen}",
            target.shown(),
            token.spec.secret.name
        );
    }
    Ok(())
}

/// Has the person type the name.
fn confirmed(name: &str, confirm: Option<&str>) -> anyhow::Result<()> {
    let typed = match confirm {
        Some(typed) => typed.to_owned(),
        None if io::stdin().is_terminal() => {
            eprint!("The tokens are revoked at once. Type {name} to go on: ");
            io::stderr().flush().context("ask on the terminal")?;
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).context("read the answer")?;
            line.trim().to_owned()
        }
        None => bail!("nothing is revoked: there is no terminal to ask on. Confirm with --confirm {name}"),
    };
    let bare = typed.rsplit('/').next().unwrap_or_default();
    ensure!(bare == name, "nothing is revoked: that is not the name {name}");
    Ok(())
}

/// Waits until no token from before the leak may live, and the Secret has a new one.
async fn until_dead(
    client: &Client,
    target: &Target,
    asked: Kind,
    before: Time,
    waiting: &Waiting,
) -> anyhow::Result<String> {
    let owed = owed(&target.token()?);
    let mut told = false;
    let end = waiting.until(client, target, |token| {
        let Some(dead) = dead(token, asked, before, &owed) else { return Ok(None) };
        if !told {
            dead.iter().for_each(|line| println!("{}: {line}", target.shown()));
            told = true;
        }
        Ok(replaced(token))
    });
    let end = end.await;
    if end.is_err() && told {
        eprintln!("{}: the leaked tokens are dead; only the new one is missing.", target.shown());
    }
    end.map(|told| format!("{} {told}", target.shown()))
}

/// The attempts whose tokens may live.
fn owed(token: &ArtifactToken) -> BTreeSet<u32> {
    let Some(ledger) = token.status.as_ref().map(|status| &status.ledger) else { return BTreeSet::new() };
    let current = ledger.current.iter().map(|current| current.attempt);
    let claim = ledger.claim.iter().filter(|claim| claim.outcome.is_none()).map(|claim| claim.attempt);
    current.chain(claim).chain(ledger.superseded.iter().map(|old| old.attempt)).collect()
}

/// How each of these was seen dead, once none from before the leak may live.
fn dead(token: &ArtifactToken, asked: Kind, before: Time, owed: &BTreeSet<u32>) -> Option<Vec<String>> {
    let ledger = &token.status.as_ref()?.ledger;
    let noticed = |leak: &&Leak| match asked {
        Kind::Token => leak.object_issued_before == Some(before),
        Kind::Service(_) => leak.service_issued_before == Some(before),
    };
    let leak = ledger.leak.as_ref().filter(noticed)?;
    let open = ledger.claim.iter().filter(|claim| claim.outcome.is_none()).map(|claim| Some(claim.time));
    let current = ledger.current.iter().map(|current| Some(current.claimed_time));
    let mut living = current.chain(open).chain(ledger.superseded.iter().map(|old| old.claimed_time));
    // Of one whose claim is not known, nobody can say that it is younger.
    if living.any(|claimed| claimed.is_none_or(|claimed| leak.covers(claimed))) {
        return None;
    }
    let tell = |attempt: &u32| {
        let entry = ledger.history.iter().find(|dead| dead.attempt == *attempt);
        let how = match entry.map(|dead| dead.proof) {
            Some(Proof::Refused) => "the service refuses it",
            Some(Proof::Unlisted) => "the service lists it no more",
            Some(Proof::Answered) => "the service said so, and nothing more could be seen",
            None => "it never became a token, or died before",
        };
        let id = entry.map(|dead| format!(" (id {})", dead.id)).unwrap_or_default();
        format!("attempt {attempt}{id} is dead: {how}")
    };
    Some(owed.iter().map(tell).collect())
}

/// What the Secret has now, if a token after the leak works.
fn replaced(token: &ArtifactToken) -> Option<String> {
    let ledger = &token.status.as_ref()?.ledger;
    if let Some(due) = condition(token, ConditionType::HandOverDue) {
        return Some(format!("revoked; a new token waits for you: {}", plain(&due.message)));
    }
    if token.spec.suspend {
        return Some("revoked; it is suspended, so there is no new token".to_owned());
    }
    let current = ledger.current.as_ref().filter(|_| is_ready(token))?;
    let leak = ledger.leak.as_ref()?;
    (!leak.covers(current.claimed_time)).then(|| {
        format!("revoked and replaced: attempt {} is in the Secret {}", current.attempt, token.spec.secret.name)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn token(status: &Value) -> ArtifactToken {
        serde_json::from_value(json!({
            "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken", "metadata": {"name": "ci", "namespace": "ci"},
            "spec": {"serviceRef": {"name": "r"}, "rotation": {"policy": "Disabled"},
                "secret": {"name": "ci-token", "data": [{"key": "token", "format": "Raw"}]}},
            "status": status,
        }))
        .unwrap()
    }

    fn current(attempt: u32, claimed: &str) -> Value {
        json!({"attempt": attempt, "id": format!("tok_{attempt}"), "claimedTime": claimed, "issuedTime": claimed, "publishedTime": claimed,
            "verifiedTime": claimed, "probed": true})
    }

    #[test]
    fn a_leaked_token_is_told_dead_only_once_it_left_the_ledger() {
        let (early, late, before) = ("2026-12-01T08:00:00Z", "2026-12-01T09:00:01Z", "2026-12-01T09:00:00Z");
        let leak = json!({"objectIssuedBefore": before, "claimedBefore": before});
        let asked = Time::parse(before).unwrap();
        let owed = BTreeSet::from([7]);
        let seen = |status: Value| dead(&token(&status), Kind::Token, asked, &owed);
        assert_eq!(seen(json!({"current": current(7, early)})), None, "the operator has not noticed the leak");
        assert_eq!(seen(json!({"current": current(7, early), "leak": leak})), None);
        let waits = json!([{"attempt": 7, "id": "tok_7", "claimedTime": early, "revokeAfterTime": early}]);
        assert_eq!(seen(json!({"superseded": waits, "leak": leak})), None);
        let history = json!([{"attempt": 7, "id": "tok_7", "revokedTime": late, "proof": "Refused"}]);
        let dead = seen(json!({"current": current(8, late), "history": history, "leak": leak})).unwrap();
        assert_eq!(dead, ["attempt 7 (id tok_7) is dead: the service refuses it"]);
        let other = json!({"objectIssuedBefore": early, "claimedBefore": early});
        assert_eq!(seen(json!({"history": history, "leak": other})), None, "an earlier leak");
    }

    #[test]
    fn only_the_very_name_confirms() {
        assert!(confirmed("ci", Some("ci")).is_ok() && confirmed("ci", Some("tokenservice/ci")).is_ok());
        assert!(confirmed("ci", Some("")).is_err() && confirmed("ci", Some("y")).is_err());
    }
}
