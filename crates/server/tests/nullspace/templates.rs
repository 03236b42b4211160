//! Templates and builds.

use super::setup::{build, call, server};
use futures::StreamExt;
use nullspace_api::build_request::{BuildRequest, EntryType, Preflight, PreflightFile};
use nullspace_api::builds::{BuildStatus, LogKind, LogQuery};
use reqwest::Method;

#[tokio::test]
async fn a_build_streams_its_log_to_the_end_and_is_found_by_every_ref() {
    let server = server().await;
    let log = build(&server).await;
    assert_eq!(log.first().unwrap().kind, LogKind::Start);
    let end = log.last().unwrap();
    assert_eq!(end.kind, LogKind::End, "{end:?}");
    let info = end.result.clone().expect("the template");
    assert_eq!(info.canonical_ref.as_deref(), Some("default/app"));
    assert!(log.iter().all(|entry| entry.build_id == end.build_id && entry.template_id == info.id));
    assert!(log.iter().enumerate().all(|(index, entry)| entry.offset == index as u64));
    // The line separator came through whole.
    assert!(log.iter().any(|entry| entry.message.contains('\u{2028}')));

    let exact = format!("app:{}", end.build_id);
    for reference in ["app", "app:default", "default/app", "default/app:default", &exact, &info.id] {
        assert_eq!(server.client.get_template(reference).await.unwrap().id, info.id, "{reference}");
    }
    assert_eq!(server.client.list_builds(&info.id, &Default::default()).await.unwrap().builds.len(), 1);
    let (_, by_id) = call(&server, Method::GET, &format!("/v1/templates/{}/builds", info.id), None).await;
    assert_eq!(by_id["builds"][0]["build_id"], end.build_id.as_str());

    let snapshot = server.client.get_build(&end.build_id, 1).await.unwrap();
    assert_eq!(snapshot.build.status, BuildStatus::Ready);
    assert_eq!((snapshot.entries.len(), snapshot.next_offset), (log.len() - 1, log.len() as u64));
    let query = LogQuery { cursor: Some(0), follow: Some(true), offset: None };
    let replayed: Vec<_> = server.client.build_logs(&end.build_id, &query).await.unwrap().collect().await;
    assert_eq!(replayed.len(), log.len() - 1);
}

#[tokio::test]
async fn a_tag_moves_and_a_ref_with_a_slash_is_one_segment() {
    let server = server().await;
    let log = build(&server).await;
    let client = &server.client;
    let promoted = client.promote_build(&log[0].build_id, "stable").await.unwrap();
    assert!(promoted.tags.contains(&"stable".to_owned()), "{promoted:?}");
    let (status, found) = call(&server, Method::GET, "/v1/templates/refs/default%2Fapp%3Astable", None).await;
    assert_eq!((status.as_u16(), found["name"].as_str()), (200, Some("app")));
    let (status, found) = call(&server, Method::GET, "/v1/templates/refs/default%2Fapp?fields=name,tags", None).await;
    assert_eq!((status.as_u16(), found.as_object().unwrap().len()), (200, 2), "{found}");
    client.assign_tags("app:stable", vec!["v1".into()]).await.unwrap();
    client.remove_tag("app", "stable").await.unwrap();
    let tags: Vec<_> = client.list_tags("app").await.unwrap().into_iter().map(|tag| tag.tag).collect();
    assert!(tags.contains(&"v1".into()) && !tags.contains(&"stable".into()), "{tags:?}");
    client.delete_template("app").await.unwrap();
    assert_eq!(client.get_template("app").await.unwrap_err().code().unwrap().as_str(), "template_not_found");
}

#[tokio::test]
async fn a_context_file_is_uploaded_once_and_only_if_it_is_what_it_says() {
    let server = server().await;
    let file = |force| PreflightFile {
        path: "a".into(),
        entry_type: EntryType::File,
        mode: Some("0644".into()),
        // Of "hello".
        sha256: Some("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".into()),
        size_bytes: Some(5),
        force_upload: force,
    };
    let dir = PreflightFile {
        path: "d".into(),
        entry_type: EntryType::Dir,
        mode: None,
        sha256: None,
        size_bytes: None,
        force_upload: None,
    };
    let asked = Preflight { files: vec![dir, file(None)] };
    let answer = server.client.preflight_blobs(&asked).await.unwrap().files;
    assert_eq!((answer[0].path.as_str(), answer[0].missing), ("d", false));
    assert!(answer[1].missing);
    let blob = answer[1].blob_id.clone().unwrap();
    let wrong = server.client.upload_blob(&blob, "HELLO").await.unwrap_err();
    let body = wrong.body().unwrap();
    assert_eq!(body.code.as_str(), "file_upload_error");
    assert!(body.error_detail.is_some());
    server.client.upload_blob(&blob, "hello").await.unwrap();
    assert!(!server.client.preflight_blobs(&asked).await.unwrap().files[1].missing);
}

#[tokio::test]
async fn validate_answers_200_for_a_bad_request_and_plan_400() {
    let server = server().await;
    let bad = r#"{"base_image":"busybox","steps":[{"action":"levitate"}]}"#;
    let (status, found) = call(&server, Method::POST, "/v1/templates/validate", Some(bad)).await;
    assert_eq!((status.as_u16(), found["valid"].as_bool()), (200, Some(false)), "{found}");
    let (status, found) = call(&server, Method::POST, "/v1/templates/plan", Some(bad)).await;
    assert_eq!((status.as_u16(), found["code"].as_str()), (400, Some("invalid_request")), "{found}");
    let good = BuildRequest { name: Some("x".into()), base_image: Some("busybox".into()), ..Default::default() };
    assert!(server.client.validate_build(&good).await.unwrap().valid);
    assert!(!server.client.plan_build(&good).await.unwrap().build_plan.is_empty());
}
