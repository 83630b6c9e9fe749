//! The image, made without a container engine: what is in it, and that the operator runs with nothing else around it.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::World;
use testbed::folder::RunFolder;
use testbed::{Operator, operator};

use crate::run;

/// What the image is for.
const PROGRAMS: [&str; 2] = [env!("CARGO_BIN_EXE_artifact-token-operator"), env!("CARGO_BIN_EXE_reference-service")];
/// The largest archive, in bytes.
const MOST: u64 = 25 << 20;
/// The user of the image. Nobody has rights under this number.
const USER: &str = "65532:65532";

/// The image, packed and unpacked.
struct Image {
    folder: RunFolder,
}

fn script(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("image").join(name))
}

impl Image {
    /// Builds the image with the programs of this build, and unpacks it as a container runtime does.
    fn build() -> Self {
        let image = Self { folder: RunFolder::create("image").unwrap() };
        run(script("root").arg(image.folder.file("files")).args(PROGRAMS));
        image.pack("archive.tar");
        for folder in ["archive", "root"] {
            fs::create_dir(image.folder.file(folder)).unwrap();
        }
        run(Command::new("tar")
            .arg("-xf")
            .arg(image.folder.file("archive.tar"))
            .arg("-C")
            .arg(image.folder.file("archive")));
        let layer = image.blob(image.manifest()["layers"][0]["digest"].as_str().unwrap());
        run(Command::new("tar").arg("-xpzf").arg(layer).arg("-C").arg(image.root()));
        image
    }

    fn pack(&self, archive: &str) {
        let (files, archive) = (self.folder.file("files"), self.folder.file(archive));
        run(script("archive").arg(files).arg(archive).arg("operator:1.2.3"));
    }

    fn root(&self) -> PathBuf {
        self.folder.file("root")
    }

    /// A part of the archive, which has its own digest as its name.
    fn blob(&self, digest: &str) -> PathBuf {
        let path = self.folder.file("archive").join("blobs").join(digest.replace(':', "/"));
        let found = HEXLOWER.encode(&Sha256::digest(fs::read(&path).unwrap()));
        assert_eq!(format!("sha256:{found}"), digest);
        path
    }

    fn json(path: PathBuf) -> Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    fn manifest(&self) -> Value {
        let index = Self::json(self.folder.file("archive").join("index.json"));
        Self::json(self.blob(index["manifests"][0]["digest"].as_str().unwrap()))
    }

    fn config(&self) -> Value {
        Self::json(self.blob(self.manifest()["config"]["digest"].as_str().unwrap()))
    }

    /// Every file, from the root.
    fn files(&self) -> BTreeSet<String> {
        let listed = run(Command::new("find").arg(self.root()).args(["-not", "-type", "d", "-printf", "/%P\n"]));
        listed.lines().map(str::to_owned).collect()
    }
}

/// Whether nothing but one of the system's libraries.
fn is_library(file: &str) -> bool {
    file.starts_with("/lib") && file.contains(".so")
}

#[test]
fn the_image_has_the_programs_their_libraries_the_authorities_and_a_user_and_nothing_else() {
    let image = Image::build();
    let files = image.files();
    let others: Vec<_> = files.iter().filter(|file| !is_library(file)).map(String::as_str).collect();
    assert_eq!(
        others,
        [
            "/bin/artifact-token-operator",
            "/bin/reference-service",
            "/etc/group",
            "/etc/nsswitch.conf",
            "/etc/passwd",
            "/etc/ssl/certs/ca-certificates.crt"
        ]
    );
    let size = fs::metadata(image.folder.file("archive.tar")).unwrap().len();
    println!("figure: the image of this build has {:.1} MiB", size as f64 / f64::from(1 << 20));
    assert!(size <= MOST, "{size} bytes");
    let writable = ["-perm", "/022", "-not", "-name", "tmp", "-printf", "/%P "];
    assert_eq!(run(Command::new("find").arg(image.root()).args(writable)), "", "others may write this");
    let special = ["-perm", "/6000", "-printf", "/%P "];
    assert_eq!(run(Command::new("find").arg(image.root()).args(special)), "", "this gives rights to who runs it");
}

#[test]
fn the_settings_are_those_of_the_containerfile() {
    let image = Image::build();
    let config = &image.config()["config"];
    assert_eq!(config["User"], USER);
    assert_eq!(config["Entrypoint"], json!(["/bin/artifact-token-operator"]));
    assert_eq!(config["ExposedPorts"], json!({"8080/tcp": {}}));
    let labels = config["Labels"].as_object().unwrap();
    assert_eq!(labels["org.opencontainers.image.version"], "1.2.3");
    assert_eq!(labels["org.opencontainers.image.licenses"], "Apache-2.0");
    assert_eq!(labels["org.opencontainers.image.title"], "artifact-token-operator");
    image.pack("again.tar");
    let same = |name: &str| fs::read(image.folder.file(name)).unwrap();
    assert!(same("archive.tar") == same("again.tar"), "the same files make the same archive");
}

/// A program that runs another one with nothing but the image around it, as the image's user.
fn contained(image: &Image, program: &str) -> PathBuf {
    let path = image.folder.file("contained");
    let user = run(Command::new("id").arg("-u"));
    // Who is not root becomes root of a namespace of its own, which has no other users.
    let enter = if user.trim() == "0" { format!("chroot --userspec={USER}") } else { "unshare -r chroot".to_owned() };
    let text = format!("#!/bin/sh\nexec {enter} {} {program} \"$@\"\n", image.root().display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_runs_with_nothing_but_the_image_around_it() {
    let world = World::bare("image").await;
    let image = Image::build();
    let inside = image.root().join("kubeconfig");
    fs::copy(world.plane.kubeconfig_path().unwrap(), &inside).unwrap();
    fs::set_permissions(&inside, Permissions::from_mode(0o644)).unwrap();
    let program = contained(&image, "/bin/artifact-token-operator");
    let options = operator::Options::new(program, "/kubeconfig").argument(format!("--namespaces={}", world.namespace));
    let operator = Operator::start(options).await.unwrap();
    assert!(operator.log().contains("ready"), "{}", operator.log());
}

#[test]
fn the_reference_service_runs_in_it_too() {
    let image = Image::build();
    assert_eq!(image.config()["config"]["Env"], json!(["PATH=/bin"]), "the chart names the program without its folder");
    let help = run(Command::new(contained(&image, "/bin/reference-service")).arg("--help"));
    assert!(help.contains("--admin-key"), "{help}");
}
