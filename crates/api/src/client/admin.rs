//! Images, hosts, tenants and keys.

use super::transport::segment;
use super::{Client, Error, EventStream, events};
use crate::admin::{
    AddImage, CreateTenant, Health, ImageEvent, ImageList, KeyList, NewKey, NodeList, Tenant, TenantList,
};
use reqwest::Method;

impl Client {
    pub async fn health(&self) -> Result<Health, Error> {
        self.get("/healthz").await
    }

    pub async fn list_images(&self) -> Result<ImageList, Error> {
        self.get("/v1/images").await
    }

    /// Pulls, imports or bootstraps an image; the last event is `done` or `error`.
    pub async fn add_image(&self, request: &AddImage) -> Result<EventStream<ImageEvent>, Error> {
        let response = self.answer(self.request(Method::POST, "/v1/images").json(request)).await?;
        Ok(events::read(response, &self.base))
    }

    pub async fn remove_image(&self, name: &str) -> Result<(), Error> {
        self.delete(&format!("/v1/images/{}", segment(name))).await
    }

    pub async fn list_nodes(&self) -> Result<NodeList, Error> {
        self.get("/v1/nodes").await
    }

    pub async fn create_tenant(&self, slug: &str) -> Result<Tenant, Error> {
        self.post("/v1/tenants", &CreateTenant { slug: slug.to_owned() }).await
    }

    pub async fn list_tenants(&self) -> Result<TenantList, Error> {
        self.get("/v1/tenants").await
    }

    /// The only time the key's text is shown.
    pub async fn create_key(&self, tenant: &str) -> Result<NewKey, Error> {
        self.act(&format!("/v1/tenants/{}/keys", segment(tenant))).await
    }

    pub async fn list_keys(&self, tenant: &str) -> Result<KeyList, Error> {
        self.get(&format!("/v1/tenants/{}/keys", segment(tenant))).await
    }

    pub async fn revoke_key(&self, tenant: &str, key: &str) -> Result<(), Error> {
        self.delete(&format!("/v1/tenants/{}/keys/{}", segment(tenant), segment(key))).await
    }
}
