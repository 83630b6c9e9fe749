//! Real parts for the tests: a Kubernetes control plane, token services and the operator, each as processes.
//!
//! Nothing here imitates anything. [`ControlPlane`] is etcd and kube-apiserver, [`Verdaccio`] is the npm registry
//! server, [`Operator`] is the shipped binary. What a test proves against them holds outside the tests too.
//!
//! | module | what it gives |
//! |---|---|
//! | [`control_plane`] | starts a control plane; kubeconfigs and clients for its users |
//! | [`audit`] | every request the API server answered, counted exactly |
//! | [`fault_proxy`] | stands between an operator and both the API server and a service, and breaks calls |
//! | [`cluster`] | namespaces, YAML and CRDs into a cluster |
//! | [`operator`] | the operator as a process that can be killed, paused and started again |
//! | [`reference_service`] | the truthful token service and its control API |
//! | [`verdaccio`] | the npm registry server, installed on demand |
//! | [`node`] | a control plane with a node where pods run, in namespaces of its own |
//! | [`parts`] | finds or builds the control plane's binaries; [`go_toolchain`] finds or fetches Go for that |
//! | [`debian`] | programs out of Debian packages; [`promtool`] is one |
//! | [`process`] | a child process that ends with its handle, whatever happens to its parent |
//! | [`mod@poll`] | waits for a state of the world and says what it was when the wait is over |
//! | [`folder`], [`progress`], [`http`], [`random`] | where files live, one builder at a time, plain HTTP, unique names |
//!
//! **Ends with its handle.** Every process dies when its handle is dropped, on panic, on Ctrl-C and when the
//! parent is killed (see [`process`]). The handle also removes the data folder; the next start removes the folders
//! of a killed parent. `TESTBED_KEEP=1` keeps all data folders.
//!
//! **Invariant:** this crate does not depend on the operator's package, so that the tests see only what a user
//! sees: binaries, the Kubernetes API and HTTP.

pub mod audit;
pub mod cluster;
pub mod control_plane;
pub mod debian;
pub mod fault_proxy;
pub mod folder;
pub mod go_toolchain;
pub mod http;
pub mod node;
pub mod operator;
pub mod parts;
pub mod poll;
pub mod process;
pub mod progress;
pub mod promtool;
pub mod random;
pub mod reference_service;
pub mod verdaccio;

pub use control_plane::{ControlPlane, Options};
pub use fault_proxy::FaultProxy;
pub use node::Node;
pub use operator::Operator;
pub use poll::poll;
pub use process::{Process, Signal};
pub use reference_service::ReferenceService;
pub use verdaccio::Verdaccio;
