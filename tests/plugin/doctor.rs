//! What the doctor finds in a cluster with and without an operator.

use crate::session::{Session, token_yaml};

#[tokio::test]
async fn the_doctor_names_what_is_wrong_and_what_to_do() {
    let mut session = Session::with_service("plugin-doctor").await;
    session.call("artifact-token-operator_", "HOLDER_");
    session.world.apply(&token_yaml("ci")).await;
    let (code, told) = session.run("doctor -n $NS");
    assert_eq!(code, 1, "nobody has looked at the objects: {told}");
    for line in [
        "ok    Kubernetes 1.",
        "ok    the clocks of this machine and of the API server agree",
        "ok    CRD artifacttokens.artifact-token.dev",
        "BAD   no operator leads: there is no Lease",
        "BAD   artifacttoken/",
    ] {
        assert!(told.contains(line), "{line:?} is not in:\n{told}");
    }
    let _operator = session.operator().await;
    session.world.until_ready("ci").await;
    let (code, told) = session.run("doctor -n $NS");
    assert_eq!(code, 0, "{told}");
    for line in
        ["ok    an operator leads: ", "ok    tokenservices: 1 of 1 are well", "ok    artifacttokens: 1 of 1 are well"]
    {
        assert!(told.contains(line), "{line:?} is not in:\n{told}");
    }
    assert!(!told.contains("BAD"), "{told}");
}

#[tokio::test]
async fn before_an_installation_the_doctor_looks_at_the_rights_of_the_person() {
    let mut session = Session::start("plugin-pre").await;
    let (code, told) = session.run("doctor --pre -o json");
    assert_eq!(code, 0, "{told}");
    let findings: Vec<serde_json::Value> = serde_json::from_str(&told).unwrap();
    let found = |what: &str| findings.iter().any(|finding| finding["what"] == what && finding["verdict"] == "good");
    assert!(found("you may create customresourcedefinitions") && found("you may create deployments"), "{told}");
}
