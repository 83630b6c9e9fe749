//! `kubectl artifact-token revoke`: a token leaked. It is revoked at once, without an overlap, and then replaced.

mod progress;

use std::collections::HashMap;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use artifact_token_operator::api::artifact_token::ServiceKind;
use artifact_token_operator::api::ledger::Ledger;
use artifact_token_operator::api::time::Time;
use kube::api::ListParams;
use kube::{Client, ResourceExt as _};
use serde_json::json;

use self::progress::{Asked, Deaths, Progress, progress, replaced};
use super::change::{Writing, warn_of_git};
use super::cluster::{Place, server_time};
use super::consumers::{Consumer, Workloads};
use super::each::each;
use super::places::by_hand;
use super::printing::Printing;
use super::target::{Kind, Target, find};
use super::wait::{Wait, Waiting};

/// The consumers of so many tokens are named.
const NAMED: usize = 20;

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
    let waits = waiting.wait && !writing.dry_run;
    let leader = if waits { Some(waiting.operator.look(&client).await) } else { None };
    let target = find(&client, &namespace, name, true).await?;
    ensure!(
        target.object.metadata.deletion_timestamp.is_none(),
        "{} is being deleted, so its tokens are revoked",
        target.shown()
    );
    let known = tokens(&client, &target).await?;
    if let Some(leader) = leader {
        leader.require(|| by_hand(&known))?;
    }
    tell_what_breaks(&client, &known, &writing.printing).await?;
    if !writing.dry_run {
        confirmed(&target.object.name_any(), confirm.as_deref())?;
    }
    // Read again: a person may have taken a while.
    let target = find(&client, &namespace, name, true).await?;
    let known = tokens(&client, &target).await?;
    let before = leaked_before(server_time(&client).await?, &known);
    let (field, patch) = match target.kind {
        Kind::Token => {
            ("spec.rotation.revokeIssuedBefore", json!({"spec": {"rotation": {"revokeIssuedBefore": before}}}))
        }
        Kind::Service(_) => ("spec.revokeIssuedBefore", json!({"spec": {"revokeIssuedBefore": before}})),
    };
    warn_of_git(&target, &format!("{field}: {}", String::from(before)));
    let (printing, written) = (&writing.printing, writing.patch(&client, &target, &patch).await?);
    if !waits {
        printing.say(&writing.done(&target, "revoke requested"));
        return printing.print(vec![written], true);
    }
    let wait = &waiting.begin(&client);
    let asked = Asked { kind: target.kind, before };
    let dead = |token| async move { until_dead(wait, printing, token, asked).await.map(|told| (told, ())) };
    each(printing, known.iter(), dead).await.1?;
    printing.print(vec![printing.latest(&client, written).await], true)
}

/// The time from before which tokens leaked: now, by the API server's clock, since that of this machine may be behind. The operator takes a
/// time ahead for now. Clocks of several API servers differ: what is claimed already leaked. The same time again would not fire.
fn leaked_before(now: Time, known: &[Target]) -> Time {
    let ledgers: Vec<Ledger> = known.iter().filter_map(|target| Some(target.token().ok()?.status?.ledger)).collect();
    let claims = ledgers.iter().flat_map(progress::claims).flatten();
    let earlier = ledgers.iter().filter_map(|ledger| ledger.leak.as_ref()).filter_map(|leak| leak.noticed().latest());
    claims.chain(earlier).fold(now, Time::max).plus(Duration::from_secs(1))
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
async fn tell_what_breaks(client: &Client, tokens: &[Target], printing: &Printing) -> anyhow::Result<()> {
    let mut workloads: HashMap<String, Workloads> = HashMap::new();
    for target in tokens.iter().take(NAMED) {
        let namespace = target.namespace();
        if !workloads.contains_key(&namespace) {
            workloads.insert(namespace.clone(), Workloads::list(client, &namespace).await);
        }
        let secret = target.token()?.spec.secret.name;
        let Some(found) = workloads.get(&namespace).map(|workloads| workloads.consumers(&secret)) else { continue };
        let names: Vec<String> = found.found.iter().map(Consumer::shown).collect();
        let unseen = if found.unseen.is_empty() {
            String::new()
        } else {
            format!("; not looked at, because you may not list them: {}", found.unseen.join(", "))
        };
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let shown = target.shown();
        printing.say(&format!("{shown}: consumers of the Secret {secret} that get a dead token: {names}{unseen}"));
    }
    if tokens.len() > NAMED {
        printing.say(&format!("and those of {} more ArtifactTokens", tokens.len() - NAMED));
    }
    Ok(())
}

/// Has the person type the name.
fn confirmed(name: &str, confirm: Option<&str>) -> anyhow::Result<()> {
    let typed = match confirm {
        Some(typed) => typed.to_owned(),
        None if io::stdin().is_terminal() => {
            eprint!("What the operator can revoke dies at once. Type {name} to go on: ");
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
async fn until_dead(wait: &Wait<'_>, printing: &Printing, target: &Target, asked: Asked) -> anyhow::Result<String> {
    let shown = target.shown();
    // The operator may have revoked before the first look.
    let mut deaths = Deaths::of(&target.token()?);
    let (mut told, mut missing) = (false, None);
    let end = wait.until(target, |token| {
        deaths.see(token);
        match progress(token, asked) {
            Progress::Unnoticed => Ok(None),
            Progress::Living(which) => {
                missing = Some(which);
                Ok(None)
            }
            Progress::Yours(what) => bail!("{shown}: {what}"),
            Progress::Dead => {
                missing = None;
                if !told {
                    deaths.lines(token).iter().for_each(|line| printing.say(&format!("{shown}: {line}")));
                    told = true;
                }
                match replaced(token) {
                    None => wait.goes_on(token).map(|()| None),
                    end => Ok(end),
                }
            }
        }
    });
    match (end.await, missing) {
        (Ok(end), _) => Ok(format!("{shown} {end}")),
        (Err(error), _) if told => Err(error.context("the leaked tokens are dead, and the new one is missing")),
        (Err(error), Some(which)) => Err(error.context(format!("may still live: {which}"))),
        (Err(error), None) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_name_confirms() {
        assert!(confirmed("ci", Some("ci")).is_ok() && confirmed("ci", Some("tokenservice/ci")).is_ok());
        assert!(confirmed("ci", Some("")).is_err() && confirmed("ci", Some("y")).is_err());
    }
}
