//! Builds, their logs, and tags.

use crate::house::{House, plain, template};
use nullspace_domain::limits::PROBLEMS_MAX;
use nullspace_server::engine::{BlobFile, BuildFilter, Error};
use nullspace_server::records::{BuildStatus, LogKind};
use nullspace_testkit::sim_node::Build;
use serde_json::json;
use sha2::{Digest, Sha256};

#[tokio::test]
async fn a_log_is_numbered_without_gaps_and_reads_the_same_live_and_later() {
    let house = House::open().await;
    house.node.set_build(Build::Say((0..1000).map(|line| format!("line {line}")).collect()));
    let build = house.engine.start_build(&house.caller, &template("py", &["stable"])).await.unwrap();
    let mut live = Vec::new();
    let mut log = house.engine.follow_build(&house.caller, build.id.as_str(), 0, true).await.unwrap();
    while let Some(entry) = log.next().await.unwrap() {
        live.push(entry);
    }
    assert_eq!(live.len(), 1002);
    assert!(live.iter().enumerate().all(|(index, entry)| entry.offset == index as u64));
    assert_eq!((live[0].kind, live[1001].kind), (LogKind::Start, LogKind::End));
    let result = live[1001].result.as_ref().unwrap();
    assert_eq!((result.canonical_ref.as_str(), result.default_tag.as_deref()), ("team/py", Some("stable")));
    let later = house.engine.get_build(&house.caller, build.id.as_str(), 0).await.unwrap();
    assert_eq!(later.entries, live);
    assert_eq!((later.build.status, later.next_offset), (BuildStatus::Ready, 1002));
}

#[tokio::test]
async fn a_failed_build_says_where_and_its_tag_stays_where_it_was() {
    let house = House::open().await;
    let good = house.template("py").await;
    house.node.set_build(Build::Fail("pip ended with 1".to_owned()));
    let bad = house.build(template("py", &["default"])).await;
    assert_eq!(bad.status, BuildStatus::Error);
    assert_eq!(bad.failure.unwrap().message, "pip ended with 1");
    assert_eq!(bad.template, good.template);
    let sandbox = house.engine.create_sandbox(&house.caller, plain("py")).await.unwrap();
    assert_eq!(sandbox.build, good.id);
    let page = house.engine.list_builds(&house.caller, "py", BuildFilter::default()).await.unwrap();
    assert_eq!(page.builds.iter().map(|build| build.id.clone()).collect::<Vec<_>>(), [bad.id.clone(), good.id]);
    let refused = house.engine.promote_build(&house.caller, bad.id.as_str(), vec!["x".to_owned()]).await.unwrap_err();
    assert!(matches!(refused, Error::BuildNotPromotable { .. }));
}

#[tokio::test]
async fn a_cancelled_build_ends_cancelled_with_its_reason() {
    let house = House::open().await;
    house.node.set_build(Build::Hang);
    let build = house.engine.start_build(&house.caller, &template("py", &["default"])).await.unwrap();
    let reason = Some("changed my mind".to_owned());
    let snapshot = house.engine.cancel_build(&house.caller, build.id.as_str(), reason).await.unwrap();
    assert_eq!(snapshot.build.status, BuildStatus::Cancelled);
    let last = snapshot.entries.last().unwrap();
    assert_eq!(last.kind, LogKind::Cancelled);
    assert!(last.message.contains("changed my mind"));
    let again = house.engine.cancel_build(&house.caller, build.id.as_str(), None).await.unwrap();
    assert_eq!(again.entries.len(), snapshot.entries.len());
}

#[tokio::test]
async fn a_tag_goes_to_the_build_that_was_started_last() {
    let house = House::open().await;
    house.node.set_build(Build::Hang);
    let slow = house.engine.start_build(&house.caller, &template("py", &["stable"])).await.unwrap();
    house.node.set_build(Build::Succeed);
    let quick = house.build(template("py", &["stable"])).await;
    house.engine.cancel_build(&house.caller, slow.id.as_str(), None).await.unwrap();
    let tags = house.engine.list_tags(&house.caller, "py").await.unwrap();
    assert_eq!((tags[0].tag.as_str(), &tags[0].build), ("stable", &quick.id));
    // A person may point it anywhere.
    let older = house.build(template("py", &["old"])).await;
    house.engine.assign_tags(&house.caller, "py:stable", vec!["old".to_owned()]).await.unwrap();
    let promoted =
        house.engine.promote_build(&house.caller, older.id.as_str(), vec!["stable".to_owned()]).await.unwrap();
    assert_eq!(promoted.tags.len(), 2);
    house.engine.remove_tag(&house.caller, "py", "old").await.unwrap();
    let gone = house.engine.get_template(&house.caller, "py:old").await.unwrap_err();
    assert!(matches!(gone, Error::TemplateNotFound { .. }));
}

