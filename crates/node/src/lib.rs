//! One host: its images, artifacts and machines.
//!
//! The control plane speaks to it only through [`api::Node`], embedded or (later) over the network.

pub mod api;
pub mod artifacts;
pub mod disk;
pub mod images;
pub mod driver;
pub mod journal;
