//! `POST /v1/templates/plan`: what a build would do, without doing it.

use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::Object;
use nullspace_api::build_request::{BuildRequest, ContextManifest, PlanAnswer};
use nullspace_api::builds::BuildBackend;
use nullspace_domain::build::Backend;
use serde_json::Value;

/// Answers with the normalised plan.
#[utoipa::path(post, path = "/v1/templates/plan", tag = "builds", request_body = BuildRequest, responses((status = 200, body = PlanAnswer)))]
pub async fn plan_build(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Value>,
) -> Result<Json<PlanAnswer>, Error> {
    let plan = app.engine.plan_build(&caller, &body).await?;
    let build_plan = match plan.plan {
        Value::Object(plan) => plan,
        other => Object::from_iter([("plan".to_owned(), other)]),
    };
    let file_count = plan.file_count as u64;
    Ok(Json(PlanAnswer {
        build_plan,
        requires_base_image_auth: plan.requires_base_image_auth,
        build_backend: Some(match plan.backend {
            Backend::Native => BuildBackend::Native,
            Backend::Buildkit => BuildBackend::Buildkit,
        }),
        source_type: serde_json::from_value(plan.source_type.into()).ok(),
        source_digest: Some(plan.source_digest),
        dockerfile_digest: plan.dockerfile_digest,
        warnings: Some(plan.warnings),
        context_manifest: plan.context_digest.map(|digest| ContextManifest {
            context_manifest_id: digest.clone(),
            context_digest: digest,
            file_count,
        }),
    }))
}
