//! A Kubernetes operator that keeps valid tokens of artifact and API services in Secrets.
//!
//! > One pure function says the next step. One thin loop performs it. One ledger lists every token that may be alive. Nothing is
//! > done that the ledger did not announce, and nothing leaves the ledger before it is dead.
//!
//! # The way of a decision
//!
//! ```text
//!  ArtifactToken ──► wish ─────────┐
//!  TokenService ──► declaration ───┤
//!  Secret, list, memory ─► observed┴─► plan::next_step ─► perform ─► service (HTTP)
//!                                          ▲                │   └──► Secret
//!                                          └── ledger ◄── record ──► conditions, events
//! ```
//!
//! A pass ([`controller::pass`]) observes, asks [`rotation::plan::next_step`], performs the one step that it names, records it,
//! and asks again until there is nothing to do. What a step writes down before it acts is in the object's status, the
//! *ledger* ([`api::ledger`]); only the operator may write that. The service carries the rest: a token's name there begins
//! with the object's identity, attempt and nonce ([`rotation::identity`]).
//!
//! # Rooms
//!
//! | room | what is in it | may know |
//! |---|---|---|
//! | [`api`] | what users write and read, as on the wire | nothing |
//! | [`rotation`] | the decision: wish, ledger, plan, schedule, report. No clock, network or client | `api` |
//! | [`secret`] | what stands in the Secret: formats, marks, patches. Pure | `api` |
//! | [`service`] | token services: checked declarations (pure), the engine that performs them over HTTP | `api` |
//! | [`controller`] | the Kubernetes side: passes, watches, the services' readiness | all of these |
//! | [`telemetry`] | logs | nothing |
//!
//! Nobody knows `controller`. Read in this order: `src/rotation/plan.rs`, `tests/decisions.txt`, `src/controller/pass.rs`.
//!
//! # The four verbs
//!
//! **generate** (the service makes a token), **update** (the Secret is written), **verify** (the service accepts what the Secret
//! holds), **revoke** (the service is told to end a token). Beside them: **claim** (take an attempt number), **sweep** (list the
//! service for tokens with our name that nobody needs), **prove** (see that the service refuses a revoked token).
//!
//! # Invariants, and where they are kept
//!
//! * **S1** The Secret never holds a token for which a revoke was sent (deletion and a leak excepted). A revoke needs a live read that shows
//!   another, verified token in the Secret (`plan::cleanup`), and an older publish cannot land behind it: every publish is a checked
//!   replace above the fence (`plan::hand`).
//! * **S2** A consumer that lags by less than the overlap never holds a dead token. Each superseded token has an overlap of its own,
//!   from the durable record of its successor, by the later of two clocks ([`controller::clock`]).
//! * **S3** A revoke goes only to an id of the ledger, or to a listed token with our name and this uid (`plan::decide`).
//! * **S4** No *generate* without a claim and a finalizer; one claim, at most one *generate*.
//! * **S5** Data, attempt, id and superseded ids of a Secret change in one write ([`secret::patch`]).
//! * **S6** At most [`rotation::plan::MAX_LIVE`] known live tokens for an object.
//! * **S8** A Secret of somebody else is never written or deleted ([`secret::metadata::Ownership`]).
//! * **S9** Values stand in Secret data, in memory and in the request, and nowhere else: `secrecy` wraps them, and `tests/tidy.rs`
//!   counts the places that unwrap one.
//! * **S10** A credential goes only to the origin of `baseURL` ([`service::engine`]).
//! * **S11** An object acts in its own namespace, with a service of it or one that allows it ([`controller::services::Key::of`],
//!   [`controller::allowed`]).
//! * **S12** The finalizer goes only when no attempt of the object lives or can land (`plan::deletion`).
//!
//! A cloned cluster has the same uids. A listed token with this object's mark that its ledger never claimed halts the object until a
//! person says whose tokens these are (`plan::twin`). Claims of unknown outcome stand in the ledger with their nonces until they were
//! looked for, so what stands nowhere is taken for another cluster's, whatever its number. A ledger that was lost takes in what the
//! Secret was at before it claims anything new.
//!
//! `tests/model.rs` explores them in a pretended world of two processes with crashes, lost answers, sleepers, leaks and twins;
//! `tests/decisions.rs` checks laws over every combination of inputs; `tests/cluster` lives whole lives on a real control plane.
//!
//! # Two processes at once are harmless
//!
//! No lock is needed for safety: every record is checked against the version that it was decided on, every publish against the
//! Secret that it was computed from. Two processes cost requests, not tokens.
//!
//! # Where this differs from the protocol as first written
//!
//! * A revoke that was answered with a declared success is believed once the old value is refused, without a further positive
//!   control: that success came under the operator's own credential, from a place that refuses the old value, so it is no place that
//!   refuses everybody. After a mere "gone" a living token or the complete list must speak ([`controller::perform`]).
//! * An attempt that its own process gives up goes into the ledger as an unpublished superseded token, so that its revoke has the
//!   same record, back-off and proof as any other.
//! * A settled claim is always fenced off before it is abandoned, whether or not a newer token is wanted: one more write in a rare
//!   case, one rule less.
//! * A process that ends between the first publish and its decision costs the settle time and one more token: its empty ledger
//!   cannot be told from a lost one, which may have known of other tokens.
//! * A lost ledger disputes a token above its Secret's fence: it cannot be told from a twin's, and a person who is asked once in vain is
//!   better than another cluster's consumers with a dead token.
//! * Without room for another token, a superseded one goes once its overlap is over. But what failed in the Secret stayed there until
//!   another one came, perhaps until the Secret was deleted by hand a moment ago: it goes once the overlap of a later one is over.
//! * A token of the object's own that its ledger has forgotten is disputed, too: a second one that a repeated request made more than ten
//!   rotations ago, say, or one that came in spite of a refusal. A person confirms, and it is revoked.
//! * A token that failed after its publish gets twice the overlap, so that a roll-back leaves its consumers a whole one.
//! * The claim that the finalizer's patch is has no record of its own; its time is that of the patch, as the API server's managed
//!   fields have it ([`controller::finalizer_time`]).
//! * Templates have no loops, lists or `set`: fuel does not bound the memory that these can take.
//! * The dry-run of a rotation changes nothing: its answer is the live Secret, the value to roll back to included.

pub mod api;
pub mod controller;
pub mod rotation;
pub mod secret;
pub mod service;
pub mod telemetry;
