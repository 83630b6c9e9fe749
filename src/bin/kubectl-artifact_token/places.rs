//! Where a person finds a token at its service, if no operator is there to act.

use artifact_token_operator::api::artifact_token::ArtifactToken;

use super::target::Target;

/// What a person can do alone: the tokens of these objects, and their services.
pub fn by_hand(targets: &[Target]) -> String {
    let tokens: Vec<String> =
        targets.iter().filter_map(|target| target.token().ok()).filter_map(|token| place(&token)).collect();
    if tokens.is_empty() {
        return "Start it: kubectl artifact-token doctor says what it lacks".to_owned();
    }
    format!("Start it, or act at the service: {}", tokens.join("; "))
}

/// Its id, and where the service is, as the operator recorded both.
fn place(token: &ArtifactToken) -> Option<String> {
    let ledger = &token.status.as_ref()?.ledger;
    let current = ledger.current.as_ref()?;
    let hint = current.hint.as_deref().map(|hint| format!(", {hint}")).unwrap_or_default();
    let service = &token.spec.service_ref;
    let origin = ledger.service.as_ref().map_or_else(String::new, |service| format!(" at {}", service.origin));
    let name = token.metadata.name.as_deref().unwrap_or_default();
    Some(format!(
        "the token of {name} has the id {}{hint}{origin} ({} {})",
        current.id,
        service.kind.name(),
        service.name
    ))
}
