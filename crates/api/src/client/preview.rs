//! Ports of a sandbox.

use super::transport::segment;
use super::{Client, Error};
use crate::preview::{
    GrantList, GrantQuery, HostInfo, HostRequest, PreviewReadiness, PreviewUrl, ReadinessRequest, RevokedGrant,
    SignPreview,
};
use reqwest::Method;

fn ports(sandbox: &str, port: u16, rest: &str) -> String {
    format!("/v1/sandboxes/{}/ports/{port}/{rest}", segment(sandbox))
}

impl Client {
    pub async fn sandbox_host(&self, sandbox: &str, port: u16) -> Result<HostInfo, Error> {
        let body = HostRequest { port: port.into() };
        self.post(&format!("/v1/sandboxes/{}/host", segment(sandbox)), &body).await
    }

    pub async fn preview_url(&self, sandbox: &str, port: u16) -> Result<PreviewUrl, Error> {
        self.get(&ports(sandbox, port, "preview-url")).await
    }

    pub async fn sign_preview(&self, sandbox: &str, port: u16, request: &SignPreview) -> Result<PreviewUrl, Error> {
        self.post(&ports(sandbox, port, "signed-preview-url"), request).await
    }

    /// Waits until something answers on the port, or says that nothing did.
    pub async fn wait_for_port(
        &self,
        sandbox: &str,
        port: u16,
        request: &ReadinessRequest,
    ) -> Result<PreviewReadiness, Error> {
        self.post(&ports(sandbox, port, "readiness"), request).await
    }

    pub async fn list_preview_urls(&self, sandbox: &str, port: Option<u16>) -> Result<GrantList, Error> {
        let query = GrantQuery { port: port.map(u32::from) };
        self.get_with(&format!("/v1/sandboxes/{}/preview-urls", segment(sandbox)), &query).await
    }

    pub async fn revoke_preview_url(&self, sandbox: &str, grant: &str) -> Result<RevokedGrant, Error> {
        let path = format!("/v1/sandboxes/{}/preview-urls/{}", segment(sandbox), segment(grant));
        self.json(self.request(Method::DELETE, &path)).await
    }
}
