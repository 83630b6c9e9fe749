//! One list at a time, shared by all who asked for it before it began.
//!
//! A list of many pages takes minutes within the rate limit. Where many objects need one, for example after a crash, they need the same.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use super::answers::Listing;
use crate::service::errors::ServiceError;

/// A list that many may have.
pub(super) type Answer = Result<Arc<Listing>, ServiceError>;

/// The lists of one client.
#[derive(Default)]
pub(super) struct Lists {
    /// The list that has not begun. It lives as long as somebody waits for it.
    next: Mutex<Option<WeakShared<BoxFuture<'static, Answer>>>>,
    /// Who holds this reads the list now.
    reading: tokio::sync::Mutex<()>,
}

impl Lists {
    /// The list that begins next. If nobody waits for it yet, `read` will read it.
    pub(super) async fn share<F>(self: &Arc<Self>, read: impl FnOnce() -> F) -> Answer
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let list = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            match next.as_ref().and_then(WeakShared::upgrade) {
                Some(list) => list,
                None => {
                    let list = self.clone().begin(read()).boxed().shared();
                    *next = Shared::downgrade(&list);
                    list
                }
            }
        };
        list.await
    }

    async fn begin(self: Arc<Self>, read: impl Future<Output = Answer>) -> Answer {
        let _reading = self.reading.lock().await;
        // Whoever asks from now on needs a newer list.
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = None;
        read.await
    }
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lists").finish_non_exhaustive()
    }
}
