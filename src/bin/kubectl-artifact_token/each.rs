//! A command that does the same to several objects, side by side.

use anyhow::bail;
use futures::stream::{self, StreamExt as _};

use super::target::Target;
use super::wait::plain;

/// So many at a time.
const AT_A_TIME: usize = 16;

/// Does it to each, and prints how each ended, in their order. What fails does not stop the others.
///
/// # Errors
/// When one failed; with a single object, its error.
pub async fn each<'a, F>(targets: &'a [Target], act: impl Fn(&'a Target) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<String>>,
{
    let mut ends = stream::iter(targets).map(act).buffered(AT_A_TIME);
    let mut failed = 0;
    while let Some(end) = ends.next().await {
        match end {
            Ok(told) => println!("{told}"),
            Err(error) if targets.len() == 1 => return Err(error),
            Err(error) => {
                eprintln!("Error: {}", plain(&format!("{error:#}")));
                failed += 1;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} failed", targets.len());
    }
    Ok(())
}
