//! Waits until the operator has done what a person asked for.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure};
use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::duration::GoDuration;
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::service::mask::plain;
use kube::api::Api;
use kube::{Client, ResourceExt as _};

use super::leader::Where;
use super::output::wrapped;
use super::target::Target;

/// How often an object is looked at.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the Lease is looked at while a command waits.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// So long a condition may be one from before the request.
const SETTLED: Duration = Duration::from_secs(10);
/// What becomes of the tokens of an object that goes.
const GONE: &str = "with spec.deletion.policy Revoke its tokens were revoked first, with Orphan they live on";

/// Whether and how long a command waits.
#[derive(Debug, clap::Args)]
pub struct Waiting {
    /// Wait until the operator has done it; `--wait=false` only asks for it.
    #[arg(long, action = clap::ArgAction::Set, default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub wait: bool,
    /// How long to wait.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = length)]
    pub timeout: Duration,
    #[command(flatten)]
    pub operator: Where,
}

/// Reads how long to wait.
pub fn length(text: &str) -> Result<Duration, &'static str> {
    let length = if text == "0" { Some(Duration::ZERO) } else { GoDuration::parse(text).map(|length| length.0) };
    length.ok_or("such as 3m, 90s or 0")
}

/// One command's wait: for all its objects together.
pub struct Wait<'a> {
    client: &'a Client,
    waiting: &'a Waiting,
    begun: Instant,
}

impl Waiting {
    /// Begins to wait, now.
    pub fn begin<'a>(&'a self, client: &'a Client) -> Wait<'a> {
        Wait { client, waiting: self, begun: Instant::now() }
    }
}

impl Wait<'_> {
    /// Whether it is of use to wait for something that a stalled or suspended object does not do.
    ///
    /// # Errors
    /// What the object says, once that cannot be what it said before the request.
    pub fn goes_on(&self, token: &ArtifactToken) -> anyhow::Result<()> {
        match hindrance(token).filter(|_| self.begun.elapsed() > SETTLED) {
            Some(Condition { type_, reason, message, .. }) => {
                bail!("artifacttoken/{}: {} ({reason}): {}", token.name_any(), type_.name(), plain(message))
            }
            None => Ok(()),
        }
    }

    /// Looks at an ArtifactToken until `look` finds what it waits for. On a terminal it tells what the object says meanwhile.
    ///
    /// # Errors
    /// What `look` says; when the object goes; when no operator leads any more; when the time is over.
    pub async fn until<T>(
        &self,
        target: &Target,
        mut look: impl FnMut(&ArtifactToken) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let api: Api<ArtifactToken> = Api::namespaced(self.client.clone(), &target.namespace());
        let (shown, name) = (target.shown(), target.object.metadata.name.clone().unwrap_or_default());
        let (mut told, mut looked) = ("the API server does not answer".to_owned(), Instant::now());
        loop {
            // The API server may be away for a moment.
            if let Ok(seen) = api.get_opt(&name).await {
                let token = seen.ok_or_else(|| anyhow!("{shown} is gone; {GONE}"))?;
                ensure!(
                    token.metadata.uid == target.object.metadata.uid,
                    "{shown} was deleted and created again; {GONE}"
                );
                if let Some(found) = look(&token)? {
                    return Ok(found);
                }
                let state = state(&token);
                ensure!(token.metadata.deletion_timestamp.is_none(), "{shown} is being deleted; {state}");
                if state != told && io::stderr().is_terminal() {
                    eprintln!("{}", wrapped(&format!("{shown}: {state}"), 2));
                }
                told = state;
            }
            let over = self.begun.elapsed() >= self.waiting.timeout;
            if over || looked.elapsed() > LOOK_AGAIN {
                self.waiting.operator.look(self.client).await.alive_or(|| format!("{shown} waits for one"))?;
                looked = Instant::now();
            }
            if over {
                bail!("{shown}: not done within {}; {told}", GoDuration(self.waiting.timeout));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Why an operator makes no token for this generation before a person acts. Revokes go on.
fn hindrance(token: &ArtifactToken) -> Option<&Condition> {
    let told = token.status.as_ref()?.conditions.iter().filter(|found| is_told(found));
    let mut told = told.filter(|found| found.type_ == ConditionType::Stalled || found.reason == Reason::Suspended);
    told.find(|found| found.observed_generation == token.metadata.generation)
}

/// What an object says that it does or waits for: of its conditions the one that matters most.
pub fn state(token: &ArtifactToken) -> String {
    let order = [
        ConditionType::Stalled,
        ConditionType::RotationFailed,
        ConditionType::HandOverDue,
        ConditionType::Reconciling,
        ConditionType::VerificationUnclear,
        ConditionType::RevocationPending,
        ConditionType::Ready,
    ];
    let found = order.into_iter().find_map(|type_| condition(token, type_).filter(|found| is_told(found)));
    let Some(Condition { type_, reason, message, .. }) = found else {
        return "the operator has not looked at it yet, or has nothing to say".to_owned();
    };
    format!("{} ({reason}): {}", type_.name(), plain(message))
}

/// A condition says something while it is true; `Ready`, while it is not.
fn is_told(condition: &Condition) -> bool {
    (condition.type_ == ConditionType::Ready) != (condition.status == ConditionStatus::True)
}

/// The condition of this type.
pub fn condition(token: &ArtifactToken, type_: ConditionType) -> Option<&Condition> {
    token.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the token works, as far as the operator knows.
pub fn is_ready(token: &ArtifactToken) -> bool {
    condition(token, ConditionType::Ready).is_some_and(|ready| ready.status == ConditionStatus::True)
}

/// A text of somebody else of several lines without what would move the cursor of a terminal.
pub fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_duration_or_none() {
        assert_eq!(length("0"), Ok(Duration::ZERO));
        assert_eq!(length("1m30s"), Ok(Duration::from_secs(90)));
        assert!(length("3").is_err() && length("").is_err() && length("1d").is_err());
    }
}
