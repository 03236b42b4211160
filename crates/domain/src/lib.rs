//! Everything Nullspace decides, and nothing it does.
//!
//! No IO, no `async`, no clock, no randomness: what is needed from outside is an argument. The same
//! input gives the same answer, which is why the whole controller can run in a simulation.

pub mod build;
pub mod checkout;
#[cfg(test)]
mod fixture;
pub mod id;
pub mod instance;
pub mod limits;
pub mod name;
pub mod plan;
pub mod readiness;
pub mod resources;
pub mod runtime;
pub mod template_ref;
pub mod warm_pool;
pub mod world;

pub use id::*;
pub use resources::Resources;

/// A moment, always UTC. The shell takes it from its injected clock and passes it in.
pub type Timestamp = jiff::Timestamp;
