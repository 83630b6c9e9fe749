//! A command that does the same to several objects, side by side.

use anyhow::anyhow;
use futures::stream::{self, StreamExt as _};

use super::output::complain;
use super::printing::Printing;

/// So many at a time.
pub const AT_A_TIME: usize = 16;

/// Does it to each, and tells how each ended, in their order. What fails does not stop the others. Returns those that went well, and
/// whether all did; with a single one, its error.
pub async fn each<T, F, Done>(
    printing: &Printing,
    all: impl ExactSizeIterator<Item = T>,
    act: impl Fn(T) -> F,
) -> (Vec<Done>, anyhow::Result<()>)
where
    F: Future<Output = anyhow::Result<(String, Done)>>,
{
    let count = all.len();
    let mut ends = std::pin::pin!(stream::iter(all).map(act).buffered(AT_A_TIME));
    let (mut done, mut failed) = (Vec::new(), 0);
    while let Some(end) = ends.next().await {
        match end {
            Ok((told, one)) => {
                printing.say(&told);
                done.push(one);
            }
            Err(error) if count == 1 => return (done, Err(error)),
            Err(error) => {
                complain(&error);
                failed += 1;
            }
        }
    }
    let end = if failed > 0 { Err(anyhow!("{failed} of {count} failed")) } else { Ok(()) };
    (done, end)
}
