//! The checks of a whole declaration: each part, and how the parts fit together.

use url::{Position, Url};

use super::Declaration;
use super::addresses::{base_url, proxy};
use super::compile::Compiler;
use super::operations::{generate, list, revoke, verify};
use super::parts::GenerateOperation;
use crate::api::names;
use crate::api::reason::Reason;
use crate::api::token_service::TokenServiceSpec;
use crate::api::token_service::operations::{Operations, TokenNames};
use crate::service::errors::InvalidDeclaration;
use crate::service::presets;

/// The length of the part that the operator puts after the prefix of a name: `.{uid16}.{attempt}.{nonce}`, with an attempt
/// of up to ten digits and a nonce of eight characters.
const OWN_NAME_PART: usize = 1 + 16 + 1 + 10 + 1 + 8;

/// What to do about a name that no object can have.
const NO_NAME: &str = "is not the name of an object: write it like reg-admin, with a-z, 0-9, - and . only";

impl Declaration {
    /// Merges the preset with the overrides and checks it all. Pure: the same spec always gives the same result.
    ///
    /// # Errors
    /// Every problem, with the path of its field.
    pub fn check(spec: &TokenServiceSpec) -> Result<Self, InvalidDeclaration> {
        declaration(spec)
    }
}

fn declaration(spec: &TokenServiceSpec) -> Result<Declaration, InvalidDeclaration> {
    let operations = presets::merge(presets::operations(spec.preset), spec.operations.clone());
    let parameters = operations.parameters.clone().unwrap_or_default();
    let spec = &TokenServiceSpec { variables: presets::variables(spec.preset, &spec.variables), ..spec.clone() };
    let mut compiler = Compiler::new(spec, &parameters);
    check_references(&mut compiler, spec);
    let base_url = base_url(&mut compiler, "spec.baseURL", &spec.base_url);
    let proxy = spec.connection.proxy.as_ref().and_then(|part| proxy(&mut compiler, part));
    let authentication = operations
        .authentication
        .as_ref()
        .and_then(|part| compiler.authentication("spec.operations.authentication", part));
    let expiry = operations.lifetime.as_ref().map(|lifetimes| lifetimes.expiry).unwrap_or_default();
    let generate = operations.generate.as_ref().and_then(|part| generate(&mut compiler, part, expiry));
    let verify = verify(&mut compiler, operations.verify.as_ref());
    let list = operations.list.as_ref().and_then(|part| list(&mut compiler, part));
    let revoke = operations.revoke.as_ref().and_then(|part| revoke(&mut compiler, part));
    let error_message = compiler.optional_path("spec.operations.errorMessage", operations.error_message.as_ref());
    if let (Some(words), Some(generate)) = (&error_message, &generate)
        && words.is_same(&generate.value)
    {
        compiler.problem(
            "spec.operations.errorMessage",
            "is the place of the token itself: name that of a text for people",
        );
    }
    let names = operations.naming.clone().unwrap_or_default();
    check_names(&mut compiler, spec, &operations, &names, generate.as_ref());
    check_together(&mut compiler, spec, &operations, generate.as_ref());
    let Compiler { problems, credentials, .. } = compiler;
    let (Some(base_url), Some(verify), true) = (base_url, verify, problems.is_empty()) else {
        return Err(InvalidDeclaration { problems });
    };
    let declaration = Declaration {
        origin: where_valid(&base_url, verify.base_url.as_ref()),
        page: operations.page,
        base_url,
        timeout: spec.connection.timeout.0,
        allow_link_local: spec.connection.allow_link_local,
        proxy,
        variables: spec.variables.clone(),
        authentication,
        generate,
        verify,
        list,
        revoke,
        error_message,
        maximum_name_length: (!names.unsupported).then(|| usize::try_from(names.maximum_length).unwrap_or(0)),
        display_name: names.display_name,
        ids: operations.ids.unwrap_or_default(),
        prefix: spec.naming.as_ref().and_then(|naming| naming.prefix.clone()),
        lifetimes: operations.lifetime,
        parameters,
        default_parameters: spec.defaults.as_ref().map(|defaults| defaults.parameters.clone()).unwrap_or_default(),
        allowed_values: spec.constraints.parameters.clone(),
        credentials,
    };
    check_defaults(&declaration, spec)?;
    Ok(declaration)
}

/// The origin of the service and, where tokens are accepted elsewhere, that one: a token is sent to no other place. Ledgers hold this
/// text and compare by it, so another wording would leave living tokens to people.
fn where_valid(base_url: &Url, verify: Option<&Url>) -> String {
    let origin = |url: &Url| url[..Position::BeforePath].to_owned();
    match verify {
        None => origin(base_url),
        Some(elsewhere) => format!("{}, verify at {}", origin(base_url), origin(elsewhere)),
    }
}

