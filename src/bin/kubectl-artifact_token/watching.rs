//! Watches that a person looks at.

use anyhow::bail;
use kube::runtime::watcher::Error;

use super::cluster::is_forbidden;

/// A watch begins again by itself, but not where the person may not watch: then it would show nothing, for ever.
///
/// # Errors
/// In that case.
pub fn may_go_on(error: Error) -> anyhow::Result<()> {
    match &error {
        Error::InitialListFailed(why) | Error::WatchStartFailed(why) | Error::WatchFailed(why) if is_forbidden(why) => {
            bail!("you may not watch ArtifactTokens here: {why}")
        }
        _ => Ok(()),
    }
}
