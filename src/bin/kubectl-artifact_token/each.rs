//! A command that does the same to several objects, side by side.

use anyhow::bail;
use futures::stream::{self, StreamExt as _};

use super::output::{complain, wrapped};

/// So many at a time.
pub const AT_A_TIME: usize = 16;

/// Does it to each, and prints how each ended, in their order. What fails does not stop the others.
///
/// # Errors
/// When one failed; with a single one, its error.
pub async fn each<T, F>(all: impl ExactSizeIterator<Item = T>, act: impl Fn(T) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<String>>,
{
    let count = all.len();
    let mut ends = std::pin::pin!(stream::iter(all).map(act).buffered(AT_A_TIME));
    let mut failed = 0;
    while let Some(end) = ends.next().await {
        match end {
            Ok(told) => println!("{}", wrapped(&told, 2)),
            Err(error) if count == 1 => return Err(error),
            Err(error) => {
                complain(&error);
                failed += 1;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {count} failed");
    }
    Ok(())
}
