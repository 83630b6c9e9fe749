//! Where the credentials and the authorities of the trial come from: the command line, the file, or else the cluster.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Read as _};

use anyhow::{Context as _, anyhow, bail};
use artifact_token_operator::api::artifact_token::ServiceKind;
use artifact_token_operator::api::ids::MAX_TOKEN_BYTES;
use artifact_token_operator::api::token_service::{KeyReference, SecretReference};
use artifact_token_operator::service::declaration::Declaration;
use artifact_token_operator::service::material::{ClientCertificate, Material};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use secrecy::{ExposeSecret as _, SecretString};

use super::Arguments;
use super::manifest::{Manifest, credential, name_of};
use crate::end::Usage;

/// The name of a file that stands for standard input.
pub(super) const STANDARD_INPUT: &str = "-";
/// No more of a file with a value is read, so that the wrong one does no harm.
const MAX_INPUT: u64 = 4 * MAX_TOKEN_BYTES as u64;

/// What the operator reads from the cluster.
pub(super) struct Supplies {
    pub credentials: BTreeMap<String, SecretString>,
    pub material: Material,
    /// Where each of them is from.
    pub sources: Vec<String>,
}

/// Where the operator would read them.
struct Store<'a> {
    manifest: &'a Manifest,
    arguments: &'a Arguments,
    namespace: Option<String>,
    cluster: Option<(Client, String)>,
}

/// Gathers them. The cluster is asked only for what is nowhere else.
///
/// # Errors
/// Why one of them is missing, and what to do. No error shows a value.
pub(super) async fn gather(
    manifest: &Manifest,
    declaration: &Declaration,
    arguments: &Arguments,
) -> anyhow::Result<Supplies> {
    let files = files(declaration, arguments)?;
    let namespace = namespace(manifest, arguments)?;
    let mut store = Store { manifest, arguments, namespace, cluster: None };
    let mut supplies = Supplies { credentials: BTreeMap::new(), material: Material::default(), sources: Vec::new() };
    for name in declaration.used_credentials() {
        let (value, source) = match (files.get(name), manifest.spec.credentials.get(name)) {
            (Some(file), _) => {
                let value = read_value(&format!("--credential {name}"), file, arguments)?;
                (credential(&value), "the command line".to_owned())
            }
            (None, Some(KeyReference { name: secret, key })) => {
                let advice = format!("put the Secret into the file, or write --credential {name}=FILE");
                store.value(&format!("spec.credentials.{name}"), secret, key, &advice).await?
            }
            (None, None) => bail!("spec.credentials.{name}: is missing: name the Secret and its key"),
        };
        supplies.credentials.insert(name.to_owned(), value);
        supplies.sources.push(format!("The credential {name} is from {source}."));
    }
    if let Some(SecretReference { name }) = &manifest.spec.connection.client_certificate_ref {
        let (field, advice) = ("spec.connection.clientCertificateRef", "put the Secret into the file");
        let (certificate, source) = store.value(field, name, "tls.crt", advice).await?;
        let (key, _) = store.value(field, name, "tls.key", advice).await?;
        let certificate = certificate.expose_secret().as_bytes().to_vec();
        supplies.material.client_certificate = Some(ClientCertificate { certificate, key });
        supplies.sources.push(format!("The client certificate is from {source}."));
    }
    if let Some(reference) = &manifest.spec.connection.ca_bundle_ref {
        let (bundle, source) = store.bundle(reference).await?;
        supplies.material.ca_bundle = Some(bundle.into_bytes());
        supplies.sources.push(format!("The CA bundle is from {source}."));
    }
    Ok(supplies)
}

/// The files of `--credential`, by name. What is no pair may be a value, so it is not shown.
fn files<'a>(declaration: &Declaration, arguments: &'a Arguments) -> Result<BTreeMap<&'a str, &'a str>, Usage> {
    let mut files = BTreeMap::new();
    let used: Vec<&str> = declaration.used_credentials().collect();
    for pair in &arguments.credentials {
        let (name, file) = pair.split_once('=').unwrap_or_default();
        if !used.contains(&name) {
            let known = if used.is_empty() { "none".to_owned() } else { used.join(", ") };
            return Err(Usage(format!(
                "--credential: write NAME=FILE, where NAME is a credential that the declaration uses ({known}), and FILE has its value"
            )));
        }
        files.insert(name, file);
    }
    Ok(files)
}

/// The namespace where the operator would look; `None` if that is the one of the context.
fn namespace(manifest: &Manifest, arguments: &Arguments) -> Result<Option<String>, Usage> {
    match (&manifest.namespace, &arguments.place.namespace) {
        (Some(own), Some(asked)) if manifest.kind == ServiceKind::TokenService && own != asked => {
            Err(Usage(format!("--namespace {asked}: the TokenService is in the namespace {own}")))
        }
        (Some(own), _) if manifest.kind == ServiceKind::TokenService => Ok(Some(own.clone())),
        (_, asked) => Ok(asked.clone()),
    }
}