#[tokio::test]
async fn a_context_file_is_kept_only_if_it_is_what_it_was_said_to_be() {
    let house = House::open().await;
    let bytes = b"print('hello')".to_vec();
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let file = BlobFile { path: "app.py".to_owned(), sha256, size_bytes: bytes.len() as u64, force_upload: false };
    let check = house.engine.preflight_blobs(&house.caller, vec![file.clone()]).await.unwrap().remove(0);
    assert!(check.missing);
    let body = |bytes: Vec<u8>| futures::stream::iter([Ok(bytes::Bytes::from(bytes))]);
    for wrong in [b"print('hellO')".to_vec(), b"print".to_vec(), b"print('hello') # more".to_vec()] {
        let refused = house.engine.put_blob(&house.caller, &check.blob_id, body(wrong)).await.unwrap_err();
        assert!(matches!(refused, Error::FileUpload { .. }), "{refused:?}");
    }
    let mut request = template("py", &["default"]);
    request["steps"] = json!([{"action": "copy", "sources": ["app.py"], "dst": "/workspace/app.py"}]);
    request["build_context"] = json!({"files": [
        {"path": "app.py", "entry_type": "file", "blob_id": check.blob_id, "mode": "0644"}]});
    let refused = house.engine.start_build(&house.caller, &request).await.unwrap_err();
    assert!(matches!(refused, Error::FileUpload { .. }), "{refused:?}");
    house.engine.put_blob(&house.caller, &check.blob_id, body(bytes)).await.unwrap();
    assert!(!house.engine.preflight_blobs(&house.caller, vec![file]).await.unwrap()[0].missing);
    assert_eq!(house.build(request).await.status, BuildStatus::Ready);
}

#[tokio::test]
async fn a_request_that_cannot_be_built_leaves_no_template() {
    let house = House::open().await;
    for (body, field) in [
        (json!({"name": "x"}), "base_image"),
        (json!({"name": "a b", "base_image": "busybox"}), "name"),
        (json!({"name": "x", "tags": [], "base_image": "busybox"}), "tags"),
    ] {
        match house.engine.start_build(&house.caller, &body).await {
            Err(Error::InvalidRequest { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{other:?}"),
        }
    }
    let dockerfile = json!({"name": "x", "dockerfile": "FROM busybox"});
    let refused = house.engine.start_build(&house.caller, &dockerfile).await.unwrap_err();
    assert!(matches!(refused, Error::NotImplemented { .. }), "{refused:?}");
    let foreign = json!({"name": "else/x", "base_image": "busybox"});
    assert!(matches!(house.engine.start_build(&house.caller, &foreign).await, Err(Error::Forbidden { .. })));
    let own: Vec<_> = house.engine.list_templates(&house.caller).await.unwrap();
    assert!(own.iter().all(|template| template.builtin), "{own:?}");
    let validation = house.engine.validate_build(&house.caller, &json!({})).await.unwrap();
    assert!((1..=PROBLEMS_MAX).contains(&validation.errors.len()));
}

#[tokio::test]
async fn a_builtin_is_built_by_whoever_uses_it_first_and_once() {
    let house = House::open().await;
    let both =
        futures::future::join_all((0..2).map(|_| house.engine.create_sandbox(&house.caller, plain("base")))).await;
    let both: Vec<_> = both.into_iter().map(|sandbox| sandbox.unwrap()).collect();
    assert_eq!(both[0].build, both[1].build);
    let info = house.engine.get_template(&house.caller, "nullspace/base:latest").await.unwrap();
    assert!(info.builtin);
    let refused = house.engine.delete_template(&house.caller, "base").await.unwrap_err();
    assert!(matches!(refused, Error::InvalidRequest { .. }));
}

#[tokio::test]
async fn a_deleted_template_is_gone_and_its_sandboxes_live_on() {
    let house = House::open().await;
    house.template("py").await;
    let sandbox = house.engine.create_sandbox(&house.caller, plain("py")).await.unwrap();
    house.engine.delete_template(&house.caller, "team/py").await.unwrap();
    assert!(matches!(house.engine.get_template(&house.caller, "py").await, Err(Error::TemplateNotFound { .. })));
    assert!(house.engine.open_guest(&house.caller, sandbox.id.as_str()).await.is_ok());
    // The name is free again.
    house.template("py").await;
}
