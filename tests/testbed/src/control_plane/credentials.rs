//! Users and their tokens, kubeconfigs, and the key of service account tokens.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;

use super::{ADMIN, CONTROLLER_MANAGER};
use crate::folder::RunFolder;
use crate::http;
use crate::random::random_hex;

/// The bytes before the point of a P-256 public key in the format SubjectPublicKeyInfo (RFC 5480, section 2).
const P256_PUBLIC_KEY_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Characters a line of PEM (RFC 7468).
const PEM_LINE: usize = 64;

#[derive(Debug)]
struct User {
    name: String,
    token: String,
    kubeconfig: PathBuf,
}

/// The users of one control plane.
#[derive(Debug)]
pub(crate) struct Credentials {
    users: Vec<User>,
    /// The static token file of kube-apiserver.
    pub(crate) tokens: PathBuf,
    /// The private key of service account tokens.
    pub(crate) signing_key: PathBuf,
    /// Its public key.
    pub(crate) verifying_key: PathBuf,
    /// The folder in which kube-apiserver puts its own certificate.
    pub(crate) certificates: PathBuf,
}

impl Credentials {
    pub(crate) fn create(folder: &RunFolder, users: &[(String, Vec<String>)]) -> Result<Self> {
        let all_rights = vec![String::from("system:masters")];
        let own = [(ADMIN.to_owned(), all_rights.clone()), (CONTROLLER_MANAGER.to_owned(), all_rights)];
        let mut rows = String::new();
        let mut created = Vec::new();
        for (index, (name, groups)) in own.iter().chain(users).enumerate() {
            let token = random_hex(16)?;
            // Columns: token, user, uid, groups in quotes.
            rows.push_str(&format!("{token},{name},{index},\"{}\"\n", groups.join(",")));
            let kubeconfig = folder.file(&format!("kubeconfig-{index}.yaml"));
            created.push(User { name: name.clone(), token, kubeconfig });
        }
        let this = Self {
            users: created,
            tokens: folder.file("tokens.csv"),
            signing_key: folder.file("service-accounts.key"),
            verifying_key: folder.file("service-accounts.pub"),
            certificates: folder.file("certificates"),
        };
        fs::write(&this.tokens, rows).context("write the users' tokens")?;
        write_key_pair(&this.signing_key, &this.verifying_key)?;
        Ok(this)
    }

    /// The server's certificate; it exists once the server has started.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.certificates.join("apiserver.crt")
    }

    fn user(&self, name: &str) -> Result<&User> {
        self.users.iter().find(|user| user.name == name).ok_or_else(|| anyhow!("no user {name} was declared"))
    }

    pub(crate) fn kubeconfig(&self, user: &str) -> Result<PathBuf> {
        Ok(self.user(user)?.kubeconfig.clone())
    }

    /// The `Authorization` value of a user.
    pub(crate) fn bearer(&self, user: &str) -> Result<String> {
        Ok(format!("Bearer {}", self.user(user)?.token))
    }

    /// An HTTP client that trusts the server's certificate and no other.
    pub(crate) fn client(&self) -> Result<reqwest::Client> {
        let pem = fs::read(self.certificate()).context("read the server's certificate")?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).context("parse the server's certificate")?;
        http::builder().tls_certs_only(certificates).build().context("build an HTTP client")
    }

    /// Writes a kubeconfig for every user.
    pub(crate) fn write_kubeconfigs(&self, url: &str) -> Result<()> {
        self.users.iter().try_for_each(|user| self.write_kubeconfig(&user.name, url, &user.kubeconfig))
    }

    /// Writes a kubeconfig with everything inside, so that it can be copied elsewhere.
    pub(crate) fn write_kubeconfig(&self, user: &str, url: &str, file: &Path) -> Result<()> {
        let user = self.user(user)?;
        self.write_kubeconfig_with(&user.name, &user.token, url, file)
    }

    /// The same for a token that was not declared, such as that of a service account.
    pub(crate) fn write_kubeconfig_with(&self, user: &str, token: &str, url: &str, file: &Path) -> Result<()> {
        let pem = fs::read(self.certificate()).context("read the server's certificate")?;
        let certificate = data_encoding::BASE64.encode(&pem);
        // Every JSON text is YAML, and every reader of kubeconfigs accepts it.
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "testbed", "cluster": {"server": url, "certificate-authority-data": certificate}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
            "current-context": "testbed",
        });
        fs::write(file, kubeconfig.to_string()).context("write a kubeconfig")
    }
}

/// Writes an ECDSA P-256 key pair. Both files, because kube-apiserver verifies with a public key only in this form.
fn write_key_pair(private: &Path, public: &Path) -> Result<()> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| anyhow!("generate a P-256 key"))?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).map_err(|_| anyhow!("read a P-256 key"))?;
    let point = [&P256_PUBLIC_KEY_PREFIX, pair.public_key().as_ref()].concat();
    fs::write(private, pem("PRIVATE KEY", key.as_ref())).context("write the service account key")?;
    fs::write(public, pem("PUBLIC KEY", &point)).context("write the service account public key")
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = data_encoding::BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (index, character) in base64.chars().enumerate() {
        if index > 0 && index % PEM_LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}
