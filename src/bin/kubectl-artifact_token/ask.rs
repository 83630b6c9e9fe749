//! What `rotate` and `verify` share: they ask by an annotation, and wait until the operator has done it.

use artifact_token_operator::api::artifact_token::ArtifactToken;
use futures::stream::{self, StreamExt as _};
use serde_json::json;

use super::change::Writing;
use super::cluster::{Place, now};
use super::each::{AT_A_TIME, each};
use super::places::by_hand;
use super::target::{Selection, Target};
use super::wait::Waiting;

/// Which tokens, and whether to wait.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    waiting: Waiting,
}

/// What is asked for.
pub struct Question<Before, Outcome> {
    /// The annotation that asks.
    pub annotation: &'static str,
    /// What is told where nobody waits.
    pub asked: &'static str,
    /// Whether this object may be asked, and what `outcome` must know of it.
    pub before: Before,
    /// What became of the request, once that is known.
    pub outcome: Outcome,
}

/// Asks for it, of all objects first, and waits then.
///
/// # Errors
/// When no operator leads, an object may not be asked, it fails or takes too long, or the API server refuses the request.
pub async fn ask<Known>(
    arguments: &Arguments,
    question: &Question<
        impl Fn(&ArtifactToken) -> anyhow::Result<Known>,
        impl Fn(&ArtifactToken, &Known) -> anyhow::Result<Option<String>>,
    >,
) -> anyhow::Result<()> {
    let Arguments { selection, place, writing, waiting } = arguments;
    let (client, namespace) = place.connect().await?;
    let waits = waiting.wait && !writing.dry_run;
    let leader = if waits { Some(waiting.operator.look(&client).await) } else { None };
    let targets = selection.targets(&client, &namespace, false).await?;
    if let Some(leader) = leader {
        leader.require(|| by_hand(&targets))?;
    }
    let request = json!({"metadata": {"annotations": {question.annotation: String::from(now())}}});
    let (client, request) = (&client, &request);
    let asked = stream::iter(&targets).map(|target| async move {
        let known = (question.before)(&target.token()?)?;
        writing.patch(client, target, request).await.map(|written| (known, written))
    });
    let asked: Vec<anyhow::Result<(Known, Target)>> = asked.buffered(AT_A_TIME).collect().await;
    let wait = waiting.begin(client);
    let (done, end) = each(&writing.printing, targets.iter().zip(asked), |(target, asked)| {
        let wait = &wait;
        async move {
            let (known, written) = asked?;
            if !waits {
                return Ok((writing.done(target, question.asked), written));
            }
            let told = wait.until(target, |token| match (question.outcome)(token, &known)? {
                None => wait.goes_on(token).map(|()| None),
                told => Ok(told),
            });
            let told = told.await?;
            Ok((writing.done(target, &told), writing.printing.latest(client, written).await))
        }
    })
    .await;
    writing.printing.print(done, selection.is_one())?;
    end
}
