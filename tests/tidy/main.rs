//! House rules, as tests: each says in its failure what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod book;
mod declared;
mod outside;
mod presets;
mod reference;
mod steps;
mod structure;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::cluster_token_service::ClusterTokenService;
use artifact_token_operator::api::crds;
use artifact_token_operator::api::token_service::TokenService;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Lines of a source file, its tests included.
const MAX_FILE: usize = 350;
/// Lines of a function.
const MAX_FUNCTION: usize = 60;

/// Where a value leaves its wrapper, and how often: where a request is built, where a Secret is rendered, and where two
/// values are compared. A new place is a decision: look whether a log, an error or a status can come to see the value.
const EXPOSED: &[(&str, usize)] = &[
    // The end of a long token, as the operator shows it, and a certificate, which is no secret.
    ("src/bin/kubectl-artifact_token/check_service/shape.rs", 1),
    ("src/bin/kubectl-artifact_token/check_service/supplies.rs", 1),
    ("src/controller/token/perform/outcome.rs", 1),
    ("src/controller/token/secret_state.rs", 1),
    ("src/controller/value_digest.rs", 1),
    ("src/secret/formats/mod.rs", 1),
    ("src/secret/hand_over.rs", 4),
    ("src/service/client/connection.rs", 2),
    // The key of the client's certificate.
    ("src/service/http/trust.rs", 1),
    // What hides the values from what a person sees.
    ("src/service/mask.rs", 3),
    // The password of a proxy, and the key, of which a digest is made.
    ("src/service/networks.rs", 2),
];

/// A block that begins like this is the file of a tool and no object. It must be YAML, and no more can be said.
const FILE_OF_A_TOOL: &str = "# File: ";

/// Objects of other projects in the documents: version and kind.
const FOREIGN: &[(&str, &str)] = &[
    ("argoproj.io/v1alpha1", "ApplicationSet"),
    ("argoproj.io/v1alpha1", "WorkflowTemplate"),
    ("external-secrets.io/v1", "SecretStore"),
    ("external-secrets.io/v1alpha1", "PushSecret"),
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
    ("tekton.dev/v1", "PipelineRun"),
    ("tekton.dev/v1", "Task"),
];

/// Rooms that decide and render, and never act.
const PURE: &[&str] = &[
    "src/rotation",
    "src/secret",
    "src/service/declaration",
    "src/service/template",
    "src/service/extraction",
    "src/controller/election/candidate",
];

/// What acts, measures, or knows the time.
const FORBIDDEN: &[&str] = &[
    "tokio",
    "reqwest",
    "axum",
    "kube::Api",
    "kube::Client",
    "kube::api",
    "kube::client",
    "kube::runtime",
    "tracing",
    "prometheus_client",
    "metrics::",
    "SystemTime",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "std::fs",
    "std::net",
    "std::env",
];

#[test]
fn the_custom_resource_definitions_in_crds_and_in_the_chart_are_those_that_the_code_generates() {
    for folder in ["crds", "charts/artifact-token-operator/files/crds"] {
        let mut generated = BTreeSet::new();
        for crd in crds() {
            let name = format!("{folder}/{}.yaml", crd.spec.names.plural);
            let fresh = serde_saphyr::to_string(&crd).unwrap() == read(&name);
            assert!(fresh, "{name} is stale: cargo run --bin crdgen");
            generated.insert(name);
        }
        let there: BTreeSet<_> = files(folder, "yaml").into_iter().collect();
        assert_eq!(there, generated, "remove what the code does not generate");
    }
}

#[test]
fn what_decides_and_renders_never_acts_and_knows_no_clock() {
    for name in files("src", "rs") {
        // `declaration` is a room, whether it is one file or a folder.
        if !PURE.iter().any(|room| name.strip_prefix(room).is_some_and(|rest| rest.starts_with(['/', '.']))) {
            continue;
        }
        for (number, line) in code(&name) {
            let named = FORBIDDEN.iter().find(|word| names(&line, word));
            assert!(named.is_none(), "{name}:{number} names {}: give it what it needs instead", named.unwrap());
        }
    }
}