/// References become paths of the API server. The schema has the same rule, but an object may be older than that.
fn check_references(compiler: &mut Compiler<'_>, spec: &TokenServiceSpec) {
    let credentials = spec.credentials.iter().map(|(name, reference)| (format!("spec.credentials.{name}"), reference));
    let bundle = spec.connection.ca_bundle_ref.iter().map(|bundle| ("spec.connection.caBundleRef".to_owned(), bundle));
    let certificate = spec.connection.client_certificate_ref.as_ref();
    if certificate.is_some_and(|certificate| !names::is_name(&certificate.name)) {
        compiler.problem("spec.connection.clientCertificateRef.name", NO_NAME);
    }
    for (path, reference) in credentials.chain(bundle) {
        if !names::is_name(&reference.name) {
            compiler.problem(format!("{path}.name"), NO_NAME);
        }
        if !names::is_key(&reference.key) {
            let advice = "is not a key: write it like ca.crt, with letters, digits, -, _ and . only";
            compiler.problem(format!("{path}.key"), advice);
        }
    }
}

/// The operator finds a lost token by its name (P3). So where tokens have names, the service must get them, list them, and
/// allow names that are long enough.
fn check_names(
    compiler: &mut Compiler<'_>,
    spec: &TokenServiceSpec,
    operations: &Operations,
    names: &TokenNames,
    generate: Option<&GenerateOperation>,
) {
    if names.unsupported || operations.generate.is_none() {
        return;
    }
    if generate.is_some_and(|generate| !generate.request.uses("name")) {
        compiler.problem(
            "spec.operations.generate.request",
            "does not send the token's name: put {{ name }} into it, or set spec.operations.naming: {unsupported: true} if tokens have no names",
        );
    }
    if operations.list.as_ref().is_some_and(|list| list.item.name.is_none()) {
        compiler.problem(
            "spec.operations.list.item.name",
            "is missing: the operator finds lost tokens by their names; set it, or set spec.operations.naming: {unsupported: true} if tokens have no names",
        );
    }
    let Some(prefix) = spec.naming.as_ref().and_then(|naming| naming.prefix.as_deref()) else {
        compiler.problem(
            "spec.naming.prefix",
            "is required where tokens have names: choose one for this cluster, such as prod-eu1 (at most 20 of a-z 0-9 -)",
        );
        return;
    };
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if prefix.is_empty() || prefix.len() > 20 || !prefix.bytes().all(valid) {
        compiler.problem("spec.naming.prefix", "write 1 to 20 characters of a-z, 0-9 and -");
    }
    let (needed, maximum) = (prefix.len() + OWN_NAME_PART, names.maximum_length);
    if usize::try_from(maximum).unwrap_or(0) < needed {
        compiler.problem_for(
            Reason::NameTooShort,
            "spec.operations.naming.maximumLength",
            format!(
                "names of {maximum} characters are too short for the operator's own part: {needed} are needed with this prefix; \
                 shorten spec.naming.prefix, or set spec.operations.naming: {{unsupported: true}}"
            ),
        );
    }
}

/// Checks parts that need each other.
fn check_together(
    compiler: &mut Compiler<'_>,
    spec: &TokenServiceSpec,
    operations: &Operations,
    generate: Option<&GenerateOperation>,
) {
    let lifetime_holes = ["lifetimeSeconds", "lifetimeDays", "expirationTime", "expirationDate", "expirationEpoch"];
    let sends_lifetime = generate.is_none_or(|generate| lifetime_holes.iter().any(|hole| generate.request.uses(hole)));
    if operations.lifetime.is_some() && !sends_lifetime {
        compiler.problem(
            "spec.operations.generate.request",
            "does not send the lifetime that spec.operations.lifetime promises: put {{ lifetimeSeconds }}, {{ lifetimeDays }}, {{ expirationTime }}, {{ expirationDate }} or {{ expirationEpoch }} into it",
        );
    }
    if generate.is_some_and(|generate| generate.id.is_none()) {
        compiler.problem(
            "spec.operations.generate.response.id",
            "is missing: the operator records and revokes a token by its id; say where the answer has it, such as $.id",
        );
    }
    if spec.limits.maximum_live_tokens.is_some() && operations.list.is_none() {
        compiler.problem(
            "spec.limits.maximumLiveTokens",
            "needs spec.operations.list, which counts the tokens: declare it, or remove the limit",
        );
    }
    let declared = operations.parameters.iter().flatten();
    let known: Vec<_> = declared.map(|parameter| parameter.name.as_str()).collect();
    for name in spec.constraints.parameters.keys().filter(|name| !known.contains(&name.as_str())) {
        compiler.problem(format!("spec.constraints.parameters.{name}"), "the service has no such parameter: remove it");
    }
}

/// Checks the defaults like a token's own values. A required parameter may be missing here.
fn check_defaults(declaration: &Declaration, spec: &TokenServiceSpec) -> Result<(), InvalidDeclaration> {
    let mut compiler = Compiler::new(spec, &declaration.parameters);
    let Some(defaults) = &spec.defaults else { return Ok(()) };
    if let Some(Err(message)) = defaults.lifetime.map(|lifetime| declaration.check_lifetime(lifetime)) {
        compiler.problem("spec.defaults.lifetime", message);
    }
    for (name, value) in &defaults.parameters {
        let path = format!("spec.defaults.parameters.{name}");
        match declaration.parameters.iter().find(|parameter| parameter.name == *name) {
            None => compiler.problem(path, "the service has no such parameter: remove it"),
            Some(parameter) => {
                if let Err(message) = declaration.check_value(parameter, value) {
                    compiler.problem(path, message);
                }
            }
        }
    }
    if compiler.problems.is_empty() { Ok(()) } else { Err(InvalidDeclaration { problems: compiler.problems }) }
}
