//! Objects as the operator and the API server leave them, and what GitOps tools should make of each.

use artifact_token_operator::api::crds;
use serde_json::{Value, json};

/// What Argo CD and Flux should say.
pub struct Situation {
    pub name: String,
    pub object: Value,
    pub argo_cd: &'static str,
    pub flux: &'static str,
}

/// A condition: type, status, reason.
type Parts<'a> = (&'a str, &'a str, &'a str);

fn object(spec: Value, status: Value) -> Value {
    json!({
        "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken",
        "metadata": {"name": "ci", "generation": 3}, "spec": spec, "status": status,
    })
}

fn status(generation: i64, conditions: &[Parts<'_>]) -> Value {
    let condition = |(type_, status, reason): &Parts<'_>| json!({"type": type_, "status": status, "reason": reason, "message": format!("says {type_}")});
    json!({"observedGeneration": generation, "conditions": conditions.iter().map(condition).collect::<Vec<_>>()})
}

fn no(reason: &str) -> Parts<'_> {
    ("Ready", "False", reason)
}

fn reconciling(reason: &str) -> Parts<'_> {
    ("Reconciling", "True", reason)
}

fn stalled(reason: &str) -> Parts<'_> {
    ("Stalled", "True", reason)
}

/// Situations of ArtifactTokens.
pub fn tokens() -> Vec<Situation> {
    let mut all = Vec::new();
    let mut add = |name: &str, spec: Value, status: Value, argo_cd, flux| {
        all.push(Situation { name: name.to_owned(), object: object(spec, status), argo_cd, flux });
    };
    let (working, suspended) = (json!({}), json!({"suspend": true}));
    let ready = ("Ready", "True", "TokenValid");
    // As the API server creates it, by the defaults of the CRD.
    add("just created", working.clone(), json!({"observedGeneration": -1}), "Progressing", "InProgress");
    add("created as suspended", suspended.clone(), json!({"observedGeneration": -1}), "Suspended", "InProgress");
    add("a newer spec", working.clone(), status(2, &[ready]), "Progressing", "InProgress");
    let seen = |conditions: &[Parts<'_>]| status(3, conditions);
    add("issuing", working.clone(), seen(&[no("Issuing"), reconciling("Issuing")]), "Progressing", "InProgress");
    add("ready", working.clone(), seen(&[ready]), "Healthy", "Current");
    add("not probed", working.clone(), seen(&[("Ready", "True", "TokenUnverified")]), "Healthy", "Current");
    add("rotating", working.clone(), seen(&[ready, reconciling("Rotating")]), "Healthy", "Current");
    add(
        "in the overlap",
        working.clone(),
        seen(&[ready, ("RevocationPending", "True", "OverlapActive")]),
        "Healthy",
        "Current",
    );
    add(
        "a failed rotation",
        working.clone(),
        seen(&[ready, ("RotationFailed", "True", "TokenGenerationFailed")]),
        "Healthy",
        "Current",
    );
    add(
        "an unclear answer",
        working.clone(),
        seen(&[ready, ("VerificationUnclear", "True", "AnswerUndeclared")]),
        "Healthy",
        "Current",
    );
    add(
        "a hand-over is due soon",
        working.clone(),
        seen(&[ready, ("HandOverDue", "True", "HandOverDue")]),
        "Healthy",
        "Current",
    );
    add(
        "a hand-over is due now",
        working.clone(),
        seen(&[no("HandOverDue"), ("HandOverDue", "True", "HandOverDue")]),
        "Degraded",
        "Failed",
    );
    add(
        "refused once",
        working.clone(),
        seen(&[("Ready", "Unknown", "RefusalUnconfirmed")]),
        "Progressing",
        "InProgress",
    );
    add("suspended with a token", suspended.clone(), seen(&[ready]), "Suspended", "Current");
    add("suspended without one", suspended.clone(), seen(&[no("Suspended")]), "Suspended", "Current");
    add("stalled with a token", working.clone(), seen(&[ready, stalled("NamespaceNotAllowed")]), "Degraded", "Failed");
    add("deleting", working.clone(), seen(&[no("Deleting"), reconciling("Deleting")]), "Progressing", "InProgress");
    add(
        "not stalled any more",
        working.clone(),
        seen(&[ready, ("Stalled", "False", "InvalidSpec")]),
        "Healthy",
        "Current",
    );
    // Whatever the reason is: what stalls waits for a person, what reconciles does not.
    for reason in reasons() {
        if reason == "Suspended" {
            continue;
        }
        let name = |what: &str| format!("{what} with {reason}");
        add(&name("stalled"), working.clone(), seen(&[no(&reason), stalled(&reason)]), "Degraded", "Failed");
        add(&name("waiting"), working.clone(), seen(&[no(&reason), reconciling(&reason)]), "Progressing", "InProgress");
        add(&name("not ready"), working.clone(), seen(&[no(&reason)]), "Degraded", "Failed");
    }
    all
}

/// Situations of service objects, which have a smaller set of conditions.
pub fn services() -> Vec<Situation> {
    let case = |name: &str, status, argo_cd, flux| Situation {
        name: name.to_owned(),
        object: object(json!({}), status),
        argo_cd,
        flux,
    };
    let rejected = no("CredentialRejected");
    vec![
        case("just created", json!({"observedGeneration": -1}), "Progressing", "InProgress"),
        case("a newer spec", status(2, &[("Ready", "True", "CredentialsAccepted")]), "Progressing", "InProgress"),
        case("well", status(3, &[("Ready", "True", "CredentialsAccepted")]), "Healthy", "Current"),
        case("stalled", status(3, &[rejected, stalled("CredentialRejected")]), "Degraded", "Failed"),
        case(
            "asked again",
            status(3, &[no("ServiceNotReady"), reconciling("ServiceNotReady")]),
            "Progressing",
            "InProgress",
        ),
    ]
}

/// Every reason that the schema knows.
fn reasons() -> Vec<String> {
    let crd = serde_json::to_value(crds().remove(0)).unwrap();
    let at =
        "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/conditions/items/properties/reason/enum";
    let reasons = crd.pointer(at).unwrap().as_array().unwrap();
    reasons.iter().map(|reason| reason.as_str().unwrap().to_owned()).collect()
}
