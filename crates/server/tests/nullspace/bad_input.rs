//! Everything a client can get wrong is a 4xx (or 501) in the one error shape, naming the field.

use super::setup::{build, call, call_as, server};
use nullspace_testkit::http_server::KEY;
use reqwest::Method;

#[tokio::test]
async fn every_bad_request_names_its_field_and_changes_nothing() {
    let server = server().await;
    build(&server).await;
    let pool = |change: &str| {
        format!(
            r#"{{"template_ref":"app","name":"p","min_ready":0,"max_ready":0,"resources":{{"vcpus":1,"memory_mb":256}}{change}}}"#
        )
    };
    let pools = "/v1/template-warm-pools";
    let sandboxes = "/v1/sandboxes";
    let cases: Vec<(Method, String, String, u16, &str, &str)> = vec![
        (Method::POST, pools.into(), "{".into(), 400, "invalid_request", "body"),
        (Method::POST, pools.into(), "[1]".into(), 400, "invalid_request", "body"),
        (Method::POST, pools.into(), "{}".into(), 400, "invalid_request", "template_ref"),
        (Method::POST, pools.into(), r#"{"min_ready":-1}"#.into(), 400, "invalid_request", "min_ready"),
        (Method::POST, pools.into(), pool(r#","checkout_policy":"always""#), 400, "invalid_request", "checkout_policy"),
        (
            Method::POST,
            pools.into(),
            pool(r#","idle_timeout_seconds":0"#),
            400,
            "invalid_request",
            "idle_timeout_seconds",
        ),
        (
            Method::POST,
            pools.into(),
            pool(r#","host_pool_id":"a","cell_id":"b""#),
            501,
            "not_implemented",
            "host_pool_id",
        ),
        (
            Method::POST,
            pools.into(),
            r#"{"template_ref":"app","name":"p","min_ready":2,"max_ready":1}"#.into(),
            400,
            "invalid_request",
            "min_ready",
        ),
        (Method::GET, format!("{pools}?limit=0"), String::new(), 400, "invalid_request", "limit"),
        (Method::GET, format!("{pools}?label=novalue"), String::new(), 400, "invalid_request", "label"),
        (Method::GET, format!("{pools}?state=half"), String::new(), 400, "invalid_request", "state"),
        (Method::POST, sandboxes.into(), r#"{"vcpus":"two"}"#.into(), 400, "invalid_request", "vcpus"),
        (Method::POST, sandboxes.into(), r#"{"timeout_ms":0}"#.into(), 400, "invalid_request", "timeout_ms"),
        (
            Method::POST,
            sandboxes.into(),
            r#"{"warm_pool":{"mode":"prefer"}}"#.into(),
            400,
            "invalid_request",
            "warm_pool.id",
        ),
        (Method::POST, sandboxes.into(), r#"{"volumes":[{}]}"#.into(), 501, "not_implemented", "volumes"),
        (Method::POST, sandboxes.into(), r#"{"network":{}}"#.into(), 501, "not_implemented", "network"),
        (Method::POST, sandboxes.into(), r#"{"snapshot_id":"snap_1"}"#.into(), 501, "not_implemented", "snapshot_id"),
        (Method::POST, sandboxes.into(), r#"{"auto_resume":true}"#.into(), 501, "not_implemented", "auto_resume"),
        (
            Method::POST,
            sandboxes.into(),
            r#"{"timeout_action":"hibernate"}"#.into(),
            501,
            "not_implemented",
            "timeout_action",
        ),
        (
            Method::POST,
            sandboxes.into(),
            r#"{"lifecycle":{"on_timeout":"pause"}}"#.into(),
            501,
            "not_implemented",
            "lifecycle.on_timeout",
        ),
        (Method::GET, format!("{sandboxes}?state=asleep"), String::new(), 400, "invalid_request", "state"),
        (Method::GET, format!("{sandboxes}?metadata=x"), String::new(), 400, "invalid_request", "metadata"),
        (Method::GET, format!("{sandboxes}?fields=id,nope"), String::new(), 400, "invalid_fields", "fields"),
        (Method::POST, format!("{sandboxes}/sb_none/exec"), "{}".into(), 400, "invalid_request", "command"),
        (Method::POST, format!("{sandboxes}/sb_none/host"), r#"{"port":22}"#.into(), 400, "invalid_request", "port"),
        (
            Method::GET,
            format!("{sandboxes}/sb_none/ports/5901/preview-url"),
            String::new(),
            400,
            "invalid_request",
            "port",
        ),
        (
            Method::POST,
            format!("{sandboxes}/sb_none/files/permissions"),
            r#"{"path":"/","permissions":"9"}"#.into(),
            400,
            "invalid_request",
            "permissions",
        ),
        (
            Method::GET,
            "/v1/templates/builds/tb_1/logs?offset=1&cursor=1".into(),
            String::new(),
            400,
            "invalid_request",
            "cursor",
        ),
        (
            Method::POST,
            "/v1/templates/blobs/preflight".into(),
            r#"{"files":[{"path":"a","entry_type":"file","sha256":"x","size_bytes":1}]}"#.into(),
            400,
            "invalid_request",
            "files[0].sha256",
        ),
        (
            Method::POST,
            "/v1/images".into(),
            r#"{"name":"a","source":{"kind":"archive","path":"relative"}}"#.into(),
            400,
            "invalid_request",
            "source.path",
        ),
        (Method::GET, format!("{sandboxes}/sb_none/ws"), String::new(), 501, "not_implemented", "channel"),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, status, code, field) in cases {
        let body = (!body.is_empty()).then_some(body);
        let (got, answer) = call(&server, method.clone(), &path, body.as_deref()).await;
        let as_it_should = got.as_u16() == status
            && answer["code"] == code
            && answer["details"]["field"] == field
            && answer["error"].as_str().is_some_and(|text| !text.is_empty());
        if !as_it_should {
            wrong.push(format!("{method} {path} {body:?} answered {got} {answer}, not {status} {code} {field}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(server.client.list_warm_pools(&Default::default()).await.unwrap().is_empty());
    assert!(server.client.list_sandboxes(&Default::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn what_axum_answers_by_itself_has_the_same_shape() {
    let server = server().await;
    for (method, path, status, code) in [
        (Method::GET, "/nowhere", 404, "not_found"),
        (Method::PUT, "/v1/sandboxes", 405, "method_not_allowed"),
        (Method::POST, "/v1/sandboxes/sb_1/fork", 501, "not_implemented"),
        (Method::GET, "/v1/volumes/by-name/x", 501, "not_implemented"),
        (Method::GET, "/v1/sandboxes/sb_none", 404, "sandbox_not_found"),
        (Method::GET, "/v1/templates/refs/none", 404, "template_not_found"),
        (Method::GET, "/v1/templates/builds/tb_none", 404, "template_build_not_found"),
        (Method::GET, "/v1/template-warm-pools/twp_none", 404, "template_warm_pool_not_found"),
    ] {
        let (got, headers, answer) = call_as(&server, KEY, method.clone(), path, None).await;
        assert_eq!((got.as_u16(), answer["code"].as_str()), (status, Some(code)), "{method} {path}: {answer}");
        assert_eq!(headers["x-request-id"], answer["request_id"].as_str().unwrap(), "{method} {path}");
        assert_eq!(headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_body_over_its_limit_is_413_and_says_so() {
    let server = server().await;
    let body = format!(r#"{{"name":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    let (status, answer) = call(&server, Method::POST, "/v1/sandboxes", Some(&body)).await;
    assert_eq!((status.as_u16(), answer["details"]["field"].as_str()), (413, Some("body")), "{answer}");
}

#[tokio::test]
async fn without_a_good_key_nothing_is_answered_but_health() {
    let server = server().await;
    for key in ["", "ns_live_wrong", "x y z"] {
        for path in ["/v1/templates", "/v1/sandboxes/sb_1", "/v1/volumes", "/v1/images"] {
            let (status, _, answer) = call_as(&server, key, Method::GET, path, None).await;
            assert_eq!((status.as_u16(), answer["code"].as_str()), (401, Some("unauthorized")), "{path}: {answer}");
        }
    }
    let (status, _, answer) = call_as(&server, "", Method::GET, "/healthz", None).await;
    assert_eq!((status.as_u16(), answer["status"].as_str()), (200, Some("ok")));
}
