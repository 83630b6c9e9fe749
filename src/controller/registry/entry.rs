//! A service object as it was checked last.

use crate::api::cluster_token_service::AllowedNamespaces;
use crate::api::token_service::TokenServiceSpec;
use crate::rotation::desired::Halt;
use crate::rotation::urgency::Urgency;
use crate::service::client::ServiceClient;
use crate::service::declaration::Declaration;
use crate::service::limits::Caller;

use super::key::Key;

/// One service object.
#[derive(Clone, Debug)]
pub(crate) struct ServiceEntry {
    pub key: Key,
    pub uid: String,
    pub generation: i64,
    pub spec: TokenServiceSpec,
    /// The namespaces that may use it; `None` for a `TokenService`, which only its own namespace can reach.
    pub allowed: Option<AllowedNamespaces>,
    /// Scheme, host and port of its `baseURL`.
    pub origin: String,
    /// The checked declaration, if it is valid.
    pub declaration: Option<Declaration>,
    /// The client, with the last good credential.
    pub client: Option<ServiceClient>,
    /// A check of what is asked here, with these values, once ended well. A list that fails since then is a trouble, and no halt.
    pub worked: bool,
    /// Why no token can be generated there now.
    pub halt: Option<Halt>,
    /// The versions of the Secrets that the client was made from.
    pub revision: String,
    /// A digest of the values themselves, in memory only: another version of a Secret may have the same ones. `None` if they were not read.
    pub values: Option<[u8; 32]>,
}

impl ServiceEntry {
    /// This service object as it stands in the queue of its service.
    pub(crate) fn caller(&self, what: &str, urgency: Urgency) -> Caller {
        let namespace = self.key.namespace.clone().unwrap_or_default();
        Caller { id: format!("{}/{what}", self.uid), shown: self.key.logged(), namespace, class: urgency as u8 }
    }
}
