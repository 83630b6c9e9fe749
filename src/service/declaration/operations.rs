//! The checks of the operations of a declaration, one function per operation.

use super::addresses::base_url;
use super::compile::{Compiler, Purpose};
use super::parts::{GenerateOperation, ListOperation, Matcher, Paging, RevokeOperation, StatusSet, VerifyOperation};
use crate::api::duration::GoDuration;
use crate::api::token_service::operations::{Expiry, Generate, List, Pagination, Revoke};
use crate::api::token_service::request::Match;
use crate::api::token_service::verify::{Refusal, Verify};
use crate::service::extraction::RowsPath;

/// How long *generate* may take by default: one server took 23 s for its first token.
const GENERATE_TIMEOUT: GoDuration = GoDuration::from_secs(60);

/// The default statuses of a refused token.
const REFUSED: [i32; 2] = [401, 403];

/// The default statuses of a token that no longer exists.
const GONE: [i32; 2] = [404, 410];

/// The default status of a service that has a token of this name already.
const NAME_TAKEN: i32 = 409;

/// The default statuses that prove that nothing was generated.
const NOT_EXECUTED: [i32; 1] = [429];

pub(super) fn generate(compiler: &mut Compiler<'_>, part: &Generate, expiry: Expiry) -> Option<GenerateOperation> {
    let path = "spec.operations.generate";
    let request = compiler.request(&format!("{path}.request"), &part.request, Purpose::Generate);
    let success = compiler.success(path, part.success.as_ref());
    let not_executed = part.not_executed.as_deref().unwrap_or(&NOT_EXECUTED);
    let not_executed = compiler.statuses(&format!("{path}.notExecuted"), not_executed);
    let name_taken = part.name_taken.clone().unwrap_or(Match { statuses: vec![NAME_TAKEN], body: None });
    let name_taken = name_taken_matcher(compiler, &name_taken, &success);
    let response = &part.response;
    let value = compiler.json_path(format!("{path}.response.value"), &response.value);
    let id = compiler.optional_path(format!("{path}.response.id"), response.id.as_ref());
    let expiration_time =
        compiler.optional_path(format!("{path}.response.expirationTime"), response.expiration_time.as_ref());
    if let (Some(value), Some(id)) = (&value, &id)
        && value.is_same(id)
    {
        compiler.problem(
            format!("{path}.response.id"),
            "is the token itself, and ids stand in status and events, where everybody can read them: name another field; a service that knows a token by nothing but its value cannot be used",
        );
    }
    check_expiry(compiler, expiry, expiration_time.is_some());
    let timeout = part.timeout.unwrap_or(GENERATE_TIMEOUT).0;
    if timeout < GoDuration::from_secs(1).0 || timeout > GoDuration::from_secs(600).0 {
        compiler.problem(format!("{path}.timeout"), "must be from 1s to 10m");
    }
    Some(GenerateOperation {
        request: request?,
        success,
        not_executed,
        name_taken: name_taken?,
        value: value?,
        id,
        expiration_time,
        expiry,
        timeout,
    })
}

/// A token that was generated may not look like one whose name is taken: nobody would read its value.
fn name_taken_matcher(compiler: &mut Compiler<'_>, part: &Match, success: &StatusSet) -> Option<Matcher> {
    let path = "spec.operations.generate.nameTaken";
    let taken = compiler.matcher(path, part)?;
    let both: Vec<String> = (100..600)
        .filter(|status| taken.statuses.contains(*status) && success.contains(*status))
        .map(|status| status.to_string())
        .collect();
    if !both.is_empty() {
        compiler.problem(
            format!("{path}.statuses"),
            format!(
                "has statuses that mean success, too ({}): name the answer to a name that is taken only",
                both.join(", ")
            ),
        );
    }
    Some(taken)
}

fn check_expiry(compiler: &mut Compiler<'_>, expiry: Expiry, declared: bool) {
    let path = "spec.operations.generate.response.expirationTime";
    match expiry {
        Expiry::AnsweredSeconds if !declared => compiler.problem(
            path,
            "is missing: spec.operations.lifetime.expiry: AnsweredSeconds says that the answer has it; say where, such as $.expires_in, or write Requested there",
        ),
        Expiry::Requested if declared => compiler.problem(
            path,
            "is not read with spec.operations.lifetime.expiry: Requested: remove it, or write Answered (a time) or AnsweredSeconds there",
        ),
        Expiry::Answered | Expiry::AnsweredSeconds | Expiry::Requested => {}
    }
}

