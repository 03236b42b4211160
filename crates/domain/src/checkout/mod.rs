//! A sandbox takes a ready member of a pool, or does what its mode says instead (spec warm-pools §5, §6).
//!
//! ```text
//! decide ─▶ Try ──▶ candidates, in order, one conditional update each ──▶ hit
//!   │        └────── none within the wait ──▶ miss_reason ──▶ on_miss: start cold, or refuse
//!   ├─▶ StartCold
//!   └─▶ Refuse
//! ```
//!
//! Everything here is decided from rows that are already loaded: a checkout does no foreign work.

mod candidates;
mod decide;
mod receipt;
mod shape;

pub use candidates::{candidates, miss_reason};
pub use decide::{Decision, OnMiss, Request, bypassed, decide};
pub use receipt::{MissReason, Receipt, Source};
pub use shape::{Special, binds_envs};
