//! Many objects at once: actions on all of them, and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use futures::future::join_all;
use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use testbed::{Operator, operator, poll};

use support::acts::ledger;
use support::{World, attempt, is_ready, token_yaml};

/// Limit for all objects, on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// The objects of one test, in its world.
pub struct Fleet {
    pub world: World,
    pub size: usize,
    /// The attempts of their first tokens. On a busy machine an attempt may be given up before it asks for a token.
    first: OnceLock<BTreeMap<String, u32>>,
}

impl Fleet {
    /// A world without objects yet. The operator has found its service ready.
    pub async fn waiting(prefix: &str, size: usize, change: impl FnOnce(&mut operator::Options)) -> (Self, Operator) {
        let world = World::quick(prefix).await;
        let mut options = world.operator_options();
        change(&mut options);
        let operator = Operator::start(options).await.expect("start the operator");
        world.until_service("reference", ConditionType::Ready, Reason::CredentialsAccepted).await;
        (Self { world, size, first: OnceLock::new() }, operator)
    }

    /// The same with objects, each with its first token.
    pub async fn ready(prefix: &str, size: usize) -> (Self, Operator) {
        let (fleet, operator) = Self::waiting(prefix, size, |_| {}).await;
        fleet.issue().await;
        (fleet, operator)
    }

    /// Creates the objects and waits for their first tokens. After that, the service counts its calls from zero.
    pub async fn issue(&self) {
        self.create().await;
        self.until_all("all have their first token", is_ready).await;
        let first = self.tokens().await.into_iter().map(|token| (token.name_any(), attempt(&token)));
        self.first.set(first.collect()).expect("the first tokens come once");
        self.world.service.reset_calls().await.unwrap();
    }

    /// Whether this object has another token than its first one.
    pub fn has_another(&self, token: &ArtifactToken) -> bool {
        self.first.get().is_some_and(|first| attempt(token) > first[&token.name_any()])
    }

    pub fn names(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.size).map(|number| format!("peer-{number:03}"))
    }

    pub async fn for_all(&self, act: impl AsyncFn(String)) {
        join_all(self.names().map(|name| act(name))).await;
    }

    pub async fn create(&self) {
        let tokens = self.world.tokens();
        self.for_all(async |name| {
            let token = serde_saphyr::from_str(&token_yaml(&name)).unwrap();
            tokens.create(&PostParams::default(), &token).await.unwrap();
        })
        .await;
    }

    /// Requests a rotation of each object.
    pub async fn rotate(&self, request: &str) {
        self.for_all(async |name| self.world.annotate(&name, ROTATE_REQUESTED_AT, request).await).await;
    }

    /// All objects at this moment.
    pub async fn tokens(&self) -> Vec<ArtifactToken> {
        self.world.tokens().list(&ListParams::default()).await.expect("list the ArtifactTokens").items
    }

    /// Waits until all satisfy `check`.
    pub async fn until_all(&self, what: &str, check: impl Fn(&ArtifactToken) -> bool) {
        let tokens = self.world.tokens();
        let look = || async {
            let all = tokens.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
            let left: Vec<_> = all.iter().filter(|token| !check(token)).collect();
            match left.first() {
                None if all.len() == self.size => Ok(()),
                first => Err(format!("{} of {} are not, the first: {first:#?}", left.len(), all.len())),
            }
        };
        poll(what, DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Waits until the world is at rest. Then checks that as many tokens live as there are objects, and that each token is in the
    /// ledger of one object, in its Secret, and accepted.
    pub async fn agrees(&self) {
        let rest = |token: &ArtifactToken| is_ready(token) && ledger(token).superseded.is_empty();
        self.until_all("all are ready and nothing is superseded", rest).await;
        let live = self.world.until_live("one token an object lives", |live| live.len() == self.size).await;
        let live: BTreeSet<String> = live.into_iter().map(|row| row.id).collect();
        let owned: BTreeSet<String> = self.tokens().await.iter().filter_map(current_id).collect();
        assert_eq!(live, owned, "the live tokens of the service, and the current ones of the ledgers");
        let (mut held, mut dead) = (BTreeSet::new(), Vec::new());
        for name in self.names().map(|name| format!("{name}-secret")) {
            let secret = self.world.secret(&name).await.unwrap_or_else(|| panic!("{name} is there"));
            held.insert(secret.annotations()["artifact-token.dev/token-id"].clone());
            let value = secret.data.unwrap()["token"].0.clone();
            if !self.world.accepts(&String::from_utf8(value).unwrap()).await {
                dead.push(name);
            }
        }
        assert_eq!(live, held, "what lives at the service, and what the Secrets hold");
        assert_eq!(dead, Vec::<String>::new(), "Secrets whose value the service refuses");
    }

    /// How many tokens the service made for each object; least and most.
    pub async fn made_per_object(&self) -> (usize, usize) {
        let mut made: BTreeMap<String, usize> = BTreeMap::new();
        for row in self.world.made().await {
            // prefix.uid16.attempt.nonce
            *made.entry(row.name.split('.').nth(1).unwrap_or_default().to_owned()).or_default() += 1;
        }
        assert_eq!(made.len(), self.size, "every token carries the uid of one of the objects: {made:#?}");
        (*made.values().min().unwrap(), *made.values().max().unwrap())
    }

    /// Calls of *generate* since they were counted from zero.
    pub async fn generates(&self) -> u64 {
        self.world.service.books().await.unwrap().calls.generate
    }
}

fn current_id(token: &ArtifactToken) -> Option<String> {
    ledger(token).current.map(|current| current.id.to_string())
}

/// Replaces a flag of the operator.
pub fn set_flag(options: &mut operator::Options, flag: &str, value: &str) {
    options.arguments.retain(|argument| argument.split('=').next() != Some(flag));
    options.arguments.push(format!("{flag}={value}"));
}

/// What `/metrics` says now: the sum of the samples whose line begins so.
pub async fn metric(operator: &Operator, beginning: &str) -> u64 {
    let page = metrics(operator).await;
    let value = |line: &str| line.strip_prefix(beginning)?.rsplit(' ').next()?.parse::<u64>().ok();
    page.lines().filter_map(value).sum()
}

pub async fn metrics(operator: &Operator) -> String {
    let url = format!("http://{}/metrics", operator.admin_address());
    testbed::http::client().unwrap().get(url).send().await.unwrap().text().await.unwrap()
}

/// Waits until a metric is as wanted.
pub async fn until_metric(operator: &Operator, beginning: &str, wanted: impl Fn(u64) -> bool) -> u64 {
    let look = || async {
        let found = metric(operator, beginning).await;
        if wanted(found) { Ok(found) } else { Err(format!("{found}; the page:\n{}", metrics(operator).await)) }
    };
    poll(&format!("the metric {beginning}"), DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
}
