//! The steps: each is an action, a wait, and a picture in which service and cluster must agree.

mod by_hand;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT;
use artifact_token_operator::api::ledger::Ledger;
use chrono::{SecondsFormat, Utc};
use kube::Client;
use testbed::poll;

use crate::cluster::Cluster;
use crate::npm::Npm;
use crate::picture::{Picture, Subject};
use crate::service::{Kind, Service};

/// Longer than any step takes on a slow machine; a tour that goes well never waits for it.
const DEADLINE: Duration = Duration::from_secs(120);
/// The key of the Secret with the bare token.
const RAW_KEY: &str = "token";

/// The tour over one ArtifactToken.
#[derive(Debug)]
pub struct Tour {
    // Dropped in this order: the operator before the service that it calls.
    cluster: Cluster,
    service: Service,
    npm: Option<Npm>,
    subject: Subject,
    step: usize,
}

impl Tour {
    /// A tour that has not begun.
    pub fn new(cluster: Cluster, service: Service) -> Result<Self> {
        let npm = match service.kind {
            Kind::Verdaccio => Some(Npm::new()?),
            Kind::Reference | Kind::Appetize | Kind::Seal | Kind::Akinon => None,
        };
        let token = service.kind.token().to_owned();
        let secret = format!("{token}-token");
        Ok(Self { cluster, service, npm, subject: Subject { token, secret }, step: 0 })
    }

    /// All steps. The first one whose picture does not become right ends the tour.
    pub async fn run(&mut self) -> Result<()> {
        let client = self.cluster.client().await?;
        match self.service.page {
            Some(_) => self.by_hand(&client).await?,
            None => self.by_operator(&client).await?,
        }
        println!("\nThe tour is over: at every step the service's list and the cluster agreed.");
        Ok(())
    }

    /// The steps where the operator makes and revokes the tokens.
    async fn by_operator(&mut self, client: &Client) -> Result<()> {
        self.issue(client).await.context("the first issue")?;
        let old = self.rotate(client).await.context("the rotation")?;
        self.revoke(client, &old).await.context("the revoke of the old token")?;
        if self.service.kind != Kind::Verdaccio {
            self.leak(client).await.context("the leak")?;
            self.revoked_by_somebody(client).await.context("a token revoked by somebody else")?;
        }
        self.repair(client).await.context("the repair of the Secret")?;
        self.delete(client).await.context("the deletion")
    }

    /// The end of the operator's log.
    pub fn operator_log(&self) -> String {
        self.cluster.operator_log()
    }

    async fn issue(&mut self, client: &Client) -> Result<()> {
        self.title("First issue: generate, update, verify");
        self.cluster.apply(&self.service).await?;
        self.until(client, "the first token", |ledger| ledger.current.is_some()).await?;
        self.accepted(&self.value(client).await?, "the token in the Secret", true).await?;
        if self.npm.is_some() {
            self.keep_npmrc(client, "1").await?;
            self.npm()?.publish("1", "1.0.0").await?;
            self.npm()?.install("1", "1.0.0").await?;
        }
        Ok(())
    }

    /// Returns the value that was replaced.
    async fn rotate(&mut self, client: &Client) -> Result<String> {
        self.title("Rotation on request: the new token is in the Secret, the old one still lives");
        let old = self.value(client).await?;
        let request = format!("{ROTATE_REQUESTED_AT}=now");
        self.cluster.kubectl(&["annotate", "--overwrite", "artifacttoken", &self.subject.token, &request]).await?;
        self.until(client, "both tokens", |ledger| attempt(ledger) == 2 && !ledger.superseded.is_empty()).await?;
        self.accepted(&old, "the old token, which running jobs may hold", true).await?;
        self.accepted(&self.value(client).await?, "the new token", true).await?;
        if self.npm.is_some() {
            self.keep_npmrc(client, "2").await?;
            self.npm()?.install("1", "1.0.0").await?;
            self.npm()?.publish("2", "1.1.0").await?;
        }
        Ok(old)
    }

    async fn revoke(&mut self, client: &Client, old: &str) -> Result<()> {
        self.title("The overlap ends: the old token is revoked, and the operator sees it refused");
        self.until(client, "the revoke of the old token", |ledger| ledger.superseded.is_empty()).await?;
        self.accepted(old, "the old token", false).await?;
        self.accepted(&self.value(client).await?, "the new token", true).await?;
        if self.npm.is_some() {
            self.npm()?.refused("1", "1.1.0").await?;
            self.npm()?.install("2", "1.1.0").await?;
        }
        Ok(())
    }

    async fn leak(&mut self, client: &Client) -> Result<()> {
        self.title("The token leaks: it is revoked at once, without overlap, and then replaced");
        let leaked = self.value(client).await?;
        let before = attempt(&self.picture(client).await?.ledger);
        self.say_that_it_leaked().await?;
        let over = |ledger: &Ledger| attempt(ledger) > before && ledger.superseded.is_empty();
        self.until(client, "a token in place of the leaked one", over).await?;
        self.accepted(&leaked, "the leaked token", false).await?;
        self.accepted(&self.value(client).await?, "the new token", true).await
    }

