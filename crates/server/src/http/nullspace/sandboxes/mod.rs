//! Sandboxes and what runs in them, one verb a file.

pub mod command;
pub mod create;
pub mod exec;
pub mod get;
pub mod guest;
pub mod kill;
pub mod list;
pub mod logs;
pub mod metrics;
pub mod process_kill;
pub mod process_stdin;
pub mod processes;
pub mod set_timeout;
pub mod socket;
pub mod socket_command;
pub mod utf8;
pub mod view;
