//! A person at a shell. What is different in each run (names, ids, times) is replaced by a word, and the rest is compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::{World, binary};
use testbed::control_plane::Options;
use testbed::{Operator, operator};

/// A world, and what a person typed and saw in it.
pub struct Session {
    pub world: World,
    words: Vec<(String, String)>,
    transcript: String,
}

/// The overlap is longer than a test, so that a transcript never shows its end. It is no whole number of hours, so that the hours that are
/// left are always one.
const OVERLAP: &str = "90m";

/// A token in the Secret `NAME-token`.
pub fn token_yaml(name: &str) -> String {
    format!(
        "apiVersion: artifact-token.dev/v1alpha1\nkind: ArtifactToken\nmetadata: {{name: {name}}}\nspec:\n  serviceRef: {{name: reference}}\n  \
         rotation: {{policy: Disabled, overlap: {OVERLAP}}}\n  secret:\n    name: {name}-token\n    data: [{{key: token, format: Raw}}]\n"
    )
}

impl Session {
    pub async fn start(prefix: &str) -> Self {
        let world = World::with(prefix, Options { audit: false, ..Options::default() }).await;
        let words = vec![
            (world.namespace.clone(), "shop".to_owned()),
            (world.service.base_url(), "https://service".to_owned()),
        ];
        Self { world, words, transcript: String::new() }
    }

    /// The same with a service and its credential.
    pub async fn with_service(prefix: &str) -> Self {
        let session = Self::start(prefix).await;
        session.world.apply(&support::credential_yaml(session.world.service.admin_key())).await;
        session.world.apply(&support::service_yaml("reference", &session.world.service.base_url())).await;
        session
    }

    /// An operator that leads.
    pub async fn operator(&self) -> Operator {
        Operator::start(self.operator_options()).await.expect("start the operator")
    }

    fn operator_options(&self) -> operator::Options {
        let options = self.world.operator_options().argument("--leader-election=on");
        options.argument(format!("--operator-namespace={}", self.world.namespace))
    }

    /// From now on this word of the run stands in the transcript as another one.
    pub fn call(&mut self, word: &str, shown: &str) {
        self.words.push((word.to_owned(), shown.to_owned()));
    }

    /// Types `kubectl artifact-token ...`, and returns the exit code and what was printed.
    pub fn run(&mut self, line: &str) -> (i32, String) {
        self.run_within(line, Duration::from_secs(120))
    }

    /// The same. It must end within this time.
    pub fn run_within(&mut self, line: &str, limit: Duration) -> (i32, String) {
        let begun = Instant::now();
        let mut command = self.command(line);
        let output = command.output().expect("run kubectl");
        assert!(begun.elapsed() < limit, "{line} took {:?}", begun.elapsed());
        let code = output.status.code().unwrap_or(-1);
        let text = String::from_utf8(output.stdout).expect("text");
        let (line, shown) = (self.shown(line), self.shown(&text));
        let end = if code == 0 { String::new() } else { format!("[exit code {code}]\n") };
        self.transcript.push_str(&format!("$ kubectl artifact-token {line}\n{shown}{end}"));
        (code, text)
    }

    /// A shell that runs it, errors among the output, as on a terminal.
    pub fn command(&self, line: &str) -> Command {
        let kubectl = self.world.plane.kubectl().unwrap();
        let mut command = Command::new("sh");
        let script = format!("exec 2>&1; exec {} artifact-token {line}", kubectl.get_program().display());
        command.args(["-c", &script]);
        let variables = kubectl.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(variables);
        let folder = binary("kubectl-artifact_token").parent().unwrap().display().to_string();
        command.env("PATH", folder + ":" + &std::env::var("PATH").unwrap_or_default());
        command.env("ARTIFACT_TOKEN_LEASE", format!("{}/artifact-token-operator", self.world.namespace));
        command.env("NS", &self.world.namespace);
        command
    }

    fn shown(&self, text: &str) -> String {
        let mut text = text.replace("$NS", "shop");
        for (word, shown) in &self.words {
            text = text.replace(word, shown);
        }
        without_times(&text)
    }

    /// Compares what was typed and seen with the file of this name. `WRITE_TRANSCRIPTS=1` writes it instead.
    pub fn is_as_in(&self, name: &str) {
        let path = folder().join(name);
        if std::env::var_os("WRITE_TRANSCRIPTS").is_some() {
            fs::write(&path, &self.transcript).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(expected, self.transcript, "the transcript {name} is another one:\n{}", self.transcript);
    }
}

#[test]
fn what_people_see_fits_on_a_terminal_of_80_columns() {
    let mut wide = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let mut typed = "";
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("$ ") {
                typed = line;
            }
            // A command stays on one line, to be copied.
            let command = line.trim_start().starts_with("kubectl ") || line == typed;
            let whole = ["-o wide", "-o json", "-o yaml"].iter().any(|output| typed.contains(output));
            if line.chars().count() > 80 && !command && !whole {
                wide.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(wide.is_empty(), "wider than 80 columns: {wide:#?}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugin/transcripts")
}

/// Times and dates as words of the same length, so that columns stay where they are.
fn without_times(text: &str) -> String {
    const SHAPES: [(&str, &str); 4] = [
        ("dddd-dd-ddTdd:dd:dd.dddZ", "YYYY-MM-DDThh:mm:ss.mmmZ"),
        ("dddd-dd-ddTdd:dd:ddZ", "YYYY-MM-DDThh:mm:ssZ"),
        ("dddd-dd-dd dd:dd:dd", "YYYY-MM-DD hh:mm:ss"),
        ("dddd-dd-dd", "YYYY-MM-DD"),
    ];
    let letters: Vec<char> = text.chars().collect();
    let (mut shown, mut at) = (String::new(), 0);
    while at < letters.len() {
        let found = SHAPES.iter().find(|(shape, _)| has_shape(&letters[at..], shape));
        let (word, length) =
            found.map_or((letters[at].to_string(), 1), |(shape, word)| ((*word).to_owned(), shape.len()));
        shown.push_str(&word);
        at += length;
    }
    shown
}

fn has_shape(letters: &[char], shape: &str) -> bool {
    let fits = |(mark, letter): (char, &char)| if mark == 'd' { letter.is_ascii_digit() } else { mark == *letter };
    letters.len() >= shape.len() && shape.chars().zip(letters).all(fits)
}