/// Whether `line` has `word`, not as a part of a longer one.
fn names(line: &str, word: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(inner) && (word.ends_with(':') || !line[at + word.len()..].starts_with(inner))
    })
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let lines = |name: &String| read(name).lines().count();
    let long = files("src", "rs").into_iter().filter(|name| lines(name) > MAX_FILE);
    let long: Vec<_> = long.map(|name| format!("{name}: {} lines", lines(&name))).collect();
    assert!(long.is_empty(), "at most {MAX_FILE} lines, tests included; split by subject: {long:#?}");
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let long: Vec<_> = files("src", "rs").iter().flat_map(|name| long_functions(name)).collect();
    assert!(long.is_empty(), "at most {MAX_FUNCTION} lines; name a part of it: {long:#?}");
}

/// Relies on rustfmt: a function ends at the first brace that stands as far left as its beginning. A table through one
/// `check` is data and as long as it must be.
fn long_functions(name: &str) -> Vec<String> {
    let text = read(name);
    let lines: Vec<_> = text.lines().collect();
    let mut long = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let words = line.trim_start();
        let visible =
            words.trim_start_matches("pub(super) ").trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let plain = visible.trim_start_matches("const ").trim_start_matches("async ");
        if !plain.starts_with("fn ") || line.ends_with(['}', ';']) {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - words.len()]);
        let length = lines[start..].iter().position(|line| *line == end).map_or(0, |length| length + 1);
        let table = lines[start..].iter().take(3).any(|line| line.trim_start().starts_with("let check = |"));
        if length > MAX_FUNCTION && !table {
            long.push(format!("{name}:{}: {length} lines", start + 1));
        }
    }
    long
}

#[test]
fn a_value_leaves_its_wrapper_only_where_the_list_says() {
    let mut counted = BTreeMap::new();
    for name in files("src", "rs") {
        // Tests and the reference service have no secrets of anybody.
        if name.ends_with("tests.rs") || name.contains("/tests/") || name.starts_with("src/bin/reference-service") {
            continue;
        }
        let count: usize = code(&name).iter().map(|(_, line)| line.matches("expose_secret()").count()).sum();
        if count > 0 {
            counted.insert(name, count);
        }
    }
    let listed: BTreeMap<_, _> = EXPOSED.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(counted, listed, "change EXPOSED once you have looked where the value can go from there");
}

#[test]
fn every_example_and_every_yaml_block_of_the_documents_can_be_applied() {
    for name in files("examples", "yaml") {
        check_objects(&name, &read(&name));
    }
    for name in documents() {
        for (line, block) in yaml_blocks(&read(&name)) {
            check_objects(&format!("{name}:{line}"), &block);
        }
    }
}

fn check_objects(place: &str, yaml: &str) {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{place}: {error}"));
    if yaml.starts_with(FILE_OF_A_TOOL) {
        return;
    }
    for document in documents.iter().filter(|document| !document.is_null()) {
        let kind = document["kind"].as_str().unwrap_or_else(|| panic!("{place}: an object without a kind"));
        let read = match kind {
            "ArtifactToken" => read_back::<ArtifactToken>(document),
            "TokenService" => read_back::<TokenService>(document),
            "ClusterTokenService" => read_back::<ClusterTokenService>(document),
            "Secret" => read_back::<Secret>(document),
            "ConfigMap" => read_back::<ConfigMap>(document),
            "Namespace" => read_back::<Namespace>(document),
            "Pod" => read_back::<Pod>(document),
            "Service" => read_back::<Service>(document),
            "ServiceAccount" => read_back::<ServiceAccount>(document),
            "Deployment" => read_back::<Deployment>(document),
            "StatefulSet" => read_back::<StatefulSet>(document),
            "Job" => read_back::<Job>(document),
            "CronJob" => read_back::<CronJob>(document),
            "Role" => read_back::<Role>(document),
            "RoleBinding" => read_back::<RoleBinding>(document),
            "ClusterRole" => read_back::<ClusterRole>(document),
            "ClusterRoleBinding" => read_back::<ClusterRoleBinding>(document),
            // `tests/gitops` runs its expressions.
            "Kustomization" => Ok(document.clone()),
            // Of another project, which has no types here.
            _ if FOREIGN.iter().any(|(version, of)| document["apiVersion"] == *version && kind == *of) => continue,
            other => Err(format!("add the kind {other} to this test")),
        };
        let read = read.unwrap_or_else(|error| panic!("{place}: {kind}: {error}"));
        if let Some(lost) = lost(document, &read, "") {
            panic!("{place}: {kind} has no field {lost}");
        }
    }
}

