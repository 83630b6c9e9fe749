//! Which ArtifactTokens an uninstall of the operator would leave behind. Their tokens would live on, and the objects could not go: only the
//! operator takes its finalizer off.

use std::fmt::{self, Display};

use kube::{Api, ResourceExt};

use crate::api::artifact_token::ArtifactToken;
use crate::controller::error::{StartError, describe};
use crate::controller::live_tokens::paged;
use crate::controller::world::World;

/// Objects that the text names. A reader takes in no more, and a pod's message has room for 4096 bytes.
const MAX_NAMED: usize = 20;

/// The ArtifactTokens that are left, at least one. Its text says what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftTokens(Vec<(String, String)>);

/// The ArtifactTokens of the namespaces in `scopes`, or of all with `None`; `None` if there are none. A cluster without the CRDs has none.
///
/// # Errors
/// When the API server does not list them.
pub async fn left_tokens(world: &World, scopes: &[Option<String>]) -> Result<Option<LeftTokens>, StartError> {
    let mut left = Vec::new();
    for scope in scopes {
        let client = world.requests.clone();
        let api: Api<ArtifactToken> = match scope {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        match paged(&api).await {
            Ok(tokens) => {
                left.extend(tokens.iter().map(|token| (token.namespace().unwrap_or_default(), token.name_any())))
            }
            // Not `is_not_found`: for a kind that it does not serve, the API server answers with a plain text.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(StartError::List { kind: "ArtifactToken".to_owned(), why: describe(&error) }),
        }
    }
    Ok((!left.is_empty()).then_some(LeftTokens(left)))
}

impl Display for LeftTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(left) = self;
        let count = left.len();
        let are = if count == 1 { "1 ArtifactToken is".to_owned() } else { format!("{count} ArtifactTokens are") };
        writeln!(f, "{are} left. Without the operator nobody revokes their tokens, and they cannot be deleted:")?;
        for (namespace, name) in left.iter().take(MAX_NAMED) {
            writeln!(f, "  {namespace}/{name}")?;
        }
        if count > MAX_NAMED {
            writeln!(f, "  and {} more", count - MAX_NAMED)?;
        }
        writeln!(f, "Delete them while the operator runs, in each of these namespaces, and uninstall it then:")?;
        write!(f, "  kubectl delete artifacttokens --all --namespace NAMESPACE")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_what_is_left_up_to_a_limit_and_says_what_to_do() {
        let check = |count: usize, has: &[&str], has_not: &str| {
            let left = LeftTokens((0..count).map(|number| ("ci".to_owned(), format!("token-{number}"))).collect());
            let text = left.to_string();
            for part in has {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert!(!text.contains(has_not), "{has_not}: {text}");
            assert!(text.ends_with("kubectl delete artifacttokens --all --namespace NAMESPACE"), "{text}");
        };
        check(1, &["1 ArtifactToken is left", "  ci/token-0\n"], "more");
        check(20, &["20 ArtifactTokens are left", "  ci/token-19\n"], "more");
        check(21, &["21 ArtifactTokens are left", "  ci/token-19\n", "  and 1 more\n"], "token-20");
    }
}
