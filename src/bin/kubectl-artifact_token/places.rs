//! Where a person finds a token at its service, if no operator is there to act.

use artifact_token_operator::api::artifact_token::ArtifactToken;
use kube::ResourceExt as _;

use super::target::Target;

/// So many objects are named.
const NAMED: usize = 20;

/// What a person can do alone: the tokens of these objects that may live, and their services.
pub fn by_hand(targets: &[Target]) -> String {
    let mut tokens: Vec<String> =
        targets.iter().take(NAMED).filter_map(|target| target.token().ok()).filter_map(|token| place(&token)).collect();
    if targets.len() > NAMED {
        tokens.push(format!("and those of {} more, see kubectl artifact-token list", targets.len() - NAMED));
    }
    if tokens.is_empty() {
        return "Start it: kubectl artifact-token doctor says what it lacks".to_owned();
    }
    format!("Start it, or act at the service: {}", tokens.join("; "))
}

/// Their ids, and where the service is, as the operator recorded both.
fn place(token: &ArtifactToken) -> Option<String> {
    let ledger = &token.status.as_ref()?.ledger;
    let named = |id: String, hint: Option<&String>, by_hand: bool| {
        let hint = hint.map(|hint| format!(" {hint}")).unwrap_or_default();
        // A service knows no id of a token that a person made there.
        if by_hand { format!("one made by hand{hint}") } else { format!("id {id}{hint}") }
    };
    let current =
        ledger.current.iter().map(|one| named(one.id.to_string(), one.hint.as_ref(), one.hand_over.is_some()));
    let superseded = ledger.superseded.iter().map(|one| named(one.id.to_string(), one.hint.as_ref(), one.handed_over));
    let tokens: Vec<String> = current.chain(superseded).collect();
    if tokens.is_empty() {
        return None;
    }
    let service = &token.spec.service_ref;
    let origin = ledger.service.as_ref().map_or_else(String::new, |service| format!(" at {}", service.origin));
    let (namespace, name) = (token.namespace().unwrap_or_default(), token.name_any());
    let tokens = tokens.join(", ");
    Some(format!("{namespace}/{name} has {tokens}{origin} ({} {})", service.kind.name(), service.name))
}
