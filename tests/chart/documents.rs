//! Every command of the documents, typed in a cluster as they describe it. The quick start has a real node of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use serde_json::json;
use support::documents::{Block, blocks};
use support::figures::figure;
use support::objects::{artifact_token, cluster_token_service, reference_operations, token_service};
use support::{World, binary, credential_yaml};
use testbed::folder::RunFolder;
use testbed::{ControlPlane, Operator, cluster, debian};

use crate::release::{NAMESPACE, own_plane};

/// Pages whose commands other tests run, or are about building the project.
const ELSEWHERE: [&str; 2] = ["docs/tutorials/quick-start.md", "docs/development.md"];

/// What cannot run here, and why.
const NOT_HERE: [(&str, &str); 11] = [
    ("cargo run", "builds and starts this project"),
    ("cargo install", "builds this project"),
    ("tests/run", "runs all tests"),
    ("rollout status", "no kubelet runs here"),
    ("describe pod POD", "no kubelet runs here"),
    ("logs POD --tail", "no kubelet runs here"),
    ("logs POD --previous", "no kubelet runs here"),
    ("/pods/POD:8080/proxy", "no kubelet runs here"),
    ("annotate --overwrite pushsecret", "External Secrets is not installed"),
    ("https://npm.corp.example", "there is no such registry"),
    (
        "helm install artifact-token-operator charts/artifact-token-operator --namespace artifact-tokens --create-namespace \\",
        "is installed already",
    ),
];

/// What is a little different here, and why.
const INSTEAD: [(&str, &str); 8] = [
    // There is no terminal on which to type the name.
    ("revoke npm -n ci", "revoke npm -n ci --confirm npm"),
    ("revoke ci -n shop", "revoke ci -n shop --confirm ci"),
    ("pass show seal/ci", "cat"),
    // The dates of the documents will be over.
    ("2027-", "2037-"),
    // It would watch for ever.
    ("list -n ci -o wide --watch", "list -n ci -o wide --watch & sleep 2; kill $!"),
    // What comes after it is not about a suspended service.
    (
        "suspend tokenservice/internal-registry -n shop",
        "suspend tokenservice/internal-registry -n shop; kubectl artifact-token resume tokenservice/internal-registry -n shop",
    ),
    // No kubelet runs the Job that looks whether tokens are left. Two pages end with the uninstall.
    ("helm uninstall artifact-token-operator", "helm uninstall artifact-token-operator --no-hooks --ignore-not-found"),
    ("delete -f crds/", "delete -f crds/ --timeout=60s"),
];

/// What ends with 1: the answer `no`, and a doctor who misses the pods that no kubelet runs.
const ENDS_WITH_1: [&str; 2] = [
    "kubectl auth can-i create tokenservices.artifact-token.dev -n payments --as-group payments-developers --as somebody",
    "kubectl artifact-token doctor",
];

/// What must be among the answers.
const SAID: [&str; 5] = ["NamespaceNotAllowed", "HandOverDue", "is dead", "no\n", "customresourcedefinition"];

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_documents_runs() {
    let shell = Shell::start(Arc::new(own_plane().await));
    let mut commands = commands();
    commands.sort_by_key(|command| rank(command));
    let first_of_life = commands.iter().position(|command| rank(command) > 0).unwrap();
    let first_of_end = commands.iter().position(|command| rank(command) > 1).unwrap();
    let mut said = String::new();
    for command in &commands[..first_of_life] {
        said += &shell.run(command, "");
    }
    let mut world = shell.world().await;
    let _operator = operator(&world).await;
    furnish(&world).await;
    until_settled(&mut world).await;
    for (number, command) in commands[first_of_life..first_of_end].iter().enumerate() {
        // Whatever asks for a value gets that of a token that somebody made by hand.
        let (_, value) = world.generate_as(&format!("by hand {number}")).await;
        said += &shell.run(command, &value);
    }
    // Nobody else may revoke them.
    for row in world.service.live().await.unwrap().into_iter().filter(|row| row.name.starts_with("by hand")) {
        world.revoke_by_person(&row.id).await;
    }
    for command in &commands[first_of_end..] {
        said += &shell.run(command, "");
    }
    assert!(world.service.live().await.unwrap().is_empty(), "the documents say how to leave no token");
    for sign in SAID {
        assert!(said.contains(sign), "nothing said {sign:?}:\n{said}");
    }
    figure(&format!("the documents: {} commands on a control plane", commands.len()));
}

