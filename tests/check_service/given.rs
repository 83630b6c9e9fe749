//! Where the object, the credentials and the authorities come from, and what the person is told of what is wrong with them.

use std::process::Stdio;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use support::World;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Bench, LIFETIME, Told};

fn certificate() -> String {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()
}

/// The service behind TLS with this certificate; its URL.
async fn behind_tls(bench: &Bench, certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> String {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = bench.service.base_url().replace("http://", "");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, to) = (acceptor.clone(), to.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut service = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut service).await;
            });
        }
    });
    format!("https://localhost:{port}")
}

#[tokio::test]
async fn the_authority_stands_in_the_file_and_without_it_the_certificate_is_refused() {
    let bench = Bench::start().await;
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let url = behind_tls(&bench, &certified).await;
    let told = bench.check(|object| object["spec"]["baseURL"] = json!(url)).await;
    told.assert(1, &["its certificate is from an authority that is not known here", "spec.connection.caBundleRef"]);
    bench.assert_clean(0, &told).await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": certified.cert.pem()}});
    let object = bench.object(|object| {
        object["spec"]["baseURL"] = json!(url);
        object["spec"]["connection"]["caBundleRef"] = json!({"name": "ca", "key": "ca.crt"});
    });
    let told = bench.run(bench.command(&[object, bench.secret(), map], &[LIFETIME])).await;
    told.assert(0, &["The CA bundle is from the ConfigMap ca in the file."]);
    bench.assert_clean(1, &told).await;
}

#[tokio::test]
async fn what_is_no_tls_and_what_is_sent_in_clear_text_is_refused() {
    let bench = Bench::start().await;
    let url = bench.service.base_url();
    let told = bench.check(|object| object["spec"]["baseURL"] = json!(url.replace("http://", "https://"))).await;
    told.assert(1, &["it does not speak TLS"]);
    let told = bench.check(|object| object["spec"]["connection"] = json!({})).await;
    told.assert(1, &["spec.baseURL: credentials would be sent in clear text: use https://"]);
    let told = bench.check(|object| object["spec"]["baseURL"] = json!("http://169.254.169.254")).await;
    told.assert(1, &["spec.baseURL: 169.254.169.254 is"]);
    bench.assert_clean(0, &told).await;
}

#[tokio::test]
async fn a_declaration_that_is_none_is_told_with_each_field() {
    let bench = Bench::start().await;
    let told = bench
        .check(|object| {
            object["spec"]["baseUrl"] = json!("x");
            object["spec"]["operations"] = json!({"verify": {"request": {"method": "GET", "path": "/me", "header": {"a": "b"}}, "accepted": {"statuses": [200]}}});
        })
        .await;
    told.assert(
        1,
        &["spec.baseUrl: is no field", "spec.operations.verify.request.header: is no field: correct or remove it"],
    );
    let told = bench
        .check(|object| {
            object["spec"]["operations"] = json!({"revoke": {"request": {"method": "DELETE", "path": "/v1/tokens"}}});
            object["spec"]["naming"] = json!({});
        })
        .await;
    told.assert(
        1,
        &["the declaration is wrong:\n", "\n  spec.operations.revoke.request", "\n  spec.naming.prefix: is required"],
    );
    let told =
        bench.check(|object| object["spec"]["credentials"] = json!({"adminKey": "secret-in-the-wrong-place"})).await;
    told.assert(1, &["spec.credentials.adminKey: write {name: SECRET, key: KEY}"]);
    assert!(!told.text.contains("secret-in"), "{}", told.text);
    bench.assert_clean(0, &told).await;
}

