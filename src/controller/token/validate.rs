//! Checks the spec of an object against its service. Every fault becomes a `Halt`, so nothing fails after this.

use std::time::Duration;

use data_encoding::HEXLOWER;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use crate::api::artifact_token::{ArtifactToken, ArtifactTokenSpec, Probe, RotationPolicy};
use crate::api::duration::GoDuration;
use crate::api::ledger::LeakTimes;
use crate::api::parameters::{Lifetime, Parameters};
use crate::api::reason::Reason;
use crate::controller::registry::ServiceEntry;
use crate::controller::settings::Settings;
use crate::controller::spread::spread;
use crate::controller::token::instructions::instructions;
use crate::rotation::desired::{Desired, Halt, Timings};
use crate::rotation::schedule::shortest_lifetime;
use crate::secret::content;

/// The most by which the spread makes a rotation come earlier.
const MAX_SPREAD: Duration = Duration::from_secs(3600);
/// How often the current token is verified again, where the spec does not say.
const VERIFICATION_INTERVAL: Duration = Duration::from_secs(12 * 3600);
/// The shortest time between two verifications of one token.
const MIN_VERIFICATION_INTERVAL: Duration = Duration::from_secs(1);
/// The time-out of *generate* where the service's declaration is unknown.
const GENERATE_TIMEOUT: Duration = Duration::from_secs(60);

/// The checked spec of an object: what the decision needs, and what the controller needs beside that.
#[derive(Clone, Debug)]
pub(crate) struct Validated {
    pub desired: Desired,
    /// How long the token shall live, as the spec says.
    pub lifetime: Lifetime,
    /// What to ask the service for; `None` while something in the spec is wrong. So nothing unchecked can be sent.
    pub request: Option<CheckedRequest>,
    /// The user's part of the token's name.
    pub display_name: String,
    /// Whether the digest is the one of a real request: it includes the service's defaults, and the service allows the parameters.
    pub digest_is_known: bool,
}

/// A request that the service allows, with its defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct CheckedRequest {
    pub lifetime: Lifetime,
    pub parameters: Parameters,
}

impl Validated {
    /// Checks the spec of `object`. `service` is missing while its object is missing.
    pub(crate) fn of(object: &ArtifactToken, service: Option<&ServiceEntry>, settings: &Settings) -> Self {
        let spec = &object.spec;
        let namespace = object.namespace().unwrap_or_default();
        let defaults = service.and_then(|service| service.spec.defaults.clone()).unwrap_or_default();
        let lifetime = spec.lifetime.or(defaults.lifetime).unwrap_or(Lifetime::Never);
        let overlap = settings.overlap(spec.rotation.overlap, defaults.overlap);
        let interval = match spec.rotation.policy {
            RotationPolicy::Periodic => spec.rotation.interval.map(|interval| interval.0),
            RotationPolicy::Disabled => None,
        };
        let (parameters, problem) = parameters(spec, service);
        let digest_is_known = problem.is_none() && service.is_some_and(|service| service.declaration.is_some());
        let timeout = service.and_then(|service| service.declaration.as_ref());
        let timeout = timeout.map_or(GENERATE_TIMEOUT, |declaration| declaration.generate_timeout());
        let timings = settings.timings(timeout);
        let halt =
            halt(spec, service, (overlap, interval)).or_else(|| lifetime_halt(service, lifetime, &timings)).or(problem);
        let halt = halt.or_else(|| unprobed(spec, service));
        let verification = spec.verification.interval.map_or(VERIFICATION_INTERVAL, |interval| interval.0);
        let of_service = service.and_then(|service| service.spec.revoke_issued_before);
        let desired = Desired {
            halt,
            suspended: spec.suspend,
            interval,
            spread: spread(&object.uid().unwrap_or_default(), (interval.unwrap_or_default() / 10).min(MAX_SPREAD)),
            rotate_before: spec.rotation.rotate_before.map(|before| before.0),
            overlap,
            rotate_issued_before: spec.rotation.rotate_issued_before,
            revoke_issued_before: LeakTimes { object: spec.rotation.revoke_issued_before, service: of_service },
            probe: spec.verification.probe == Probe::Required,
            verification_interval: verification.max(MIN_VERIFICATION_INTERVAL),
            request_digest: digest(lifetime, &parameters),
            by_hand: instructions(object, service, lifetime, &parameters),
            timings,
        };
        let request = desired.halt.is_none().then_some(CheckedRequest { lifetime, parameters });
        let display_name = spec.display_name.clone().unwrap_or_else(|| format!("{namespace}/{}", object.name_any()));
        Self { desired, lifetime, request, display_name, digest_is_known }
    }
}

