//! Builds, their logs, and the context files they need.

use super::transport::segment;
use super::{Client, Error, EventStream, events};
use crate::build_request::{BuildRequest, PlanAnswer, Preflight, PreflightAnswer, RetryBuild, Validation};
use crate::builds::{Build, BuildList, BuildListQuery, BuildSnapshot, CancelBuild, LogEntry, LogQuery, PromoteBuild};
use crate::templates::TemplateInfo;
use bytes::Bytes;
use reqwest::Method;

impl Client {
    /// Builds, and follows the log to its terminal entry.
    pub async fn build_template(&self, request: &BuildRequest) -> Result<EventStream<LogEntry>, Error> {
        let response = self.answer(self.request(Method::POST, "/v1/templates/build").json(request)).await?;
        Ok(events::read(response, &self.base))
    }

    /// Starts a build and does not wait for it.
    pub async fn start_build(&self, request: &BuildRequest) -> Result<Build, Error> {
        self.post("/v1/templates/builds", request).await
    }

    /// A build, with its log from `offset` on.
    pub async fn get_build(&self, build: &str, offset: u64) -> Result<BuildSnapshot, Error> {
        self.get(&format!("/v1/templates/builds/{}?offset={offset}", segment(build))).await
    }

    pub async fn build_logs(&self, build: &str, query: &LogQuery) -> Result<EventStream<LogEntry>, Error> {
        let path = format!("/v1/templates/builds/{}/logs", segment(build));
        let response = self.answer(self.request(Method::GET, &path).query(query)).await?;
        Ok(events::read(response, &self.base))
    }

    pub async fn cancel_build(&self, build: &str, reason: Option<String>) -> Result<BuildSnapshot, Error> {
        self.post(&format!("/v1/templates/builds/{}/cancel", segment(build)), &CancelBuild { reason }).await
    }

    pub async fn retry_build(&self, build: &str, retry: &RetryBuild) -> Result<Build, Error> {
        self.post(&format!("/v1/templates/builds/{}/retry", segment(build)), retry).await
    }

    /// Moves a tag to the build.
    pub async fn promote_build(&self, build: &str, tag: &str) -> Result<TemplateInfo, Error> {
        let body = PromoteBuild { tag: Some(tag.to_owned()), tags: None };
        self.post(&format!("/v1/templates/builds/{}/promote", segment(build)), &body).await
    }

    pub async fn list_builds(&self, template: &str, query: &BuildListQuery) -> Result<BuildList, Error> {
        self.get_with(&format!("/v1/templates/refs/{}/builds", segment(template)), query).await
    }

    pub async fn validate_build(&self, request: &BuildRequest) -> Result<Validation, Error> {
        self.post("/v1/templates/validate", request).await
    }

    pub async fn plan_build(&self, request: &BuildRequest) -> Result<PlanAnswer, Error> {
        self.post("/v1/templates/plan", request).await
    }

    /// Which context files the server does not have yet.
    pub async fn preflight_blobs(&self, preflight: &Preflight) -> Result<PreflightAnswer, Error> {
        self.post("/v1/templates/blobs/preflight", preflight).await
    }

    pub async fn upload_blob(&self, blob: &str, content: impl Into<Bytes>) -> Result<(), Error> {
        let path = format!("/v1/templates/blobs/{}", segment(blob));
        let request = self.request(Method::PUT, &path).header("content-type", "application/octet-stream");
        self.done(request.body(content.into())).await
    }
}