    /// Says that every token leaked that was claimed until now.
    async fn say_that_it_leaked(&self) -> Result<()> {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let patch = format!(r#"{{"spec":{{"rotation":{{"revokeIssuedBefore":"{now}"}}}}}}"#);
        self.cluster.kubectl(&["patch", "artifacttoken", &self.subject.token, "--type=merge", "--patch", &patch]).await
    }

    async fn revoked_by_somebody(&mut self, client: &Client) -> Result<()> {
        self.title("Somebody revokes the token at the service: a new one is issued");
        let current = self.picture(client).await?.ledger.current.context("no current token")?;
        self.service.revoke_by_hand(current.id.as_str()).await?;
        println!("\nRevoked at the service: {}", current.id);
        println!(
            "The operator notices at the next verification. Not to wait for that, the tour shortens its interval. A refusal alone is\n\
             no death: the operator asks again for ten seconds here, and for ten minutes with the usual flags."
        );
        let patch = r#"{"spec":{"verification":{"interval":"2s"}}}"#;
        self.cluster
            .kubectl(&["patch", "artifacttoken", &self.subject.token, "--type=merge", "--patch", patch])
            .await?;
        let replaced = |ledger: &Ledger| attempt(ledger) > current.attempt && ledger.superseded.is_empty();
        self.until(client, "a new token", replaced).await?;
        self.accepted(&self.value(client).await?, "the token in the Secret", true).await
    }

    async fn repair(&mut self, client: &Client) -> Result<()> {
        self.title("Somebody deletes the Secret: it is repaired");
        self.cluster.kubectl(&["delete", "secret", &self.subject.secret]).await?;
        self.until(client, "the Secret", |ledger| ledger.superseded.is_empty()).await?;
        self.accepted(&self.value(client).await?, "the token in the Secret", true).await
    }

    async fn delete(&mut self, client: &Client) -> Result<()> {
        self.title("Deletion: every token is revoked before the object goes");
        let last = self.value(client).await?;
        self.cluster.kubectl(&["delete", "artifacttoken", &self.subject.token]).await?;
        self.until(client, "the end of everything", |ledger| *ledger == Ledger::default()).await?;
        self.accepted(&last, "the last token", false).await
    }

    /// Applies the files again, and says what a user can do next.
    pub async fn leave_something_to_try(&self) -> Result<()> {
        self.cluster.apply(&self.service).await?;
        println!("\nEverything keeps running until Ctrl-C. In another terminal:\n\n{}\n", self.cluster.environment()?);
        if let Some(page) = &self.service.page {
            self.explain(page);
        }
        println!("  kubectl get artifacttokens -o wide --watch");
        println!(
            "  kubectl annotate --overwrite artifacttoken {} {ROTATE_REQUESTED_AT}=\"$(date)\"",
            self.subject.token
        );
        println!("  kubectl delete secret {}", self.subject.secret);
        if self.service.page.is_some() {
            println!("  kubectl delete artifacttoken {}", self.subject.token);
        }
        println!("\nWhat the service says lives:\n\n  {}", self.service.list_command());
        Ok(())
    }

    fn title(&mut self, title: &str) {
        self.step += 1;
        println!("\n{}. {title}\n{}", self.step, "-".repeat(title.len() + 3));
    }

    async fn picture(&self, client: &Client) -> Result<Picture> {
        Picture::take(&self.cluster, client, &self.service, &self.subject).await
    }

    /// Waits until `reached` is true for the ledger and service and cluster agree, then shows both.
    async fn until(&self, client: &Client, what: &str, reached: impl Fn(&Ledger) -> bool) -> Result<()> {
        let look = || async {
            let token = self.cluster.token(client, &self.subject.token).await.map_err(|error| format!("{error:#}"))?;
            let ledger = token.and_then(|token| token.status).map(|status| status.ledger).unwrap_or_default();
            if !reached(&ledger) {
                return Err(format!("the ledger says {ledger:#?}"));
            }
            let picture = self.picture(client).await.map_err(|error| format!("{error:#}"))?;
            match picture.disagreement() {
                _ if !reached(&picture.ledger) => Err("the ledger moved on".to_owned()),
                Some(disagreement) => Err(disagreement),
                None => Ok(picture),
            }
        };
        let picture = poll(what, DEADLINE, look).await.context("the service's list and the cluster do not agree")?;
        picture.show();
        self.cluster.kubectl(&["get", "artifacttokens"]).await?;
        println!();
        Ok(())
    }

    /// The value of [`RAW_KEY`] in the Secret.
    async fn value(&self, client: &Client) -> Result<String> {
        let bytes = self.file(client, RAW_KEY).await?;
        String::from_utf8(bytes).context("the token is no text")
    }

    async fn file(&self, client: &Client, key: &str) -> Result<Vec<u8>> {
        let secret = self.cluster.secret(client, &self.subject.secret).await?.context("the Secret is not there")?;
        let value = secret.data.and_then(|mut data| data.remove(key));
        Ok(value.with_context(|| format!("the Secret has no key {key}"))?.0)
    }

    /// Asks the service itself, as a consumer would.
    async fn accepted(&self, token: &str, which: &str, wanted: bool) -> Result<()> {
        let accepted = self.service.accepts(token).await?;
        println!("  The service {} {which}.", if accepted { "accepts" } else { "refuses" });
        ensure!(accepted == wanted, "the service accepts a dead token or refuses a valid one");
        Ok(())
    }

    fn npm(&self) -> Result<&Npm> {
        self.npm.as_ref().context("no npm in this tour")
    }

    /// Takes the rendered file out of the Secret, as a mount would.
    async fn keep_npmrc(&self, client: &Client, name: &str) -> Result<()> {
        self.npm()?.keep(name, &self.file(client, ".npmrc").await?)
    }
}

fn attempt(ledger: &Ledger) -> u32 {
    ledger.current.as_ref().map_or(0, |current| current.attempt)
}