pub(super) fn verify(compiler: &mut Compiler<'_>, part: Option<&Verify>) -> Option<VerifyOperation> {
    let path = "spec.operations.verify";
    let Some(part) = part else {
        compiler
            .problem(path, "is missing: declare a request that is accepted with a valid token and refused without one");
        return None;
    };
    let base_url = part.base_url.as_ref().map(|text| base_url(compiler, &format!("{path}.baseURL"), text));
    let request = compiler.request(&format!("{path}.request"), &part.request, Purpose::Verify);
    if request.as_ref().is_some_and(|request| !request.uses("token")) {
        compiler
            .problem(format!("{path}.request"), "does not send the token: put {{ token }} into a header or into basic");
    }
    let accepted = compiler.matcher(&format!("{path}.accepted"), &part.accepted);
    let silent = Refusal { statuses: REFUSED.to_vec(), body: None, or: Vec::new() };
    let refused = refusals(compiler, &format!("{path}.refused"), part.refused.as_ref().unwrap_or(&silent));
    for (path, refused) in refused.iter().flatten() {
        let statuses = accepted.as_ref().map(|accepted| accepted.overlap(refused)).unwrap_or_default();
        if !statuses.is_empty() {
            let statuses: Vec<_> = statuses.iter().map(ToString::to_string).collect();
            compiler.problem(
                path,
                format!(
                    "means answers that accepted means, too (status {}), so verify would prove nothing: name the answers to a wrong token only; where the status is the same, tell the two apart by the same body.path with another equals",
                    statuses.join(", ")
                ),
            );
        }
    }
    let refused = refused?.into_iter().map(|(_, matcher)| matcher).collect();
    let base_url = match base_url {
        None => None,
        Some(base_url) => Some(base_url?),
    };
    Some(VerifyOperation { base_url, request: request?, accepted: accepted?, refused })
}

/// All shapes of a refusal, each with the path of its field.
fn refusals(compiler: &mut Compiler<'_>, path: &str, part: &Refusal) -> Option<Vec<(String, Matcher)>> {
    let first = Match { statuses: part.statuses.clone(), body: part.body.clone() };
    let others = part.or.iter().enumerate().map(|(number, part)| (format!("{path}.or[{number}]"), part));
    let compiled = std::iter::once((path.to_owned(), &first)).chain(others).map(|(path, part)| {
        let matcher = compiler.matcher(&path, part);
        matcher.map(|matcher| (path, matcher))
    });
    // All of them are compiled, so that all problems are told at a time.
    compiled.collect::<Vec<_>>().into_iter().collect()
}

pub(super) fn list(compiler: &mut Compiler<'_>, part: &List) -> Option<ListOperation> {
    let path = "spec.operations.list";
    let request = compiler.request(&format!("{path}.request"), &part.request, Purpose::List);
    let success = compiler.success(path, part.success.as_ref());
    let empty = match &part.empty {
        None => None,
        Some(part) => Some(compiler.matcher(&format!("{path}.empty"), part)?),
    };
    let items = RowsPath::parse(&part.items).map_err(|message| compiler.problem(format!("{path}.items"), message)).ok();
    let mut field = |name: &str, text| compiler.optional_path(format!("{path}.item.{name}"), text);
    let id = field("id", Some(&part.item.id));
    let name = field("name", part.item.name.as_ref());
    let name_prefix = part.item.name_prefix.clone();
    let created = field("createdTime", part.item.created_time.as_ref());
    let expiration = field("expirationTime", part.item.expiration_time.as_ref());
    let last_used = field("lastUsedTime", part.item.last_used_time.as_ref());
    let pagination = part.pagination.as_ref().map_or(Some(Paging::None), |part| paging(compiler, part));
    Some(ListOperation {
        request: request?,
        success,
        empty,
        items: items?,
        id: id?,
        name,
        name_prefix,
        created,
        expiration,
        last_used,
        pagination: pagination?,
    })
}

fn paging(compiler: &mut Compiler<'_>, part: &Pagination) -> Option<Paging> {
    let path = "spec.operations.list.pagination";
    match (&part.page_parameter, &part.next_url, part.link.unwrap_or(false)) {
        (Some(name), None, false) => {
            let next = compiler.optional_path(format!("{path}.next"), part.next.as_ref());
            // A cursor has no first value; a page number has.
            let first = part.first_page.or(if next.is_some() { None } else { Some(1) });
            Some(Paging::Parameter { name: name.clone(), first, next })
        }
        (None, Some(next), false) => compiler.json_path(format!("{path}.nextURL"), next).map(Paging::Url),
        (None, None, true) => Some(Paging::Link),
        _ => {
            compiler.problem(path, "set exactly one of pageParameter, nextURL and link: true");
            None
        }
    }
}

pub(super) fn revoke(compiler: &mut Compiler<'_>, part: &Revoke) -> Option<RevokeOperation> {
    let path = "spec.operations.revoke";
    let request = compiler.request(&format!("{path}.request"), &part.request, Purpose::Revoke);
    if request.as_ref().is_some_and(|request| !request.uses("id")) {
        compiler.problem(
            format!("{path}.request"),
            "does not say which token: put {{ id }} into the path, the query or the body",
        );
    }
    let success = compiler.success(path, part.success.as_ref());
    let gone = compiler.statuses(&format!("{path}.gone"), part.gone.as_deref().unwrap_or(&GONE));
    Some(RevokeOperation { request: request?, success, gone })
}
