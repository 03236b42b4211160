//! One host: its images, artifacts and machines.
//!
//! The control plane speaks to it only through [`api::Node`], embedded or (later) over the network.

pub mod agent;
pub mod api;
pub mod artifacts;
pub mod builder;
pub mod disk;
mod doomed;
pub mod driver;
pub mod images;
pub mod journal;
pub mod kernel;
pub mod local;
pub mod machines;
pub mod microvm;
pub mod network;
mod process;
pub mod profiles;
mod room;
