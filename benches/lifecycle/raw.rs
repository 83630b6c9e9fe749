//! W0: a client that does only the needed writes, as many at a time as the operator, and thinks about nothing.

use anyhow::Result;
use artifact_token_operator::api::FINALIZER;
use artifact_token_operator::api::artifact_token::ArtifactToken;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::works::{create, delete, rotate};

/// As many as the operator sends at a time.
pub const AT_A_TIME: usize = 32;

/// How long the raw client needs for each part of the lives, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor {
    pub issue: f64,
    pub rotate: f64,
    pub delete: f64,
}

/// Runs an act for each number, [`AT_A_TIME`] of them at once.
pub async fn for_all<F: Future<Output = Result<()>>>(count: usize, act: impl Fn(usize) -> F) -> Result<()> {
    stream::iter(0..count).map(act).buffer_unordered(AT_A_TIME).try_collect().await
}

/// Measures the floor in a namespace of its own, and leaves nothing behind.
pub async fn run(client: &Client, namespace: &str, objects: usize, services: usize) -> Result<Floor> {
    let tokens: Api<ArtifactToken> = Api::namespaced(client.clone(), namespace);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let begun = Instant::now();
    let issue = for_all(objects, |number| {
        let (tokens, secrets) = (&tokens, &secrets);
        async move {
            create(tokens, number, services).await?;
            finalizers(tokens, number, &[FINALIZER]).await?;
            secrets.create(&PostParams::default(), &serde_json::from_value(secret(number))?).await?;
            status(tokens, number, 1).await
        }
    });
    issue.await?;
    let mut floor = Floor { issue: begun.elapsed().as_secs_f64(), ..Floor::default() };
    let begun = Instant::now();
    let rotation = for_all(objects, |number| {
        let (tokens, secrets) = (&tokens, &secrets);
        async move {
            rotate(tokens, number).await?;
            status(tokens, number, 2).await?;
            let patch =
                json!({"metadata": {"annotations": {"example.com/attempt": "2"}}, "stringData": {"token": "other"}});
            secrets.patch(&secret_name(number), &PatchParams::default(), &Patch::Merge(patch)).await?;
            status(tokens, number, 3).await?;
            status(tokens, number, 4).await
        }
    });
    rotation.await?;
    floor.rotate = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let deletion = for_all(objects, |number| {
        let (tokens, secrets) = (&tokens, &secrets);
        async move {
            delete(tokens, number).await?;
            secrets.delete(&secret_name(number), &DeleteParams::default()).await?;
            finalizers(tokens, number, &[]).await
        }
    });
    deletion.await?;
    floor.delete = begun.elapsed().as_secs_f64();
    let left = tokens.list(&ListParams::default().limit(1)).await?.items;
    anyhow::ensure!(left.is_empty(), "the raw client left an object");
    Ok(floor)
}

async fn finalizers(tokens: &Api<ArtifactToken>, number: usize, names: &[&str]) -> Result<()> {
    let patch = json!({"metadata": {"finalizers": names}});
    tokens.patch(&crate::works::name(number), &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

fn secret_name(number: usize) -> String {
    format!("{}-secret", crate::works::name(number))
}

/// A Secret of about the size of the operator's.
fn secret(number: usize) -> Value {
    let text = "0123456789abcdef0123456789abcdef";
    json!({
        "metadata": {
            "name": secret_name(number),
            "labels": {"example.com/managed": "true"},
            "annotations": {
                "example.com/owner": format!("ArtifactToken/{}/{text}", crate::works::name(number)),
                "example.com/id": text, "example.com/attempt": "1", "example.com/digest": text, "example.com/time": text,
            },
        },
        "stringData": {"token": text},
    })
}

/// A status of about the size of the operator's.
async fn status(tokens: &Api<ArtifactToken>, number: usize, step: u32) -> Result<()> {
    let time = "2026-01-01T00:00:00Z";
    let text = "0123456789abcdef0123456789abcdef";
    let status = json!({"status": {
        "observedGeneration": 1,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "TokenValid", "observedGeneration": 1, "lastTransitionTime": time,
            "message": format!("step {step}: the Secret holds a token that the service accepted"),
        }],
        "service": {"uid": text, "origin": "http://127.0.0.1:12345"},
        "claim": {"attempt": step, "nonce": "aaaaaaaa", "time": time, "requestDigest": text, "outcome": "Verified"},
        "current": {
            "attempt": step, "id": text, "nonce": "aaaaaaaa", "requestDigest": text, "claimedTime": time, "issuedTime": time,
            "publishedTime": time, "verifiedTime": time, "probed": true, "secretResourceVersion": "1234",
        },
    }});
    tokens.patch_status(&crate::works::name(number), &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}
