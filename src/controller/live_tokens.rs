//! Live reads of all objects, in pages. One is made at a time, and all who asked before it began share it.

use std::sync::{Arc, Weak};

use kube::api::ListParams;
use kube::{Api, Client};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api::artifact_token::ArtifactToken;
use crate::controller::error::PassError;

/// The most objects in one page.
const PAGE: u32 = 500;

/// All objects.
#[derive(Debug)]
pub(crate) struct LiveTokens {
    pub tokens: Vec<ArtifactToken>,
    /// Whether these are those of every namespace: an operator that works in some namespaces may not be allowed to list the others.
    pub everywhere: bool,
}

/// The newest read, as long as somebody uses it.
#[derive(Debug, Default)]
pub(crate) struct SharedReads(Mutex<Option<(Instant, Weak<LiveTokens>)>>);

impl SharedReads {
    /// A read that began after this call.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(crate) async fn read(&self, client: &Client, scopes: &[Option<String>]) -> Result<Arc<LiveTokens>, PassError> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some(shared) = last.as_ref().filter(|(begun, _)| *begun > asked).and_then(|(_, read)| read.upgrade()) {
            return Ok(shared);
        }
        let begun = Instant::now();
        let read = Arc::new(everything(client, scopes).await?);
        *last = Some((begun, Arc::downgrade(&read)));
        Ok(read)
    }
}

async fn everything(client: &Client, scopes: &[Option<String>]) -> Result<LiveTokens, PassError> {
    let failed = |error: &kube::Error| PassError::read("the ArtifactTokens", error);
    match paged(&Api::all(client.clone())).await {
        Ok(tokens) => return Ok(LiveTokens { tokens, everywhere: true }),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {}
        Err(error) => return Err(failed(&error)),
    }
    let mut tokens = Vec::new();
    for namespace in scopes.iter().flatten() {
        tokens.extend(paged(&Api::namespaced(client.clone(), namespace)).await.map_err(|error| failed(&error))?);
    }
    Ok(LiveTokens { tokens, everywhere: false })
}

/// All objects of `api`, without the managed fields, which are two thirds of them.
pub(crate) async fn paged(api: &Api<ArtifactToken>) -> Result<Vec<ArtifactToken>, kube::Error> {
    let (mut tokens, mut params) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let page = api.list(&params).await?;
        tokens.extend(page.items.into_iter().map(|mut token| {
            token.metadata.managed_fields = None;
            token
        }));
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => params = params.continue_token(&next),
            None => return Ok(tokens),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::http::{Request, Response};
    use kube::client::Body;
    use serde_json::json;
    use tower::service_fn;

    use super::*;

    /// An API server with two pages of objects, and how many pages it was asked for.
    fn server() -> (Client, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let answer = move |request: Request<Body>| {
            count.fetch_add(1, Ordering::Relaxed);
            let query = request.uri().query().unwrap_or_default().to_owned();
            assert!(query.contains("limit=500"), "{query}");
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let next = if query.contains("continue=") { "" } else { "next" };
                let list = json!({"apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactTokenList",
                    "metadata": {"continue": next}, "items": []});
                Ok::<_, Infallible>(Response::new(Body::from(list.to_string().into_bytes())))
            }
        };
        (Client::new(service_fn(answer), "default"), asked)
    }

    #[tokio::test]
    async fn those_who_wait_share_the_next_read_and_nobody_gets_one_that_began_before() {
        let ((client, asked), reads) = (server(), SharedReads::default());
        let first = reads.read(&client, &[]).await.unwrap();
        assert!(first.everywhere);
        assert_eq!(asked.load(Ordering::Relaxed), 2, "two pages");
        let read = || reads.read(&client, &[]);
        let (one, two, three) = tokio::join!(read(), read(), read());
        let (one, two, three) = (one.unwrap(), two.unwrap(), three.unwrap());
        assert!(!Arc::ptr_eq(&first, &one), "it may be older than what they ask for");
        assert!(Arc::ptr_eq(&two, &three), "both asked before the second began");
        assert_eq!(asked.load(Ordering::Relaxed), 6);
    }
}
