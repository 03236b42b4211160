//! One host: its images, artifacts and machines.
//!
//! The control plane speaks to it only through [`api::Node`], embedded or (later) over the network.

pub mod api;
pub mod artifacts;
pub mod builder;
pub mod disk;
pub mod driver;
pub mod images;
pub mod journal;
