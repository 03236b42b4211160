//! The engine and the controller over a simulated host and a real store each.

mod builds;
mod checkout;
mod house;
mod keys;
mod pools;
mod restart;
mod sandboxes;
