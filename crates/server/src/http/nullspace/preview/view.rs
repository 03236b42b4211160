//! Grants and URLs as clients see them. Strict.

use crate::http::preview::{Grant, Signed};
use nullspace_api::Timestamp;
use nullspace_api::preview::{GrantStatus, PreviewGrant, PreviewUrl};

pub fn grant(grant: &Grant, now: Timestamp) -> PreviewGrant {
    PreviewGrant {
        id: grant.id.to_string(),
        sandbox_id: grant.sandbox.to_string(),
        port: grant.port,
        auth_mode: Some("direct".into()),
        bootstrap_transport: Some("query".into()),
        status: Some(match grant.revoked_at {
            Some(_) => GrantStatus::Revoked,
            None if grant.expires_at <= now => GrantStatus::Expired,
            None => GrantStatus::Active,
        }),
        token_kinds: Some(vec!["http_port".into(), "websocket_port".into()]),
        issued_at: Some(grant.issued_at),
        expires_at: Some(grant.expires_at),
        revoked_at: grant.revoked_at,
        created_at: Some(grant.issued_at),
        updated_at: Some(grant.revoked_at.unwrap_or(grant.issued_at)),
    }
}

pub fn preview_url(signed: &Signed, now: Timestamp) -> PreviewUrl {
    PreviewUrl {
        grant: grant(&signed.grant, now),
        url: signed.url.clone(),
        websocket_url: signed.websocket_url.clone(),
        access_token_expires_at: Some(signed.grant.expires_at),
        access_token_transport: Some("query".into()),
    }
}
