//! What a pass learns from writes of its Secret, and what it puts into them.

use secrecy::SecretString;

use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::token::pass::Pass;
use crate::rotation::desired::Halt;
use crate::rotation::step_kind::StepKind;
use crate::secret::content::{self, DesiredSecret};
use crate::secret::formats::Facts;
use crate::secret::metadata::{MAX_MARKED_IDS, Marks};

use super::access::SecretWrite;

/// Records a real write.
pub(super) fn note(pass: &mut Pass<'_>, write: SecretWrite) {
    match write {
        SecretWrite::Done(secret) => {
            pass.went_well(StepKind::Secret);
            pass.secret_written(Some(*secret));
        }
        SecretWrite::Conflict => pass.secret_written(None),
        SecretWrite::Denied(halt) => {
            pass.secret_written(None);
            pass.pause(StepKind::Secret, halt.reason, &halt.message);
            pass.forbid(halt);
        }
        SecretWrite::Unknown(what) => {
            pass.secret_written(None);
            pass.pause(StepKind::Secret, Reason::SecretUpdateFailed, &what);
        }
    }
}

/// The Secret as the spec wants it with this token.
pub(super) fn rendered(
    pass: &Pass<'_>,
    token: &SecretString,
    marks: &Marks,
    expiration_time: Option<Time>,
) -> Result<DesiredSecret, Halt> {
    let facts = Facts { token, id: marks.token_id.as_ref().map(TokenId::as_str), expiration_time };
    content::desired(&pass.object().spec.secret, pass.owner(), marks, &facts)
        .map_err(|problem| Halt::stalled(Reason::InvalidSpec, problem.to_string()))
}

/// The ids of the tokens that a publish of `id` replaces.
pub(super) fn replaced(pass: &Pass<'_>, id: &TokenId) -> Vec<TokenId> {
    let ledger = pass.ledger();
    let superseded = ledger.superseded.iter().map(|old| old.id.clone());
    let current = ledger.current.iter().map(|current| current.id.clone());
    superseded.chain(current).filter(|old| old != id).take(MAX_MARKED_IDS).collect()
}
