//! Simulated workers: what a run of hundreds of workers costs, on one machine.
//!
//! Real are the API servers, the operator, the storage, the aggregator, and of each worker the collector, whole, with
//! connections of its own. Played are the kubelets and their nodes ([`kubelet`]) and the main container ([`worker`]), which does
//! what `docs/contributors/worker-contract.md` says and writes samples by a formula instead of asking a target.
//!
//! [`outline`] has the documents of a run without Kubernetes, for measurements of one part (`examples`) and tests.
//!
//! [`figures`] makes the table of `docs/contributors/scale.md` from what a run left behind.
//!
//! # Why a crate of its own
//!
//! `cargo xtask` runs before every commit and must stay small; this links the collector and with it the AWS SDK.
//!
//! # Caveats
//!
//! * All workers share the machine's processors. Their release is later than on nodes of their own by the time that the others
//!   take; the table has a run of few workers beside the run of many, and the difference is the machine's.
//! * Requests of the simulated kubelets reach the same API servers. They are left out of the figures by their user.

pub mod figures;
pub mod kubelet;
pub mod outline;
pub mod record;
pub mod worker;
