//! Whole answers, as clients read them.

use super::setup::{build, call, server};
use insta::{Settings, assert_json_snapshot};
use reqwest::Method;
use serde_json::Value;

/// Ids and times differ from run to run; nothing else may.
fn settled() -> Settings {
    let mut settings = Settings::clone_current();
    for id in [
        "id",
        "build_id",
        "template_id",
        "resolved_template_build_id",
        "runtime_artifact_id",
        "request_id",
        "source_digest",
    ] {
        settings.add_redaction(&format!(".**.{id}"), "[id]");
    }
    settings.add_redaction(".**.artifact_ids[]", "[id]");
    for time in [
        "created_at",
        "updated_at",
        "started_at",
        "finished_at",
        "queued_at",
        "timeout_at",
        "expires_at",
        "enabled_at",
        "last_reconciled_at",
        "timestamp",
    ] {
        settings.add_redaction(&format!(".**.{time}"), "[time]");
    }
    settings.add_redaction(".**.duration_ms", "[ms]");
    settings
}

async fn ask(server: &nullspace_testkit::HttpServer, method: Method, path: &str, body: &str) -> Value {
    call(server, method, path, (!body.is_empty()).then_some(body)).await.1
}

#[tokio::test]
async fn answers_have_exactly_these_fields() {
    let server = server().await;
    let log = build(&server).await;
    let settings = settled();
    let template = ask(&server, Method::GET, "/v1/templates/refs/app", "").await;
    let snapshot = ask(&server, Method::GET, &format!("/v1/templates/builds/{}", log[0].build_id), "").await;
    let pool = r#"{"template_ref":"app:default","name":"small","min_ready":0,"max_ready":0,"resources":{"vcpus":1,"memory_mb":256},
        "version_policy":"track_tag","labels":{"a":"b"},"metadata":{"c":1}}"#;
    let mut pool = ask(&server, Method::POST, "/v1/template-warm-pools", pool).await;
    // The controller may or may not have been by already.
    pool.as_object_mut().unwrap().remove("last_reconciled_at");
    pool["rollout_status"].as_object_mut().unwrap().remove("updated_at");
    let create = format!(
        r#"{{"template":"app","warm_pool":{{"id":"{}","mode":"MODE"}},"metadata":{{"k":"v"}}}}"#,
        pool["id"].as_str().unwrap()
    );
    let refused = ask(&server, Method::POST, "/v1/sandboxes", &create.replace("MODE", "require")).await;
    let sandbox = ask(&server, Method::POST, "/v1/sandboxes", &create.replace("MODE", "prefer")).await;
    settings.bind(|| {
        assert_json_snapshot!("template", template);
        assert_json_snapshot!("build", snapshot);
        assert_json_snapshot!("warm_pool", pool);
        assert_json_snapshot!("warm_pool_unavailable", refused);
        assert_json_snapshot!("sandbox", sandbox);
    });
}
