//! The HTTP side of the server: dialects that translate and decide nothing, and what they share.
//!
//! ```text
//! connection ─▶ serve ─▶ envelope (request id, log line, error shape) ─▶ router ─▶ a verb's file ─▶ engine
//!               preview listener ─▶ token ─▶ proxy ─▶ tunnel into a machine
//! ```
//!
//! Believe: every answer carries `x-request-id`, every failure has the one error shape, and nothing
//! that is unbounded comes in.

mod app;
mod envelope;
mod extract;
mod fields;
pub mod limits;
mod nullspace;
mod openapi;
pub mod preview;
mod serve;
mod sse;

pub use app::App;
pub use nullspace::router;
pub use openapi::document;
pub use serve::serve;
