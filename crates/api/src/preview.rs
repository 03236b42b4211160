//! Reaching a sandbox's ports from outside (spec sandboxes §11). All but [`HostInfo`] are strict.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostRequest {
    pub port: u32,
}

/// Where a port can be reached. The URLs carry their own permission.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostInfo {
    pub host: String,
    pub url: Option<String>,
    pub websocket_url: Option<String>,
    pub access_token_expires_at: Option<Timestamp>,
    pub access_token_transport: Option<String>,
}

/// A permission to reach one port.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreviewGrant {
    pub id: String,
    pub sandbox_id: String,
    pub port: u16,
    pub auth_mode: Option<String>,
    pub bootstrap_transport: Option<String>,
    pub status: Option<GrantStatus>,
    pub token_kinds: Option<Vec<String>>,
    pub issued_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantStatus {
    Active,
    Disabled,
    Expired,
    Revoked,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreviewUrl {
    pub grant: PreviewGrant,
    pub url: String,
    pub websocket_url: String,
    pub access_token_expires_at: Option<Timestamp>,
    pub access_token_transport: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignPreview {
    /// Brought between 60 s and 24 h.
    pub expires_in_seconds: Option<u64>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GrantQuery {
    pub port: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantList {
    pub items: Vec<PreviewGrant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevokedGrant {
    pub success: bool,
    pub grant: PreviewGrant,
}

/// Waits until something answers on a port.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadinessRequest {
    pub kind: Option<ReadinessKind>,
    pub timeout_secs: Option<u64>,
    pub interval_ms: Option<u64>,
    pub path: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadinessKind {
    #[default]
    Tcp,
    Http,
}

/// Whether it did. An answer also when it did not.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreviewReadiness {
    pub ready: bool,
    pub route_ready: bool,
    pub service_ready: bool,
    pub sandbox_id: String,
    pub port: u16,
    pub kind: ReadinessKind,
    pub checked_at: Timestamp,
    pub elapsed_ms: u64,
    pub attempts: u32,
    pub path: Option<String>,
    pub code: Option<String>,
    pub error: Option<String>,
    pub suggested_action: Option<String>,
}
