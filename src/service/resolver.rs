//! Looks up the name of a service, and refuses forbidden addresses.
//!
//! The HTTP client asks it for every new connection, and connects only to the addresses that it returns. So a name that
//! leads elsewhere at the second look-up (DNS rebinding) is judged at the second look-up.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::service::address::{self, Forbidden};

/// How a name is looked up: by the system, or by a test.
type LookUp = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// A name leads to a forbidden address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name} leads to {address}, {why}, so nothing was sent: {}", .why.advice())]
pub(super) struct ForbiddenAddress {
    name: String,
    address: IpAddr,
    why: Forbidden,
}

impl ForbiddenAddress {
    /// The forbidden address that made a request fail, if one did.
    pub fn behind(error: &reqwest::Error) -> Option<&Self> {
        let mut cause: Option<&dyn Error> = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }
}

/// A name leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the name {name} is not known")]
pub(super) struct NoAddress {
    name: String,
}

/// The resolver of a client.
pub(super) struct Resolver {
    look_up: Arc<LookUp>,
    allow_link_local: bool,
}

impl Resolver {
    /// The system's resolver.
    pub fn system(allow_link_local: bool) -> Self {
        Self::with(allow_link_local, |name| {
            async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed()
        })
    }

    fn with(
        allow_link_local: bool,
        look_up: impl Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync + 'static,
    ) -> Self {
        Self { look_up: Arc::new(look_up), allow_link_local }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (name, allow_link_local) = (name.as_str().to_owned(), self.allow_link_local);
        let found = (self.look_up)(name.clone());
        async move {
            let found = found.await.unwrap_or_default();
            if found.is_empty() {
                return Err(NoAddress { name }.into());
            }
            let found = allowed(&name, found, allow_link_local)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        }
        .boxed()
    }
}

/// All addresses of a name, or none. No service has a forbidden address among good ones: it is an attack, or a mistake that
/// people should see. To skip it would let the order of the addresses decide whether anybody notices.
fn allowed(name: &str, found: Vec<SocketAddr>, allow_link_local: bool) -> Result<Vec<SocketAddr>, ForbiddenAddress> {
    let mut judged = found.iter().map(SocketAddr::ip);
    match judged.find_map(|address| Some((address, address::forbidden(address, allow_link_local)?))) {
        Some((address, why)) => Err(ForbiddenAddress { name: name.to_owned(), address, why }),
        None => Ok(found),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