impl Store<'_> {
    /// The value of a key of a Secret to which this field refers, and where it is from.
    async fn value(
        &mut self,
        field: &str,
        secret: &str,
        key: &str,
        advice: &str,
    ) -> anyhow::Result<(SecretString, String)> {
        if let Some(found) = self.manifest.credential(secret, key, self.namespace.as_deref()) {
            let value = found.map_err(|why| anyhow!("{field}: {why}"))?;
            return Ok((value, format!("the Secret {secret} in the file")));
        }
        let (client, namespace) = self.cluster(&format!("the Secret {secret}"), advice).await?;
        let found = Api::<Secret>::namespaced(client, &namespace).get_opt(secret).await;
        let found = found.map_err(|error| match error {
            // What cannot be parsed may be the Secret, and the error may show a part of it.
            kube::Error::SerdeError(_) => anyhow!("the Secret {secret} of namespace {namespace} cannot be read"),
            error => anyhow::Error::new(error)
                .context(format!("read the Secret {secret} of namespace {namespace} ({advice})")),
        })?;
        let missing = |what: &str| anyhow!("{field}: {what}: create it, or {advice}");
        let found = found.ok_or_else(|| missing(&format!("there is no Secret {secret} in namespace {namespace}")))?;
        let bytes = found.data.and_then(|mut data| data.remove(key));
        let text = bytes.and_then(|bytes| String::from_utf8(bytes.0).ok());
        let text = text.ok_or_else(|| missing(&format!("the Secret {secret} has no key {key} with text in UTF-8")))?;
        Ok((credential(&text), format!("the Secret {secret} of namespace {namespace}")))
    }

    async fn bundle(&mut self, reference: &KeyReference) -> anyhow::Result<(String, String)> {
        let KeyReference { name: map, key } = reference;
        if let Some(found) = self.manifest.bundle(map, key, self.namespace.as_deref()) {
            return Ok((found.map_err(|why| anyhow!(why))?, format!("the ConfigMap {map} in the file")));
        }
        let (client, namespace) =
            self.cluster(&format!("the ConfigMap {map}"), "put the ConfigMap into the file").await?;
        let found = Api::<ConfigMap>::namespaced(client, &namespace).get_opt(map).await;
        let found = found.with_context(|| format!("read the ConfigMap {map} of namespace {namespace}"))?;
        let text = found.and_then(|map| map.data?.remove(key));
        let text = text.ok_or_else(|| {
            anyhow!(
                "spec.connection.caBundleRef: there is no ConfigMap {map} with the key {key} in namespace {namespace}: create it, with the \
                 certificates in PEM"
            )
        })?;
        Ok((text, format!("the ConfigMap {map} of namespace {namespace}")))
    }

    /// The cluster, connected once, and the namespace where the operator reads.
    async fn cluster(&mut self, what: &str, advice: &str) -> anyhow::Result<(Client, String)> {
        if self.manifest.kind == ServiceKind::ClusterTokenService && self.namespace.is_none() {
            bail!(Usage(format!(
                "{what} is not in the file, and the operator reads what a {} needs in its own namespace: say which that is with --namespace, \
                 or {advice}",
                name_of(self.manifest.kind)
            )));
        }
        if self.cluster.is_none() {
            let connected = self.arguments.place.connect().await;
            let (client, of_context) = connected.with_context(|| format!("{what} is not in the file ({advice})"))?;
            self.cluster = Some((client, self.namespace.clone().unwrap_or(of_context)));
        }
        self.cluster.clone().ok_or_else(|| anyhow!("there is no cluster"))
    }
}

/// A value from a file, or from a prompt that does not show it. What is named as the file may be the value, so it is not shown.
pub(super) fn read_value(flag: &str, file: &str, arguments: &Arguments) -> anyhow::Result<String> {
    let text = if file != STANDARD_INPUT {
        let opened = fs::File::open(file).map_err(|error| {
            Usage(format!("{flag}: the file cannot be read ({}): name a file that has the value", error.kind()))
        })?;
        text(opened, flag)?
    } else if io::stdin().is_terminal() || arguments.filename == STANDARD_INPUT {
        let prompt = format!("The value of {flag}, which is not shown: ");
        rpassword::prompt_password(prompt).with_context(|| format!("{flag}: there is no terminal to ask at"))?
    } else {
        let mut line = String::new();
        // The error of the conversion has the bytes.
        io::stdin().read_line(&mut line).map_err(|_| Usage(format!("{flag}: standard input is no text in UTF-8")))?;
        line
    };
    if text.trim().is_empty() {
        bail!(Usage(format!("{flag}: there is no value")));
    }
    Ok(text)
}

fn text(file: fs::File, flag: &str) -> Result<String, Usage> {
    let mut bytes = Vec::new();
    let read = file.take(MAX_INPUT).read_to_end(&mut bytes);
    read.map_err(|error| Usage(format!("{flag}: the file cannot be read ({})", error.kind())))?;
    String::from_utf8(bytes).map_err(|_| Usage(format!("{flag}: the file is no text in UTF-8")))
}
