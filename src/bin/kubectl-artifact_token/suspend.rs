//! `kubectl artifact-token suspend` and `resume`: no new tokens for a while. Repair, verification, revokes and deletion go on.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;
use serde_json::{Value, json};

use super::change::{Writing, warn_of_git};
use super::cluster::Place;
use super::each::each;
use super::target::{Selection, Target, Unchanged};

/// Which objects.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    unchanged: Unchanged,
}

/// Sets `spec.suspend` of all of them.
///
/// # Errors
/// When an object is not there or is being deleted, the API server refuses a change, or nothing changed and that was asked for.
pub async fn run(arguments: &Arguments, suspend: bool) -> anyhow::Result<()> {
    let Arguments { selection, place, writing, unchanged } = arguments;
    let (client, namespace) = place.connect().await?;
    let targets = selection.targets(&client, &namespace, true).await?;
    let changed = AtomicUsize::new(0);
    let (done, end) = each(&writing.printing, targets.iter(), |target| {
        let (client, changed) = (&client, &changed);
        async move {
            if is_suspended(target) == suspend {
                let how = if suspend { "already" } else { "not" };
                return Ok((format!("{} not changed: it is {how} suspended", target.shown()), target.clone()));
            }
            ensure!(target.object.metadata.deletion_timestamp.is_none(), "{} is being deleted", target.shown());
            warn_of_git(target, &format!("spec.suspend: {suspend}"));
            let written = writing.patch(client, target, &json!({"spec": {"suspend": suspend}})).await?;
            changed.fetch_add(1, Ordering::Relaxed);
            Ok((writing.done(target, if suspend { "suspended" } else { "resumed" }), written))
        }
    })
    .await;
    writing.printing.print(done, selection.is_one())?;
    end?;
    unchanged.end(changed.into_inner())
}

fn is_suspended(target: &Target) -> bool {
    target.object.data.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or(false)
}
