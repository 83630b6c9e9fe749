//! Completion: a script for the shell under the program's own name, and answers to kubectl under `kubectl artifact-token`.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate};
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::cluster::Place;

/// Which shell.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

/// kubectl calls a program of this name with the words of the line, the one under the cursor last, and reads a word a line.
const ASKED_AS: &str = "kubectl_complete-artifact_token";
/// How kubectl's shell script is told to offer no files.
const NO_FILES: &str = ":4";
/// Names of tokens are a comfort: nobody waits longer for them.
const LOOK: Duration = Duration::from_secs(2);

/// Prints the script. It completes the plugin under its own name, `kubectl-artifact_token`.
///
/// # Errors
/// None.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut command = super::Arguments::command().bin_name("kubectl-artifact_token");
    generate(arguments.shell, &mut command, "kubectl-artifact_token", &mut io::stdout());
    Ok(())
}

/// The words that kubectl wants completed, if the program was called for that, through a link of that name.
pub fn asked(mut arguments: impl Iterator<Item = OsString>) -> Option<Vec<String>> {
    let program = arguments.next()?;
    let name = Path::new(&program).file_name()?.to_str()?.to_owned();
    (name == ASKED_AS).then(|| arguments.map(|word| word.to_string_lossy().into_owned()).collect())
}

/// Prints what may stand in place of the last word.
pub async fn answer(words: &[String]) {
    let (done, begun) = match words.split_last() {
        Some((begun, done)) => (done, begun.as_str()),
        None => (words, ""),
    };
    let root = super::Arguments::command();
    let command = bare(done).first().and_then(|word| root.find_subcommand(word));
    let mut offers = offers(&root, command, begun);
    if command.is_some_and(takes_a_token) && !begun.starts_with('-') {
        offers.extend(tokens(done).await);
    }
    offers.retain(|offer| offer.starts_with(begun));
    offers.iter().for_each(|offer| println!("{offer}"));
    println!("{NO_FILES}");
}

/// The words that are neither flags nor their values.
fn bare(words: &[String]) -> Vec<&str> {
    let mut bare = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-n" | "--namespace" | "--context" | "--kubeconfig" => drop(words.next()),
            flag if flag.starts_with('-') => {}
            word => bare.push(word),
        }
    }
    bare
}

fn offers(root: &Command, command: Option<&Command>, begun: &str) -> Vec<String> {
    let Some(command) = command else {
        return root.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    };
    if !begun.starts_with('-') {
        return Vec::new();
    }
    let flags = command.get_arguments().filter_map(|argument| argument.get_long());
    flags.map(|flag| format!("--{flag}")).collect()
}

/// Whether its first argument is the name of an ArtifactToken.
fn takes_a_token(command: &Command) -> bool {
    command.get_positionals().any(|argument| argument.get_value_names().is_some_and(|names| names[0] == "NAME"))
}

/// The ArtifactTokens of the namespace that the line names, or none if they cannot be seen in time.
async fn tokens(words: &[String]) -> Vec<String> {
    let after = |flags: [&str; 2]| {
        let joined = words.iter().find_map(|word| word.strip_prefix(flags[1])?.strip_prefix('='));
        let pair = || words.windows(2).find(|pair| flags.contains(&pair[0].as_str())).map(|pair| pair[1].as_str());
        joined.or_else(pair).map(str::to_owned)
    };
    let place = Place {
        namespace: after(["-n", "--namespace"]),
        context: after(["--context", "--context"]),
        kubeconfig: after(["--kubeconfig", "--kubeconfig"]).map(Into::into),
    };
    let look = async {
        let (client, namespace) = place.connect().await.ok()?;
        let api: Api<ArtifactToken> = Api::namespaced(client, &namespace);
        let tokens = api.list_metadata(&ListParams::default()).await.ok()?;
        Some(tokens.iter().map(ResourceExt::name_any).collect())
    };
    tokio::time::timeout(LOOK, look).await.ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_asks_under_another_name() {
        let words = |program: &str| asked([program, "ro"].map(OsString::from).into_iter());
        assert_eq!(words("/bin/kubectl_complete-artifact_token"), Some(vec!["ro".to_owned()]));
        assert_eq!(words("/bin/kubectl-artifact_token"), None);
    }

    #[test]
    fn commands_and_flags_are_offered() {
        let root = super::super::Arguments::command();
        assert!(offers(&root, None, "").contains(&"rotate".to_owned()));
        let rotate = root.find_subcommand("rotate");
        assert!(offers(&root, rotate, "--w").contains(&"--wait".to_owned()));
        assert!(rotate.is_some_and(takes_a_token) && !root.find_subcommand("doctor").is_some_and(takes_a_token));
    }
}
