//! Watches: one JSON event a line, passed on as it arrives.

use std::sync::Arc;

use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};

use super::call::Call;
use super::fault::EventFault;
use super::forward::Cut;
use super::serve::Inner;

struct Events {
    response: reqwest::Response,
    /// Bytes that have arrived and are not passed on yet.
    pending: Vec<u8>,
    call: Call,
    inner: Arc<Inner>,
}

/// The events of a watch. Dropping them ends the watch at the API server.
pub(super) fn events(response: reqwest::Response, call: Call, inner: Arc<Inner>) -> UnsyncBoxBody<Bytes, Cut> {
    let events = Events { response, pending: Vec::new(), call, inner };
    let next = |mut events: Events| async move {
        Ok::<_, Cut>(events.next().await?.map(|bytes| (Frame::data(bytes), events)))
    };
    StreamBody::new(stream::try_unfold(events, next)).boxed_unsync()
}

impl Events {
    /// The next bytes for the client: a whole event, or two.
    async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                match self.struck(&line) {
                    None => return Ok(Some(line.into())),
                    Some(EventFault::Double) => return Ok(Some([line.clone(), line].concat().into())),
                    Some(EventFault::Drop) => continue,
                }
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.pending.extend_from_slice(&chunk),
                Ok(None) => return Ok(None),
                Err(_) => return Err(Cut),
            }
        }
    }

    fn struck(&self, line: &[u8]) -> Option<EventFault> {
        let event = serde_json::from_slice(line).ok()?;
        self.inner.plans().strike_event(&event, &self.call)
    }
}
