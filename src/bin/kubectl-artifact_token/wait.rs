//! Waits until the operator has done what a person asked for.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::{Condition, ConditionStatus, ConditionType};
use artifact_token_operator::api::duration::GoDuration;
use kube::Client;
use kube::api::Api;

use super::leader::Where;
use super::target::Target;

/// How often an object is looked at.
const PAUSE: Duration = Duration::from_millis(500);

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
    length.ok_or("write a duration such as 3m or 90s, or 0")
}

impl Waiting {
    /// Looks at an ArtifactToken until `look` finds what it waits for. On a terminal it tells what the object says meanwhile.
    ///
    /// # Errors
    /// What `look` says; when the object is gone; when the time is over.
    pub async fn until<T>(
        &self,
        client: &Client,
        target: &Target,
        mut look: impl FnMut(&ArtifactToken) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let api: Api<ArtifactToken> = Api::namespaced(client.clone(), &target.namespace());
        let (shown, name) = (target.shown(), target.object.metadata.name.clone().unwrap_or_default());
        let begun = Instant::now();
        let mut told = String::new();
        loop {
            // The API server may be away for a moment.
            if let Ok(seen) = api.get_opt(&name).await {
                let token = seen.ok_or_else(|| anyhow!("{shown} is gone"))?;
                if let Some(found) = look(&token)? {
                    return Ok(found);
                }
                let state = state(&token);
                if state != told && io::stderr().is_terminal() {
                    eprintln!("{shown}: {state}");
                }
                told = state;
            }
            if begun.elapsed() >= self.timeout {
                let told = if told.is_empty() { "the API server does not answer" } else { &told };
                bail!("{shown}: not done within {}; {told}", GoDuration(self.timeout));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What an object says that it does or waits for: of its conditions the one that matters most.
pub fn state(token: &ArtifactToken) -> String {
    let order = [
        ConditionType::Stalled,
        ConditionType::RotationFailed,
        ConditionType::HandOverDue,
        ConditionType::Reconciling,
        ConditionType::VerificationUnclear,
        ConditionType::Ready,
        ConditionType::RevocationPending,
    ];
    let found = order.into_iter().find_map(|type_| condition(token, type_).filter(|found| is_told(found)));
    let Some(Condition { type_, reason, message, .. }) = found else {
        return "the operator has not looked at it yet".to_owned();
    };
    format!("{} ({reason}): {}", type_.name(), plain(message))
}

/// A condition says something while it is true; `Ready`, always.
fn is_told(condition: &Condition) -> bool {
    condition.type_ == ConditionType::Ready || condition.status == ConditionStatus::True
}

/// The condition of this type.
pub fn condition(token: &ArtifactToken, type_: ConditionType) -> Option<&Condition> {
    token.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the token works, as far as the operator knows.
pub fn is_ready(token: &ArtifactToken) -> bool {
    condition(token, ConditionType::Ready).is_some_and(|ready| ready.status == ConditionStatus::True)
}

/// A text of somebody else without what would move the cursor of a terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
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

    #[test]
    fn no_text_of_others_moves_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a?[2Jb?c");
    }
}
