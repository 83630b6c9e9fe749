//! The Helm chart, with the real Helm on a real control plane. No kubelet runs there: the operator is a process with the account, the
//! arguments and the environment that its pod would have.
//!
//! | module | what is shown |
//! |---|---|
//! | `release` | not tests: Helm, and a release on a control plane |
//! | `rights` | what the operator's account may do, as a golden list and as the API server decides it |
//! | `tls` | not tests: the service behind TLS |
//! | `life` | a whole life of tokens under the chart's account, which has the rights that it needs and no others |
//! | `admission` | whom the admission policies stop; `life` runs with them on |
//! | `documents` | every command of the documents, typed in a cluster as they describe it |
//! | `switches`, `cases`, `expected` | every value does what it says, and the API server accepts it |
//! | `values` | unknown values are refused; values, schema and the table in the documents agree |
//! | `uninstall` | what stands against an uninstall that leaves tokens alive, and what an uninstall leaves |
//! | `upgrade` | an upgrade from the first packaged chart generates no token |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod admission;
mod cases;
mod documents;
mod expected;
mod life;
mod release;
mod rights;
mod switches;
mod tls;
mod uninstall;
mod upgrade;
mod values;
