//! The tour of a service whose tokens only a person can make and revoke. The tour is that person.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::Ledger;
use kube::Client;
use testbed::poll;
use tokio::time::sleep;

use super::{DEADLINE, Tour, attempt};
use crate::by_hand::Page;

/// The label of the Secret that hands over a token.
const LABEL: &str = "artifact-token.dev/hand-over";
/// How often the object is read to guide a person.
const LOOK: Duration = Duration::from_secs(1);

impl Tour {
    /// All steps.
    pub(super) async fn by_hand(&mut self, client: &Client) -> Result<()> {
        self.title("First issue: a person makes a token, and hands it over");
        self.cluster.apply(&self.service).await?;
        self.told(client, ConditionType::HandOverDue, "there is no token yet").await?;
        let first = self.hand_over(client, 1).await.context("the first issue")?;

        self.title("Rotation on request: the new token is in the Secret, the old one still lives");
        let request = format!("{ROTATE_REQUESTED_AT}=now");
        self.cluster.kubectl(&["annotate", "--overwrite", "artifacttoken", &self.subject.token, &request]).await?;
        self.told(client, ConditionType::HandOverDue, "a new token is asked for").await?;
        let second = self.hand_over(client, 2).await.context("the rotation")?;
        self.accepted(&first, "the old token, which running jobs may hold", true).await?;

        self.title("The overlap ends: a person revokes the old token, and the operator sees it refused");
        self.told(client, ConditionType::RevocationPending, "of attempt 1").await?;
        self.revoke_on_page(client, 1, &first).await.context("the revoke of the old token")?;

        self.title("The token leaks: a person is asked at once to revoke it, and to make another one");
        self.say_that_it_leaked().await?;
        self.told(client, ConditionType::HandOverDue, "attempt 2 leaked").await?;
        self.told(client, ConditionType::RevocationPending, "of attempt 2").await?;
        let third = self.hand_over(client, 3).await.context("the token in place of the leaked one")?;
        self.revoke_on_page(client, 2, &second).await.context("the revoke of the leaked token")?;
        self.accepted(&third, "the new token", true).await?;

        self.delete_by_hand(client, &third).await.context("the deletion")
    }

    async fn delete_by_hand(&mut self, client: &Client, last: &str) -> Result<()> {
        self.title("Deletion: the object waits until a person has revoked the last token");
        self.cluster.kubectl(&["delete", "--wait=false", "artifacttoken", &self.subject.token]).await?;
        self.told(client, ConditionType::RevocationPending, "of attempt 3").await?;
        self.page()?.end(3).await?;
        println!("\nRevoked on the page: the token of attempt 3.");
        println!(
            "No other token is accepted, which would show that the service itself is well. So the operator goes on asking for ten\n\
             times --refusal-settle: ten seconds here, and ten minutes with the usual flags."
        );
        self.until(client, "the end of everything", |ledger| *ledger == Ledger::default()).await?;
        self.accepted(last, "the last token", false).await
    }

    /// Makes a token on the page and hands it over, as the object asks. Returns its value.
    async fn hand_over(&mut self, client: &Client, wanted: u32) -> Result<String> {
        let object = self.object(client).await?.context("the object is gone")?;
        let name = object.spec.display_name.context("the YAML gives the token no name")?;
        let page = self.service.page.as_mut().context("this service has no page")?;
        let made = page.make(&name).await?;
        println!("\nMade on the page {}: a token with the name {name}.", page.address());
        for command in self.commands(made.until.as_deref()) {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            self.cluster.kubectl_with_input(&words, &made.value).await?;
        }
        self.until(client, "the token that was handed over", |ledger| attempt(ledger) == wanted).await?;
        ensure!(self.value(client).await? == made.value, "the Secret holds another token");
        self.accepted(&made.value, "the token in the Secret", true).await?;
        let offer = self.offer();
        let look = || async {
            match self.cluster.secret(client, &offer).await {
                Ok(None) => Ok(()),
                other => Err(format!("{:?}", other.map(|secret| secret.map(|secret| secret.metadata)))),
            }
        };
        poll("the end of the Secret that handed it over", DEADLINE, look).await?;
        println!("  The operator deleted the Secret {offer}.");
        Ok(made.value)
    }

