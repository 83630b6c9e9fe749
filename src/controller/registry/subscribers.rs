//! Subscribers that are notified of messages.

use std::sync::{Mutex, PoisonError};

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Everybody who wants to know of each `T`.
#[derive(Debug)]
pub(super) struct Subscribers<T>(Mutex<Vec<UnboundedSender<T>>>);

impl<T> Default for Subscribers<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Subscribers<T> {
    /// Subscribes to all messages from now on.
    pub(super) fn subscribe(&self) -> UnboundedReceiver<T> {
        let (sender, receiver) = mpsc::unbounded();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    pub(super) fn notify(&self, message: &T) {
        for subscriber in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // A subscriber lives as long as its controller; when that stops, nobody needs the message.
            let _ = subscriber.unbounded_send(message.clone());
        }
    }
}
