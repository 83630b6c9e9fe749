//! A Kubernetes operator that keeps valid tokens of artifact and API services in Secrets.
//!
//! > One pure function says the next step. One thin loop performs it. One ledger lists every token that may live. Nothing is done
//! > that the ledger did not announce, and nothing leaves the ledger before it is dead.
//!
//! The rules (P), the invariants (S, L) and the words that the code uses are in `docs/protocol.md`; the list below only says where the code keeps them.
//!
//! # The way of a decision
//!
//! ```text
//!  ArtifactToken ──► Validated ────┐
//!  TokenService ──► declaration ───┤
//!  Secret, list, memory ─► observed┴─► plan::next_step ─► perform ─► service (HTTP)
//!                                          ▲                │   └──► Secret
//!                                          └── ledger ◄── record ──► conditions, events
//! ```
//!
//! A pass (`src/controller/token/pass.rs`) observes, asks [`rotation::plan::next_step`], performs the one step that it names, records
//! it, and asks again until there is nothing to do. What a step writes down before it acts is in the object's status, the *ledger*
//! ([`api::ledger`]); only the operator may write that. The service carries the rest: a token's name there begins with the object's
//! identity, the attempt and the nonce ([`rotation::identity`]).
//!
//! # Rooms
//!
//! | room | what is in it | may know |
//! |---|---|---|
//! | [`api`] | what users write and read, as on the wire | nothing |
//! | [`rotation`] | the decision: plan, ledger, schedule, report. No clock, network or client | `api` |
//! | [`secret`] | what stands in the Secret: formats, metadata, patches. Pure | `api` |
//! | [`service`] | token services: checked declarations (pure), and the client that performs them over HTTP | `api` |
//! | `controller` | the Kubernetes side: passes over tokens, checks of services, watches, admin port | all of these |
//! | [`telemetry`] | logs | nothing |
//!
//! Nobody knows `controller`. Inside it, `token/` and `service/` are the two reconcilers, `election/` decides who leads;
//! `run.rs` starts all; the files beside them are what they share. A binary needs only `operator`, the public face of the controller.
//!
//! # Reading order
//!
//! 1. `docs/protocol.md`: why it is hard, the rules, the life of a token as a drawing.
//! 2. `src/rotation/plan.rs`: the decision table. A row, its function and its file in `src/rotation/plan/` have the same name.
//! 3. `tests/decisions.txt`: what the table answers to all inputs.
//! 4. `src/rotation/ledger.rs`: how the ledger changes.
//! 5. `src/controller/token/pass.rs` and `src/controller/token/perform/`: the loop, and what each step does.
//!
//! # Where the invariants are kept
//!
//! * **S1** no revoke of what the Secret holds: row `revoke`, and publishes above the fence in row `in_flight`.
//! * **S2** a consumer within the overlap holds a living token: `src/rotation/ledger.rs`, `src/controller/clock.rs`.
//! * **S3** only our own tokens are revoked: rows `decide`, `orphans`, `identity_conflict`.
//! * **S4** no *generate* without a claim and a finalizer: rows `claim`, `in_flight`.
//! * **S5** data and annotations of a Secret change in one write: `src/secret/patch.rs`.
//! * **S6** at most five known tokens live: row `claim`.
//! * **S7** the rate of attempts is bounded: row `claim`, `src/service/limits/`.
//! * **S8** no write of somebody else's Secret: `src/secret/metadata.rs`.
//! * **S9** values stand nowhere else: `secrecy` wraps them, `tests/tidy` counts the places that unwrap one.
//! * **S10** a credential goes only to the origin of `baseURL`, a token only there and to that of
//!   `operations.verify.baseURL`: `src/service/client/`.
//! * **S11** an object acts in its own namespace: `src/controller/registry/`, `src/controller/permission.rs`.
//! * **S12** the finalizer goes last: row `deletion`.
//! * **S13** `Ready` is True only for a verified token: `src/rotation/report.rs`.
//!
//! `tests/model` explores them in a pretended world of two processes; `tests/decisions` checks laws over combinations of inputs;
//! `tests/crash` and `tests/cluster` run whole scenarios on a real control plane.
//!
//! # Two processes at once are harmless
//!
//! No lock is needed for safety. Every record is checked against the version that it was decided on, every publish against the
//! Secret that it was computed from. Two processes cost requests, not tokens. To save these there is an election
//! (`src/controller/election/`): a standby has all watches and caches, and `src/controller/leadership.rs` says whether a pass may begin.

pub mod api;
mod controller;
pub mod operator;
pub mod rotation;
pub mod secret;
pub mod service;
pub mod telemetry;
