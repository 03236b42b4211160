//! Templates and tags.

use super::transport::segment;
use super::{Client, Error};
use crate::templates::{AssignTags, TagInfo, TemplateInfo};

impl Client {
    pub async fn list_templates(&self) -> Result<Vec<TemplateInfo>, Error> {
        self.get("/v1/templates").await
    }

    /// Any form of ref: a name, `name:tag`, `namespace/name`, an id.
    pub async fn get_template(&self, template: &str) -> Result<TemplateInfo, Error> {
        self.get(&format!("/v1/templates/refs/{}", segment(template))).await
    }

    pub async fn delete_template(&self, template: &str) -> Result<(), Error> {
        self.delete(&format!("/v1/templates/refs/{}", segment(template))).await
    }

    pub async fn list_tags(&self, template: &str) -> Result<Vec<TagInfo>, Error> {
        self.get(&format!("/v1/templates/refs/{}/tags", segment(template))).await
    }

    /// Moves every tag to the build that the ref resolves to.
    pub async fn assign_tags(&self, template: &str, tags: Vec<String>) -> Result<TemplateInfo, Error> {
        self.post(&format!("/v1/templates/refs/{}/tags", segment(template)), &AssignTags { tags }).await
    }

    pub async fn remove_tag(&self, template: &str, tag: &str) -> Result<(), Error> {
        self.delete(&format!("/v1/templates/refs/{}/tags/{}", segment(template), segment(tag))).await
    }
}
