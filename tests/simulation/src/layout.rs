//! Where objects are: one namespace with one service, two with one each, or two that share one.

use crate::objects::{self, HOST, KEY, OTHER_KEY};

/// A service object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its kind.
    pub kind: &'static str,
    /// The same, as paths name it.
    plural: &'static str,
    /// Where its credential is: its own namespace, or the operator's.
    pub namespace: &'static str,
    /// The host of the service.
    pub host: &'static str,
    /// The operator's credential there.
    pub key: &'static str,
}

const FIRST: Site =
    Site { kind: "TokenService", plural: "tokenservices", namespace: objects::NAMESPACE, host: HOST, key: KEY };
const SECOND: Site = Site { namespace: objects::NEIGHBOURS, host: "two.sim", key: "second-key", ..FIRST };
const OF_ALL: Site =
    Site { kind: "ClusterTokenService", plural: "clustertokenservices", namespace: objects::OPERATORS, ..FIRST };

impl Site {
    /// The path of the service object.
    pub fn path(self) -> String {
        format!("{}/{}", self.all(), objects::SERVICE)
    }

    /// The path of all like it.
    pub fn all(self) -> String {
        match self.plural {
            "tokenservices" => objects::path(self.namespace, self.plural, ""),
            plural => format!("{}/{plural}", objects::GROUP),
        }
    }

    /// The key that finds the object in the store.
    pub fn place(self) -> (&'static str, &'static str) {
        (self.plural, if self.plural == "tokenservices" { self.namespace } else { "" })
    }

    /// The path of the credential's Secret.
    pub fn credential(self) -> String {
        objects::secrets_path(self.namespace, objects::CREDENTIAL)
    }
}

/// Every credential that a service accepts, with its host.
pub const KEYS: [(&str, &str); 3] = [(KEY, HOST), (OTHER_KEY, HOST), (SECOND.key, SECOND.host)];

/// Where the objects of a life are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// All are in one namespace, and at one service.
    #[default]
    One,
    /// Each second one is in another namespace, at its service.
    Two,
    /// Each second one is in another namespace, and all are at one service of the cluster.
    Shared,
}

impl Layout {
    /// The service objects. What happens to a service happens to the first one.
    pub fn sites(self) -> &'static [Site] {
        match self {
            Self::One => &[FIRST],
            Self::Two => &[FIRST, SECOND],
            Self::Shared => &[OF_ALL],
        }
    }

    /// The first service object.
    pub fn first(self) -> Site {
        self.sites()[0]
    }

    /// The service object of an object.
    pub fn site(self, index: usize) -> Site {
        let sites = self.sites();
        sites[index % sites.len()]
    }

    /// The namespaces of objects and of service objects.
    pub fn namespaces(self) -> &'static [&'static str] {
        match self {
            Self::One => &[objects::NAMESPACE],
            Self::Two => &[objects::NAMESPACE, objects::NEIGHBOURS],
            Self::Shared => &[objects::NAMESPACE, objects::NEIGHBOURS, objects::OPERATORS],
        }
    }

    /// The namespace of an object.
    pub fn namespace(self, index: usize) -> &'static str {
        if self == Self::One || index.is_multiple_of(2) { objects::NAMESPACE } else { objects::NEIGHBOURS }
    }

    /// The path of all `ArtifactTokens` beside an object.
    pub fn tokens(self, index: usize) -> String {
        objects::path(self.namespace(index), "artifacttokens", "")
    }

    /// The path of an `ArtifactToken`.
    pub fn token(self, index: usize) -> String {
        objects::path(self.namespace(index), "artifacttokens", &objects::name_of(index))
    }

    /// The path of all Secrets beside an object.
    pub fn secrets(self, index: usize) -> String {
        objects::secrets_path(self.namespace(index), "")
    }

    /// The path of an object's Secret.
    pub fn secret(self, index: usize) -> String {
        objects::secrets_path(self.namespace(index), &objects::secret_of(index))
    }
}
