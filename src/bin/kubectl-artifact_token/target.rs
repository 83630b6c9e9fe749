//! What a command is about: ArtifactTokens, or service objects.

use anyhow::{Context as _, bail, ensure};
use artifact_token_operator::api::GROUP;
use artifact_token_operator::api::artifact_token::{ArtifactToken, ServiceKind};
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::token_service::TokenService;
use kube::api::{Api, ApiResource, ListParams};
use kube::core::DynamicObject;
use kube::{Client, ResourceExt as _};

use super::end::{Special, Usage};

/// The kinds of object that a command may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Token,
    Service(ServiceKind),
}

impl Kind {
    /// As kubectl writes it before a name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "artifacttoken",
            Self::Service(ServiceKind::TokenService) => "tokenservice",
            Self::Service(ServiceKind::ClusterTokenService) => "clustertokenservice",
        }
    }

    /// As `kubectl -o name` prints it: `artifacttoken.artifact-token.dev/ci`.
    pub fn full_name(self, name: &str) -> String {
        format!("{}.{GROUP}/{name}", self.name())
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word.strip_suffix(GROUP).and_then(|kind| kind.strip_suffix('.')).unwrap_or(word) {
            "artifacttoken" | "artifacttokens" | "atok" => Self::Token,
            "tokenservice" | "tokenservices" | "tsvc" => Self::Service(ServiceKind::TokenService),
            "clustertokenservice" | "clustertokenservices" | "ctsvc" => Self::Service(ServiceKind::ClusterTokenService),
            _ => return None,
        })
    }

    fn resource(self) -> ApiResource {
        match self {
            Self::Token => ApiResource::erase::<ArtifactToken>(&()),
            Self::Service(ServiceKind::TokenService) => ApiResource::erase::<TokenService>(&()),
            Self::Service(ServiceKind::ClusterTokenService) => ApiResource::erase::<ClusterTokenService>(&()),
        }
    }

    /// The objects of this kind in all namespaces.
    pub fn everywhere(self, client: &Client) -> Api<DynamicObject> {
        Api::all_with(client.clone(), &self.resource())
    }

    /// The objects of this kind in a namespace; of a kind without namespaces, all.
    pub fn api(self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        match self {
            Self::Service(ServiceKind::ClusterTokenService) => self.everywhere(client),
            _ => Api::namespaced_with(client.clone(), namespace, &self.resource()),
        }
    }
}

/// One object that a command is about.
#[derive(Clone, Debug)]
pub struct Target {
    pub kind: Kind,
    pub object: DynamicObject,
}

impl Target {
    /// As kubectl writes it: `artifacttoken/ci`.
    pub fn shown(&self) -> String {
        format!("{}/{}", self.kind.name(), self.object.name_any())
    }

    pub fn namespace(&self) -> String {
        self.object.namespace().unwrap_or_default()
    }

    /// Where this object is.
    pub fn api(&self, client: &Client) -> Api<DynamicObject> {
        self.kind.api(client, &self.namespace())
    }

    /// The object as an ArtifactToken.
    ///
    /// # Errors
    /// When it is none.
    pub fn token(&self) -> anyhow::Result<ArtifactToken> {
        self.object.clone().try_parse().with_context(|| format!("read {}", self.shown()))
    }
}

/// Which objects.
#[derive(Debug, clap::Args)]
pub struct Selection {
    /// The ArtifactTokens, each as NAME.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Those with these labels. Example: `team=ci`.
    #[arg(short = 'l', long, conflicts_with = "names")]
    selector: Option<String>,
    /// All of the namespace.
    #[arg(long, conflicts_with_all = ["names", "selector"])]
    all: bool,
    /// Together with -l or --all: of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "names")]
    all_namespaces: bool,
}

impl Selection {
    /// Whether a single object is named.
    pub fn is_one(&self) -> bool {
        self.names.len() == 1
    }

    /// The objects, read now. `services` says whether TYPE/NAME may name a service object, too.
    ///
    /// # Errors
    /// When none is named, one is not there, or the API server does not answer.
    pub async fn targets(&self, client: &Client, namespace: &str, services: bool) -> anyhow::Result<Vec<Target>> {
        let mut targets = Vec::new();
        for name in &self.names {
            targets.push(find(client, namespace, name, services).await?);
        }
        if self.names.is_empty() {
            if !self.all && self.selector.is_none() {
                bail!(Usage("name an ArtifactToken, or choose some with -l or --all".to_owned()));
            }
            let everywhere = self.all_namespaces;
            let api = if everywhere { Kind::Token.everywhere(client) } else { Kind::Token.api(client, namespace) };
            let wanted = ListParams { label_selector: self.selector.clone(), ..ListParams::default() };
            let objects = api.list(&wanted).await.context("list the ArtifactTokens")?;
            targets.extend(objects.into_iter().map(|object| Target { kind: Kind::Token, object }));
            let place = if everywhere { "any namespace".to_owned() } else { format!("namespace {namespace}") };
            ensure!(!targets.is_empty(), "there is no such ArtifactToken in {place}");
        }
        Ok(targets)
    }
}

/// The object of this name: NAME or TYPE/NAME.
///
/// # Errors
/// When it is not there, or may not be named here.
pub async fn find(client: &Client, namespace: &str, name: &str, services: bool) -> anyhow::Result<Target> {
    let (kind, bare) = match name.split_once('/') {
        None => (Kind::Token, name),
        Some((word, bare)) => match Kind::parse(&word.to_lowercase()) {
            Some(kind) if services || kind == Kind::Token => (kind, bare),
            _ if services => {
                bail!(Usage(format!(
                    "{name}: write NAME, or artifacttoken/NAME, tokenservice/NAME, clustertokenservice/NAME"
                )))
            }
            _ => bail!(Usage(format!("{name}: write the name of an ArtifactToken"))),
        },
    };
    let object =
        kind.api(client, namespace).get_opt(bare).await.with_context(|| format!("read {}/{bare}", kind.name()))?;
    let place = match kind {
        Kind::Service(ServiceKind::ClusterTokenService) => String::new(),
        _ => format!(" in namespace {namespace}"),
    };
    let object = object.with_context(|| format!("there is no {}/{bare}{place}", kind.name()))?;
    Ok(Target { kind, object })
}

/// What happens if nothing changes.
#[derive(Debug, clap::Args)]
pub struct Unchanged {
    /// End with the exit code 3 if nothing changed.
    #[arg(long)]
    fail_if_unchanged: bool,
}

impl Unchanged {
    /// Ends a command that changed so many objects.
    ///
    /// # Errors
    /// [`Special::Unchanged`].
    pub fn end(&self, changed: usize) -> anyhow::Result<()> {
        if changed == 0 && self.fail_if_unchanged { Err(Special::Unchanged.into()) } else { Ok(()) }
    }
}