/// All that can run here, as it runs here.
fn commands() -> Vec<String> {
    let (mut commands, mut used) = (Vec::new(), BTreeSet::new());
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for mut command in blocks(&text).iter().flat_map(Block::commands) {
            if let Some((part, _)) = NOT_HERE.iter().find(|(part, _)| command.contains(part)) {
                used.insert(*part);
                continue;
            }
            for (part, instead) in &INSTEAD {
                if command.contains(part) {
                    used.insert(*part);
                    command = command.replace(part, instead);
                }
            }
            commands.push(command);
        }
    }
    let listed = NOT_HERE.iter().chain(&INSTEAD).map(|(part, _)| *part);
    let unused: Vec<_> = listed.filter(|part| !used.contains(part)).collect();
    assert!(unused.is_empty(), "no page says {unused:?} any more");
    commands
}

/// Installation comes first, uninstallation last.
fn rank(command: &str) -> u8 {
    if command.contains("delete -f crds/") {
        3
    } else if command.contains("helm uninstall") || command.contains("kubectl delete ") {
        2
    } else {
        u8::from(!command.starts_with("helm install"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages of the documents, in the order of the table of contents.
fn pages() -> Vec<String> {
    let contents = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let links = contents.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let all = ["README.md".to_owned()].into_iter().chain(links.map(|link| format!("docs/{link}")));
    all.filter(|page| !ELSEWHERE.contains(&page.as_str())).collect()
}

/// The folders of `jq` and of its libraries, where `PATH` has none.
fn unpacked_jq() -> Option<(PathBuf, PathBuf)> {
    if Command::new("jq").arg("--version").output().is_ok() {
        return None;
    }
    let package = debian::unpacked("jq", &["jq", "libjq1", "libonig5"]).unwrap();
    // One folder, of the machine's kind.
    let libraries = fs::read_dir(package.join("usr/lib")).unwrap().next().unwrap().unwrap().path();
    Some((package.join("usr/bin"), libraries))
}

/// A shell in a folder with what the documents name.
struct Shell {
    plane: Arc<ControlPlane>,
    folder: RunFolder,
}

impl Shell {
    fn start(plane: Arc<ControlPlane>) -> Self {
        let folder = RunFolder::create("documents").unwrap();
        for name in ["charts", "crds", "examples"] {
            symlink(root().join(name), folder.file(name)).unwrap();
        }
        fs::create_dir_all(folder.file(".cargo/bin")).unwrap();
        Self { plane, folder }
    }

    /// What the command printed. It must succeed.
    fn run(&self, command: &str, input: &str) -> String {
        let (helm, kubectl) = (self.plane.helm().unwrap(), self.plane.kubectl().unwrap());
        let plugin = binary("kubectl-artifact_token");
        let folder = |program: &Path| program.parent().unwrap().display().to_string();
        let mut path =
            vec![folder(Path::new(helm.get_program())), folder(Path::new(kubectl.get_program())), folder(&plugin)];
        let mut shell = Command::new("timeout");
        // `head` may end before all is written.
        shell.args(["120", "bash", "-ec", &format!("exec 2>&1\n{command}\n")]).current_dir(self.folder.path());
        for (name, value) in helm.get_envs().chain(kubectl.get_envs()).filter_map(|(name, value)| Some((name, value?)))
        {
            shell.env(name, value);
        }
        if let Some((programs, libraries)) = unpacked_jq() {
            path.push(programs.display().to_string());
            shell.env("LD_LIBRARY_PATH", libraries);
        }
        shell.env("HOME", self.folder.path());
        shell.env("PATH", format!("{}:{}", path.join(":"), std::env::var("PATH").unwrap_or_default()));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        // Who reads nothing may be gone.
        _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let expected = i32::from(ENDS_WITH_1.contains(&command));
        assert!(output.status.code() == Some(expected), "{command}\nended with {}:\n{said}", output.status);
        assert!(input.is_empty() || !said.contains(input), "{command} printed the value:\n{said}");
        said
    }

    /// The namespace `ci` of the documents.
    async fn world(&self) -> World {
        let client = self.plane.client().await.unwrap();
        for namespace in ["ci", "shop", "payments", "other"] {
            let yaml = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            cluster::apply(&client, &yaml.to_string(), "default").await.unwrap();
        }
        let service = testbed::ReferenceService::start(binary("reference-service")).await.unwrap();
        let world = World { plane: Arc::clone(&self.plane), client, service, namespace: "ci".to_owned() };
        let file = format!(
            "{}---\n{}",
            credential_yaml(world.service.admin_key()),
            token_service("internal-registry", &world.service.base_url(), |_| {})
        );
        fs::write(self.folder.file("service.yaml"), file).unwrap();
        world
    }
}

/// One that leads where the chart is installed, with the times of tests.
async fn operator(world: &World) -> Operator {
    let mut options = world.operator_options();
    options.arguments.retain(|argument| !argument.starts_with("--namespaces"));
    let options = options.argument("--leader-election=on").argument(format!("--operator-namespace={NAMESPACE}"));
    Operator::start(options).await.unwrap()
}

/// The objects that the documents name.
async fn furnish(world: &World) {
    let url = world.service.base_url();
    let apply = async |namespace: &str, yaml: String| {
        cluster::apply(&world.client, &yaml, namespace).await.unwrap_or_else(|error| panic!("{error:#}\n{yaml}"));
    };
    let by_hand = token_service("by-hand", &url, |spec| {
        spec["preset"] = json!("Custom");
        spec["operations"] =
            json!({"verify": reference_operations()["verify"], "page": "https://pages.example/tokens"});
        spec.as_object_mut().unwrap().retain(|field, _| field != "credentials" && field != "naming");
    });
    for namespace in ["ci", "shop", "payments", NAMESPACE] {
        apply(namespace, credential_yaml(world.service.admin_key())).await;
        apply(namespace, by_hand.clone()).await;
    }
    apply("ci", token_service("npm", &url, |_| {})).await;
    apply("shop", token_service("internal-registry", &url, |_| {})).await;
    let of_ci = |spec: &mut serde_json::Value| spec["allowedNamespaces"] = json!({"from": "Names", "names": ["ci"]});
    apply("", cluster_token_service("npm", &url, of_ci)).await;
    let token = |name: &str, service: &str, kind: &str| {
        artifact_token(name, |spec| {
            spec["serviceRef"] = json!({"kind": kind, "name": service});
            spec["secret"]["name"] = json!(format!("{name}-token"));
        })
    };
    apply("ci", token("npm", "npm", "TokenService")).await;
    apply("ci", token("seal-prod", "npm", "ClusterTokenService")).await;
    apply("ci", token("seal", "by-hand", "TokenService")).await;
    apply("other", token("npm", "npm", "ClusterTokenService")).await;
    apply("payments", token("ci-seal", "by-hand", "TokenService")).await;
    apply("shop", token("stock", "by-hand", "TokenService")).await;
    let labelled = token("ci", "internal-registry", "TokenService");
    apply("shop", labelled.replacen("\"metadata\":{", "\"metadata\":{\"labels\":{\"team\":\"ci\"},", 1)).await;
}

async fn until_settled(world: &mut World) {
    for (namespace, name) in [("ci", "npm"), ("ci", "seal-prod"), ("shop", "ci")] {
        namespace.clone_into(&mut world.namespace);
        world.until_ready(name).await;
    }
    for (namespace, name) in [("ci", "seal"), ("shop", "stock"), ("payments", "ci-seal")] {
        namespace.clone_into(&mut world.namespace);
        world.until_reason(name, ConditionType::HandOverDue, Reason::HandOverDue).await;
    }
    "other".clone_into(&mut world.namespace);
    world.until_reason("npm", ConditionType::Stalled, Reason::NamespaceNotAllowed).await;
}