    /// Revokes a superseded token on the page, and waits until the operator has seen it refused.
    async fn revoke_on_page(&self, client: &Client, old: u32, value: &str) -> Result<()> {
        self.page()?.end(usize::try_from(old)?).await?;
        println!("\nRevoked on the page: the token of attempt {old}.");
        self.until(client, "the proof that it is dead", |ledger| ledger.superseded.is_empty()).await?;
        self.accepted(value, &format!("the token of attempt {old}"), false).await?;
        let ledger = self.picture(client).await?.ledger;
        let dead = ledger.history.iter().find(|dead| dead.attempt == old).context("the ledger forgot it")?;
        println!("  The ledger has {} as dead, proved at {}: {:?}.", dead.id, dead.revoked_time, dead.proof);
        Ok(())
    }

    /// Waits until the object tells a person `part`, and shows what it says.
    async fn told(&self, client: &Client, condition: ConditionType, part: &str) -> Result<()> {
        let look = || async {
            let object = self.object(client).await.map_err(|error| format!("{error:#}"))?;
            let conditions =
                object.and_then(|object| object.status).map(|status| status.conditions).unwrap_or_default();
            let found = conditions.iter().find(|known| known.type_ == condition && known.message.contains(part));
            found.map(|found| found.message.clone()).ok_or_else(|| format!("{conditions:#?}"))
        };
        let message = poll(&format!("{condition:?} with \"{part}\""), DEADLINE, look).await?;
        println!("\nThe object says {condition:?}: {message}");
        Ok(())
    }

    /// Says what a person can do next, in the browser and with kubectl.
    pub(super) fn explain(&self, page: &Page) {
        println!("Sign in at {} with {}.", page.address(), page.sign_in());
        println!("There you make and revoke tokens, as the object asks. Hand over what you made:\n");
        for command in self.commands(page.until().as_deref()) {
            println!("  kubectl {}", command.join(" "));
        }
        println!("\nThe first command reads the token: paste it, press Enter, then Ctrl-D. What else to try:\n");
    }

    /// Prints what the object asks of a person, whenever that changes. Returns at once where no person is needed.
    pub async fn guide(&self) -> Result<()> {
        if self.service.page.is_none() {
            return Ok(());
        }
        let client = self.cluster.client().await?;
        let mut told = String::new();
        loop {
            let says = match self.object(&client).await? {
                Some(object) => asks(&object),
                None => "\nThe object is gone.".to_owned(),
            };
            if says != told {
                println!("{says}");
                told = says;
            }
            sleep(LOOK).await;
        }
    }

    /// The kubectl commands that hand over a token. The first one reads it from its input, so that no shell keeps it.
    fn commands(&self, until: Option<&str>) -> [Vec<String>; 2] {
        let offer = self.offer();
        let mut create = vec!["create", "secret", "generic", &offer, "--from-file=token=/dev/stdin"];
        let until = until.map(|until| format!("--from-literal=expirationTime={until}"));
        create.extend(until.as_deref());
        let label = format!("{LABEL}={}", self.subject.token);
        [create, vec!["label", "secret", &offer, &label]].map(|words| words.into_iter().map(str::to_owned).collect())
    }

    /// The name of the Secret that hands over a token.
    fn offer(&self) -> String {
        format!("{}-hand-over", self.subject.token)
    }

    fn page(&self) -> Result<&Page> {
        self.service.page.as_ref().context("this service has no page")
    }

    async fn object(&self, client: &Client) -> Result<Option<ArtifactToken>> {
        self.cluster.token(client, &self.subject.token).await
    }
}

/// The conditions that a person should know of.
fn asks(object: &ArtifactToken) -> String {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    let wanted = [ConditionType::Ready, ConditionType::HandOverDue, ConditionType::RevocationPending];
    let conditions = conditions.filter(|condition| wanted.contains(&condition.type_));
    conditions.map(|known| format!("\n{:?} {:?}: {}", known.type_, known.status, known.message)).collect()
}
