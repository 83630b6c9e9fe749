//! The service, the ledger and the Secret at one moment, and whether they agree.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use artifact_token_operator::api::ledger::Ledger;
use kube::{Client, ResourceExt};

use crate::cluster::Cluster;
use crate::service::{List, Service};

const TOKEN_ID: &str = "artifact-token.dev/token-id";
const ATTEMPT: &str = "artifact-token.dev/attempt";
/// How often a picture is repeated because the operator wrote the ledger meanwhile. Between steps it writes nothing.
const TRIES: usize = 20;

/// One moment. The ledger did not change while the other parts were read.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The object's ledger; empty when the object is gone.
    pub ledger: Ledger,
    /// The name of the Secret.
    pub secret_name: String,
    /// The annotations and content of the Secret, if there is one.
    pub secret: Option<Held>,
    /// The service's own list.
    pub list: List,
}

/// The token in the Secret.
#[derive(Clone, Debug)]
pub struct Held {
    /// The token's id at the service.
    pub id: String,
    /// The attempt that generated it.
    pub attempt: String,
}

/// The names of an ArtifactToken and its Secret.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The ArtifactToken.
    pub token: String,
    /// The Secret.
    pub secret: String,
}

impl Picture {
    /// Takes a picture.
    pub async fn take(cluster: &Cluster, client: &Client, service: &Service, subject: &Subject) -> Result<Self> {
        for _ in 0..TRIES {
            let before = cluster.token(client, &subject.token).await?;
            let list = service.tokens().await?;
            let secret = cluster.secret(client, &subject.secret).await?;
            let after = cluster.token(client, &subject.token).await?;
            if before != after {
                continue;
            }
            let ledger = after.and_then(|token| token.status).map(|status| status.ledger).unwrap_or_default();
            let secret = secret.map(|secret| Held {
                id: secret.annotations().get(TOKEN_ID).cloned().unwrap_or_default(),
                attempt: secret.annotations().get(ATTEMPT).cloned().unwrap_or_default(),
            });
            return Ok(Self { ledger, secret_name: subject.secret.clone(), secret, list });
        }
        bail!("the ledger never rested for a picture")
    }

    /// What is wrong, if anything: the service's live tokens must be those of the ledger, and the Secret must hold the current one.
    pub fn disagreement(&self) -> Option<String> {
        let live: BTreeSet<&str> = self.list.rows.iter().filter(|row| row.live).map(|row| row.id.as_str()).collect();
        let current = self.ledger.current.as_ref();
        let mut known: BTreeSet<&str> = self.ledger.superseded.iter().map(|old| old.id.as_str()).collect();
        known.extend(current.map(|current| current.id.as_str()));
        if live != known {
            return Some(format!("live at the service: {live:?}; known to the cluster: {known:?}"));
        }
        let held = self.secret.as_ref().map(|held| (held.id.clone(), held.attempt.clone()));
        let wanted = current.map(|current| (current.id.to_string(), current.attempt.to_string()));
        (held != wanted).then(|| format!("in the Secret: {held:?}; it should hold: {wanted:?}"))
    }

    /// Draws it.
    pub fn show(&self) {
        let titles: Vec<String> = self.list.columns.iter().map(|column| column.to_uppercase()).collect();
        let mut lines = vec![&titles];
        lines.extend(self.list.rows.iter().map(|row| &row.cells));
        let width = |column| lines.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        println!();
        for (number, line) in lines.iter().enumerate() {
            let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            let begin = if number == 0 { "the service lists" } else { "" };
            println!("  {begin:17}   {}", cells.join("   ").trim_end());
        }
        if self.list.rows.is_empty() {
            println!("                      nothing");
        }
        let first = widths.first().copied().unwrap_or(0);
        match &self.secret {
            Some(held) => println!("  the Secret holds    {:first$}   attempt {}", held.id, held.attempt),
            None => println!("  the Secret          is not there ({})", self.secret_name),
        }
    }
}
