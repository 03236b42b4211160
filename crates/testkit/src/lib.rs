//! What tests share.

pub mod agent_node;
pub mod http_server;

pub use agent_node::AgentNode;
pub use http_server::HttpServer;