#[tokio::test]
async fn what_is_no_usage_ends_with_2_and_shows_no_value() {
    let bench = Bench::start().await;
    let (object, secret) = (bench.object(|_| {}), bench.secret());
    let key = bench.service.admin_key();
    let shared = bench.object(|object| object["kind"] = json!("ClusterTokenService"));
    let usage = async |objects: &[serde_json::Value], arguments: &[&str], wanted: &str| {
        bench.run(bench.command(objects, arguments)).await.assert(2, &[wanted]);
    };
    let both = [object.clone(), secret.clone()];
    usage(
        &[object.clone(), shared.clone(), secret.clone()],
        &[],
        "(TokenService registry, ClusterTokenService registry): pick one",
    )
    .await;
    usage(&[secret], &[], "has no TokenService").await;
    usage(&both, &[key], "a value is no argument").await;
    usage(&both, &["--credential", key], "--credential: write NAME=FILE").await;
    usage(&both, &["--credential", &format!("apiKey={key}")], "a credential that the declaration uses (adminKey)")
        .await;
    usage(&both, &["--credential", &format!("adminKey={key}")], "the file cannot be read (entity not found)").await;
    usage(&both, &["--token-file", key], "--token-file: the file cannot be read").await;
    usage(&both, &["--lifetime", "30d"], "--lifetime: write Never or a duration").await;
    usage(&both, &["--parameter", "scope=read"], "--parameter: the service has no parameter scope: it knows scopes")
        .await;
    usage(&[shared], &[], "say which that is with --namespace").await;
    let told = bench.run(bench.command(&[object], &[])).await;
    told.assert(1, &["the Secret registry-admin is not in the file", "or write --credential adminKey=FILE"]);
    bench.assert_clean(0, &told).await;
}

#[tokio::test]
async fn a_credential_comes_from_a_file_or_from_standard_input() {
    let bench = Bench::start().await;
    let object = bench.object(|_| {});
    let file = bench.write("key", &format!("{}\n", bench.service.admin_key()));
    let from_file = format!("--credential=adminKey={}", file.display());
    let told = bench
        .run(bench.command(std::slice::from_ref(&object), &[LIFETIME, &from_file, r#"--parameter=scopes=["read"]"#]))
        .await;
    told.assert(0, &["The credential adminKey is from the command line.", "\"scopes\": [\"read\"]"]);
    let mut command = bench.command(&[object], &[LIFETIME, "--credential=adminKey=-"]);
    command.stdin(Stdio::from(std::fs::File::open(file).unwrap()));
    let told = bench.run(command).await;
    told.assert(0, &["The credential adminKey is from the command line."]);
    bench.assert_clean(2, &told).await;
}

#[tokio::test]
async fn what_is_not_in_the_file_comes_from_the_cluster() {
    let world = World::bare("check-service").await;
    let bench = Bench { service: world.service, folder: testbed::folder::RunFolder::create("check-service").unwrap() };
    let kubeconfig = world.plane.kubeconfig_path().unwrap();
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: registry-admin}}\nstringData: {{key: \"{}\"}}\n",
        bench.service.admin_key()
    );
    testbed::cluster::apply(&world.client, &secret, &world.namespace).await.unwrap();
    let run = async |object: &serde_json::Value, arguments: &[&str]| -> Told {
        let mut command = bench.command(std::slice::from_ref(object), &[&[LIFETIME], arguments].concat());
        command.env("KUBECONFIG", &kubeconfig);
        bench.run(command).await
    };
    let namespace = format!("--namespace={}", world.namespace);
    let source = format!("The credential adminKey is from the Secret registry-admin of namespace {}.", world.namespace);
    let shared = bench.object(|object| object["kind"] = json!("ClusterTokenService"));
    for object in [bench.object(|_| {}), shared] {
        run(&object, &[&namespace]).await.assert(0, &[&source]);
    }
    let placed = bench.object(|object| object["metadata"]["namespace"] = json!(world.namespace));
    run(&placed, &[]).await.assert(0, &[&source]);
    run(&placed, &["--namespace=elsewhere"])
        .await
        .assert(2, &["--namespace elsewhere: the TokenService is in the namespace"]);
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": certificate()}});
    testbed::cluster::apply(&world.client, &map.to_string(), &world.namespace).await.unwrap();
    let trusting = |key: &str| {
        bench.object(|object| object["spec"]["connection"]["caBundleRef"] = json!({"name": "ca", "key": key}))
    };
    let source = format!("The CA bundle is from the ConfigMap ca of namespace {}.", world.namespace);
    run(&trusting("ca.crt"), &[&namespace]).await.assert(0, &[&source]);
    run(&trusting("tls.crt"), &[&namespace])
        .await
        .assert(1, &["there is no ConfigMap ca with the key tls.crt in namespace"]);
    let absent = bench.object(|object| object["spec"]["credentials"]["adminKey"]["name"] = json!("absent"));
    let told = run(&absent, &[&namespace]).await;
    told.assert(1, &["spec.credentials.adminKey: there is no Secret absent in namespace"]);
    bench.assert_clean(4, &told).await;
}
