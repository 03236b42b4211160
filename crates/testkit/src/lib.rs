//! What tests share: hosts without machines behind the true node API, and a server on a port.

pub mod agent_node;
pub mod http_server;
pub mod sim_node;

pub use agent_node::AgentNode;
pub use http_server::HttpServer;
pub use sim_node::SimNode;
