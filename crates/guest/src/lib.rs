//! The protocol between a host and the agent inside a machine, and the agent itself.
//!
//! Both ends are here because they share one contract: `protocol` (messages), `frame` (how they
//! travel on a stream), `link` (handshake and multiplexing over a byte pipe), `client` (the host's
//! side of every operation), and `agent` (the guest's side, PID 1 of a microVM). The host side treats
//! everything that comes out of a guest as hostile: every frame is bounded and parsed defensively.

pub mod agent;
pub mod client;
pub mod frame;
pub mod link;
pub mod protocol;
