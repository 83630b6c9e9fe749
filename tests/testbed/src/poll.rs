//! Waits for a state of the world.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep, timeout_at};

/// Pause between two looks: much shorter than anything a test waits for, much longer than one request on loopback.
const INTERVAL: Duration = Duration::from_millis(25);

/// Calls `look` again and again until it returns `Ok`, and returns that value.
///
/// `look` describes the current world in its `Err`. When `deadline` passes, the error has `what` and the last
/// description, so that a failed wait explains itself.
pub async fn poll<T, Look, Answer>(what: &str, deadline: Duration, mut look: Look) -> Result<T>
where
    Look: FnMut() -> Answer,
    Answer: Future<Output = Result<T, String>>,
{
    let end = Instant::now() + deadline;
    let mut last = String::from("nothing: the first look did not return");
    loop {
        match timeout_at(end, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last = seen,
            Err(_) => bail!("waited {deadline:?} for {what}; last seen (a later look did not return): {last}"),
        }
        if Instant::now() >= end {
            bail!("waited {deadline:?} for {what}; last seen: {last}");
        }
        sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_wait_says_what_was_seen_last() {
        let mut looks = 0;
        let failure = poll("the moon", Duration::from_millis(60), || {
            looks += 1;
            async move { Err::<(), _>(format!("cloud {looks}")) }
        })
        .await
        .unwrap_err()
        .to_string();
        assert!(failure.contains("the moon") && failure.contains("last seen: cloud"), "{failure}");
    }

    #[tokio::test]
    async fn a_look_that_hangs_does_not_outlive_the_deadline() {
        let failure = poll("an answer", Duration::from_millis(60), std::future::pending::<Result<(), String>>).await;
        assert!(failure.unwrap_err().to_string().contains("did not return"));
    }
}