/// The object as its type writes it. `apiVersion` and `kind` must be those of the type.
fn read_back<T: Serialize + DeserializeOwned>(document: &Value) -> Result<Value, String> {
    let object: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(object).map_err(|error| error.to_string())
}

#[test]
fn a_misspelt_field_of_an_example_is_found() {
    let token = serde_json::json!({
        "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken", "metadata": {"name": "a"},
        "spec": {
            "serviceRef": {"name": "s"}, "rotation": {"policy": "Disabled", "overlapp": "6h"},
            "secret": {"name": "t", "data": [{"key": "token", "format": "Raw"}]},
        },
    });
    let read = read_back::<ArtifactToken>(&token).unwrap();
    assert_eq!(lost(&token, &read, "").as_deref(), Some(".spec.rotation.overlapp"));
}

/// The first field of `written` that is not in `read`: a misspelt one.
fn lost(written: &Value, read: &Value, at: &str) -> Option<String> {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => written.iter().find_map(|(name, value)| {
            let at = format!("{at}.{name}");
            match read.get(name) {
                Some(read) => lost(value, read, &at),
                // What is empty or says the default may be left out when it is written again.
                None => (!is_nothing(value)).then_some(at),
            }
        }),
        (Value::Array(written), Value::Array(read)) => {
            written.iter().zip(read).find_map(|(written, read)| lost(written, read, &format!("{at}[]")))
        }
        _ => None,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Fenced blocks that say `yaml`, each with the number of its line.
fn yaml_blocks(markdown: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim_start().starts_with("```yaml") {
            let indent = line.len() - line.trim_start().len();
            let block = lines.by_ref().map(|(_, line)| line).take_while(|line| !line.trim_start().starts_with("```"));
            blocks.push((
                number + 1,
                block.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect(),
            ));
        }
    }
    blocks
}

#[test]
fn nothing_is_left_for_later_and_nothing_names_one_machine() {
    // Put together here, so that this file has none of them.
    let later = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let machine = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/.")];
    let kinds = ["rs", "toml", "yaml", "md", "txt", "tpl", "sh"];
    let folders = ["src", "tests", "crds", "examples", "docs", "charts"];
    let mut names: Vec<_> = folders.iter().flat_map(|folder| kinds.map(|kind| files(folder, kind))).flatten().collect();
    names.extend(["Cargo.toml".to_owned()].into_iter().chain(documents()));
    for name in names {
        for (number, line) in read(&name).lines().enumerate() {
            // There lies the program in the image of GitHub's runner, on every machine.
            let line = line.replace(concat!("/ho", "me/runner/run.sh"), "");
            let found = later.iter().chain(&machine).find(|word| line.contains(*word));
            assert!(found.is_none(), "{name}:{} has {}", number + 1, found.unwrap());
        }
    }
}

#[test]
fn every_dependency_says_in_a_comment_above_it_what_it_is_for() {
    let text = read("Cargo.toml");
    let (mut table, mut before) = ("", "");
    for line in text.lines() {
        if line.starts_with('[') {
            table = line;
        }
        let dependency = table.ends_with("dependencies]") && line.contains(" = ");
        assert!(!dependency || before.starts_with('#'), "Cargo.toml: a comment above this line: {line}");
        before = line;
    }
}

/// README.md, which must be there, and what else is written in Markdown for users.
fn documents() -> Vec<String> {
    [vec!["README.md".to_owned()], files("docs", "md"), files("examples", "md")].concat()
}

/// Lines of code with their numbers: without comments.
fn code(name: &str) -> Vec<(usize, String)> {
    let text = read(name);
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim().to_owned()));
    lines.filter(|(_, line)| !line.starts_with("//")).collect()
}

/// The package's folder. Cargo sets this where it runs tests.
fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("run this with cargo"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files below `folder`, from the package's folder on, whose names end with `.extension`; none if there is no such
/// folder. Sorted.
fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(&root().join(folder), extension, &mut found);
    let root = root();
    let mut names: Vec<_> = found.iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect();
    names.sort();
    names
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|of| of == extension) {
            found.push(path);
        }
    }
}

/// Lines of README.md: what a newcomer reads before the first command works.
const MAX_README: usize = 160;
/// The only description of the protocol.
const PROTOCOL: &str = "docs/protocol.md";

