//! The nullspace dialect over real HTTP, in front of a real engine and the real agent.

mod bad_input;
mod commands;
mod files;
mod images;
mod openapi;
mod ports;
mod setup;
mod templates;
mod tenants;
mod warm_pools;
