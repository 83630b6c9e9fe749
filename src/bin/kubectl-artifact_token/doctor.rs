//! `kubectl artifact-token doctor`: is everything there that tokens need, and what to do if not.

mod before;
mod cluster;
mod operator;
mod tokens;

use anyhow::bail;
use artifact_token_operator::service::mask::plain;
use serde::Serialize;

use super::cluster::Place;
use super::leader::Where;
use super::output::{BAD, DOUBTFUL, Format, GOOD, machine, styled, wrapped};

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Before an installation: does the cluster take the operator, and may you install it?
    #[arg(long)]
    pre: bool,
    /// How it is printed. For programs: json or yaml.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    lease: Where,
}

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Verdict {
    Good,
    /// It works, or cannot be seen; a person should look.
    Doubtful,
    /// Tokens are not kept as they should be.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    verdict: Verdict,
    /// What was found.
    what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, what: what.into(), advice: None }
    }

    fn doubtful(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Doubtful, what: what.into(), advice: Some(advice.into()) }
    }

    fn bad(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, what: what.into(), advice: Some(advice.into()) }
    }

    /// What could not be looked at, for example because the person may not.
    fn unseen(what: &str, error: &kube::Error) -> Self {
        let why = match error {
            kube::Error::Api(status) => status.message.clone(),
            other => other.to_string(),
        };
        Self::doubtful(format!("{what}: not seen, {why}"), "ask somebody with more rights to run this")
    }
}

/// Looks at everything, and prints what was found.
///
/// # Errors
/// When something is bad, or there is no cluster to ask.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { place, pre, output, lease } = arguments;
    let (client, namespace) = place.connect().await?;
    let mut findings = cluster::look(&client).await?;
    if *pre {
        findings.extend(before::look(&client, &namespace).await);
    } else {
        findings.extend(cluster::crds(&client, false).await);
        findings.extend(operator::look(&client, lease).await);
        findings.extend(tokens::look(&client, place.namespace.as_deref()).await);
    }
    match output {
        Format::Json | Format::Yaml => anstream::print!("{}", machine(&findings, *output)?),
        _ => anstream::print!("{}", shown(&findings)),
    }
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if bad > 0 {
        bail!("{bad} of {} findings need you", findings.len());
    }
    Ok(())
}

fn shown(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let (style, word) = match finding.verdict {
            Verdict::Good => (GOOD, "ok  "),
            Verdict::Doubtful => (DOUBTFUL, "look"),
            Verdict::Bad => (BAD, "BAD "),
        };
        let advice = finding
            .advice
            .as_ref()
            .map(|advice| format!("{}\n", wrapped(&format!("      {}", plain(advice)), 6)))
            .unwrap_or_default();
        let what = format!("{}  {}", styled(style, word), plain(&finding.what));
        format!("{}\n{advice}", wrapped(&what, 6))
    };
    findings.iter().map(line).collect()
}