/// The object's parameters over the service's defaults, and a halt if something is wrong with them.
fn parameters(spec: &ArtifactTokenSpec, service: Option<&ServiceEntry>) -> (Parameters, Option<Halt>) {
    let Some((service, declaration)) = service.and_then(|service| Some((service, service.declaration.as_ref()?)))
    else {
        return (spec.parameters.clone(), None);
    };
    let mut given = service.spec.defaults.clone().unwrap_or_default().parameters;
    given.extend(spec.parameters.clone());
    match declaration.check_parameters(&given) {
        Ok(checked) => (checked, None),
        Err(message) => (given, Some(Halt::stalled(Reason::ParameterNotAllowed, message))),
    }
}

fn halt(
    spec: &ArtifactTokenSpec,
    service: Option<&ServiceEntry>,
    (overlap, interval): (Duration, Option<Duration>),
) -> Option<Halt> {
    if let Err(message) = content::check(&spec.secret) {
        return Some(Halt::stalled(Reason::InvalidSpec, message));
    }
    if interval.is_some_and(|interval| overlap >= interval) {
        let message = "spec.rotation.overlap (or its default, 10m unless the service says another) must be shorter than \
                       spec.rotation.interval: shorten the overlap or lengthen the interval";
        return Some(Halt::stalled(Reason::InvalidSpec, message));
    }
    let service = service?;
    let least = service.spec.constraints.minimum_interval;
    if interval.is_some_and(|interval| interval < least.0) {
        let message = format!(
            "spec.rotation.interval must be at least {least}, which {} asks for in constraints.minimumInterval",
            service.key
        );
        return Some(Halt::stalled(Reason::InvalidSpec, message));
    }
    None
}

/// Why no token of this lifetime may be made: the service does not have it, or it would expire before it can be replaced.
fn lifetime_halt(service: Option<&ServiceEntry>, lifetime: Lifetime, timings: &Timings) -> Option<Halt> {
    let declaration = service?.declaration.as_ref()?;
    let shortest = shortest_lifetime(timings);
    let too_short = || {
        format!(
            "a token of lifetime {lifetime} could expire before it is replaced: to generate, publish and verify one may take {} here. \
             Choose a lifetime of at least {}, or a shorter operations.generate.timeout in the service object",
            GoDuration(timings.publish_deadline),
            GoDuration(shortest)
        )
    };
    let length = lifetime.length().filter(|length| *length < shortest);
    let checked = declaration.check_lifetime(lifetime).err().or_else(|| length.map(|_| too_short()));
    checked.map(|message| Halt::stalled(Reason::UnsupportedLifetime, message))
}

/// A token that a person makes is always asked about: before it is published, and until it is dead.
fn unprobed(spec: &ArtifactTokenSpec, service: Option<&ServiceEntry>) -> Option<Halt> {
    let by_hand = service?.declaration.as_ref()?.is_by_hand();
    let message = "spec.verification.probe is Disabled, but a person makes the tokens of this service, and the operator asks about each \
                   one before it is published and until it is dead: set it to Required";
    (by_hand && spec.verification.probe == Probe::Disabled).then(|| Halt::stalled(Reason::InvalidSpec, message))
}

/// A digest of the request: it shows whether a token was generated for other lifetime or parameters.
fn digest(lifetime: Lifetime, parameters: &Parameters) -> String {
    let text = serde_json::json!([lifetime.to_string(), parameters]).to_string();
    HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..8])
}