#[test]
fn the_readme_is_short_enough_to_be_read() {
    let lines = read("README.md").lines().count();
    assert!(lines <= MAX_README, "README.md: {lines} lines, at most {MAX_README}; the rest belongs into docs/");
}

#[test]
fn every_page_of_the_documents_is_reachable_from_the_readme_and_every_link_leads_somewhere() {
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut pages = vec!["README.md".to_owned()];
    while let Some(page) = pages.pop() {
        for link in relative_links(&page) {
            let (target, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if target.is_empty() { page.clone() } else { resolved(&page, target) };
            assert!(root().join(&target).exists(), "{page}: the link {link} leads to nothing");
            if !target.ends_with(".md") {
                continue;
            }
            let there = heading.is_empty() || headings(&target).any(|found| found == heading);
            assert!(there, "{page}: {target} has no heading for the link {link}");
            if reached.insert(target.clone()) {
                pages.push(target);
            }
        }
    }
    let lonely: Vec<_> = documents().into_iter().filter(|page| !reached.contains(page)).collect();
    assert!(lonely.is_empty(), "link to these from README.md, or from a page that it links to: {lonely:?}");
}

/// Targets of links in a page, but for those that lead out of the repository. Blocks of code have none.
fn relative_links(page: &str) -> Vec<String> {
    let text = without_blocks(&read(page));
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned());
    targets.filter(|target| !target.contains("://")).collect()
}

fn without_blocks(markdown: &str) -> String {
    let mut outside = true;
    let keep = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        outside ^= fence;
        outside && !fence
    };
    markdown.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

/// A link's target from the package's folder on.
fn resolved(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => {
                assert!(parts.pop().is_some(), "{page}: the link {target} leads out of the repository");
            }
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The headings of a page, as links name them.
fn headings(page: &str) -> impl Iterator<Item = String> {
    let named = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        kept.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c)).collect::<String>().replace(' ', "-")
    };
    let text = without_blocks(&read(page));
    text.lines().filter(|line| line.starts_with('#')).map(named).collect::<Vec<_>>().into_iter()
}

#[test]
fn every_number_of_the_protocol_that_is_cited_is_defined_there_once() {
    let mut defined = BTreeSet::new();
    for number in read(PROTOCOL).lines().filter_map(|line| line.strip_prefix("**")?.split_once("**")) {
        if let [number] = numbers(number.0)[..] {
            assert!(defined.insert(number.to_owned()), "{PROTOCOL} defines {number} twice");
        }
    }
    let citing = [files("src", "rs"), files("tests", "rs"), files("fuzz/fuzz_targets", "rs"), documents()].concat();
    for name in citing {
        for (line, text) in read(&name).lines().enumerate() {
            let missing = numbers(text).into_iter().find(|number| !defined.contains(*number));
            assert!(
                missing.is_none(),
                "{name}:{} cites {}, which {PROTOCOL} does not define",
                line + 1,
                missing.unwrap()
            );
        }
    }
}

/// Whole words such as the protocol numbers its rules and invariants with.
fn numbers(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| is_number(word)).collect()
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(['P', 'S', 'L']).unwrap_or_default();
    let most = if word.starts_with('L') { 1 } else { 2 };
    !digits.is_empty()
        && digits.len() <= most
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && !digits.starts_with('0')
}

#[test]
fn a_number_of_the_protocol_is_a_whole_word() {
    assert_eq!(numbers("(P1, S14) P2-P6 `L3`: L8"), ["P1", "S14", "P2", "P6", "L3", "L8"]);
    assert!(numbers("S256 P100 L10 P0 P1x S_3 xP1 RS256 P").is_empty());
}

#[test]
fn every_file_that_the_documents_name_is_there() {
    // The changelog tells of what was.
    for page in documents().into_iter().chain(["SECURITY.md".to_owned(), "src/lib.rs".to_owned()]) {
        let text = read(&page);
        let spans = text.split('`').skip(1).step_by(2);
        for name in spans.filter(|name| name.starts_with("src/") || name.starts_with("tests/")) {
            // A test program is a file or a folder.
            let there = [name.to_owned(), format!("{name}.rs")].iter().any(|path| root().join(path).exists());
            assert!(there, "{page} names {name}, which is not there");
        }
    }
}
