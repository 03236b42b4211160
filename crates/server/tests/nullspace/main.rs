//! The nullspace dialect over real HTTP, in front of a real engine and the real agent.

mod bad_input;
mod commands;
mod files;
mod images;
mod openapi;
mod ports;
mod sandboxes;
mod setup;
mod shapes;
mod templates;
mod tenants;
mod warm_pools;
