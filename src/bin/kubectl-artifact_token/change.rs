//! Changes of objects that a person asks for.

use anyhow::Context as _;
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::Value;

use super::git::{Tool, field_manager};
use super::output::wrapped;
use super::printing::Printing;
use super::target::Target;

/// How a command writes.
#[derive(Debug, clap::Args)]
pub struct Writing {
    /// Ask the API server whether it takes the change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub printing: Printing,
}

impl Writing {
    /// Merges this into the object, and returns what it is then.
    ///
    /// # Errors
    /// When the API server refuses it: the person may not, or the value is not allowed.
    pub async fn patch(&self, client: &Client, target: &Target, patch: &Value) -> anyhow::Result<Target> {
        let params = PatchParams {
            dry_run: self.dry_run,
            field_manager: Some(field_manager(&target.object).to_owned()),
            ..PatchParams::default()
        };
        let name = target.object.metadata.name.clone().unwrap_or_default();
        let written = target.api(client).patch(&name, &params, &Patch::Merge(patch)).await;
        let object = written.with_context(|| format!("change {}", target.shown()))?;
        Ok(Target { kind: target.kind, object })
    }

    /// What was done, as kubectl says it.
    pub fn done(&self, target: &Target, what: &str) -> String {
        format!("{} {what}{}", target.shown(), if self.dry_run { " (dry run)" } else { "" })
    }
}

/// Warns that a GitOps tool takes a change of `spec` back, and says what to write into Git.
pub fn warn_of_git(target: &Target, field: &str) {
    if let Some(tool) = Tool::of(&target.object) {
        let (tool, shown) = (tool.name(), target.shown());
        let warning = format!(
            "Warning: {tool} keeps {shown} as Git has it and may take this change back. Write it to Git, too: {field}"
        );
        eprintln!("{}", wrapped(&warning, 2));
    }
}
