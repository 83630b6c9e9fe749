//! One operator: the product's own `run`, with a line to the world that can be cut.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifact_token_operator::operator::{self, Election, Health, Metrics, Settings, World as Ways};
use futures::FutureExt;
use futures::future::{Either, select};
use tokio::task::JoinHandle;

use crate::api_server::ApiServer;
use crate::fate::Line;
use crate::objects;
use crate::services::{Carrier, Services};
use crate::world::World;

/// All that a process touches.
#[derive(Clone)]
pub struct Surroundings {
    /// The clock and the record.
    pub world: Arc<World>,
    /// The API server.
    pub api_server: ApiServer,
    /// The services.
    pub services: Services,
    /// Whether operators watch Secrets.
    pub watches: bool,
    /// Whether processes elect a leader.
    pub elects: bool,
    /// The lines of all processes that ever ran, by their numbers.
    pub lines: Arc<Mutex<BTreeMap<u32, Arc<Line>>>>,
}

impl Surroundings {
    /// The line of the process that holds the Lease.
    pub fn leader(&self) -> Option<Arc<Line>> {
        let lease = self.api_server.get("leases", objects::OPERATORS, objects::LEASE)?;
        let who = lease["spec"]["holderIdentity"].as_str()?.split('-').nth(1)?.parse().ok()?;
        self.lines.lock().unwrap().get(&who).cloned()
    }
}

/// One process.
pub struct Process {
    /// Its line to the world.
    pub line: Arc<Line>,
    task: JoinHandle<()>,
    world: Arc<World>,
    number: usize,
}

/// How often an operator that watches no Secrets reads each: often enough to be as quick as the laws ask for.
const REREAD: Duration = Duration::from_secs(120);

/// The operator's own settings: the shipped ones.
fn settings(watches: bool, identity: Option<String>) -> Settings {
    Settings {
        token_settle: Duration::from_secs(60),
        margin: Duration::from_secs(30),
        first_retry: Duration::from_secs(10),
        refusal_settle: Duration::from_secs(60),
        default_overlap: Duration::from_secs(600),
        orphan_grace: Duration::from_secs(3600),
        operator_namespace: Some(objects::OPERATORS.to_owned()),
        cluster_services: true,
        secret_reread: (!watches).then_some(REREAD),
        election: identity.map(|identity| Election {
            namespace: objects::OPERATORS.to_owned(),
            name: objects::LEASE.to_owned(),
            identity,
        }),
    }
}

impl Process {
    /// Starts one.
    pub fn start(who: u32, around: &Surroundings) -> Self {
        let line = Arc::new(Line::new(who));
        let Surroundings { world, api_server, services, watches, elects, lines } = around.clone();
        lines.lock().unwrap().insert(who, line.clone());
        let carrier = Carrier { line: line.clone(), world: world.clone(), services, api_server: api_server.clone() };
        let ways = Ways::pretended(api_server.connection(&line), Arc::new(carrier));
        let never = futures::future::pending::<()>().boxed().shared();
        world.say(who, || "begins".into());
        let number = world.process_begins();
        // Who starts again is another one.
        let identity = elects.then(|| format!("operator-{who}-{number}"));
        let around = world.clone();
        let task = tokio::spawn(async move {
            let (metrics, health) = (Metrics::default(), Health::default());
            let ended = operator::run(ways, vec![None], settings(watches, identity), metrics, health, never).await;
            world.say(who, || format!("ended: {ended:?}"));
        });
        Self { line, task, world: around, number }
    }

    /// Waits until somebody kills it. Whether it ended by itself before.
    pub async fn ended_by_itself(&mut self) -> bool {
        let line = self.line.clone();
        matches!(select(std::pin::pin!(line.died.notified()), &mut self.task).await, Either::Right(_))
    }
}

/// kill -9: nothing more goes out or comes in, and all that it runs ends.
impl Drop for Process {
    fn drop(&mut self) {
        self.line.cut();
        self.task.abort();
        self.world.process_ends(self.number);
    }
}
