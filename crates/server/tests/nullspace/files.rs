//! Files, kept by the real agent.

use super::setup::{call, sandbox, server};
use nullspace_api::files::{Encoding, FileQuery, ListQuery, SetPermissions, WriteFile};
use reqwest::Method;

#[tokio::test]
async fn a_file_is_written_read_moved_and_removed() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let (id, client) = (sandbox.id.as_str(), &server.client);
    let cwd = sandbox.cwd.clone().unwrap();
    let text = WriteFile { path: "a/b.txt".into(), content: "grüße".into(), encoding: None, user: None };
    let written = client.write_file(id, &text).await.unwrap();
    assert_eq!((written.path, written.size), (format!("{cwd}/a/b.txt"), 7));
    let bytes = WriteFile { path: "c".into(), content: "/wA=".into(), encoding: Some(Encoding::Base64), user: None };
    client.write_file(id, &bytes).await.unwrap();
    assert_eq!(client.read_file(id, "a/b.txt").await.unwrap().content, "grüße");
    let not_text = client.read_file(id, "c").await.unwrap_err();
    assert_eq!(not_text.body().unwrap().details.as_ref().unwrap()["field"], "encoding");

    let change = SetPermissions { path: "c".into(), permissions: "0700".into(), user: None };
    client.set_permissions(id, &change).await.unwrap();
    assert_eq!(client.file_info(id, "c").await.unwrap().permissions.as_deref(), Some("rwx------"));
    client.make_dir(id, "d/e").await.unwrap();
    assert!(client.file_info(id, "d").await.unwrap().is_dir);
    let listed = client.list_files(id, &ListQuery { path: Some(cwd.clone()), ..Default::default() }).await.unwrap();
    let mut names: Vec<_> = listed.iter().map(|file| file.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "c", "d"]);

    assert_eq!(client.rename_file(id, "c", "f").await.unwrap().name, "f");
    assert!(!client.file_exists(id, "c").await.unwrap());
    assert!(!client.file_exists(id, "f/below").await.unwrap());
    client.remove_file(id, "a").await.unwrap();
    let gone = client.read_file(id, "a/b.txt").await.unwrap_err();
    assert_eq!(gone.code().unwrap().as_str(), "file_not_found");
}

#[tokio::test]
async fn raw_bytes_go_up_and_down_unchanged() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let query = FileQuery { path: "big".into(), user: None };
    server.client.upload(&sandbox.id, &query, content.clone()).await.unwrap();
    let down = server.client.download(&sandbox.id, &query).await.unwrap().bytes().await.unwrap();
    assert!(down == content, "{} bytes came back", down.len());
    let missing = FileQuery { path: "none".into(), user: None };
    let error = server.client.download(&sandbox.id, &missing).await.unwrap_err();
    assert_eq!(error.code().unwrap().as_str(), "file_not_found");
}

#[tokio::test]
async fn a_batch_says_for_each_file_how_it_went() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let manifest = r#"{"files":[{"path":"one","field":"file0"},{"path":"two","field":"file1"}],"user":null}"#;
    let body = format!(
        "--B\r\nContent-Disposition: form-data; name=\"manifest\"; filename=\"manifest.json\"\r\n\r\n{manifest}\r\n\
         --B\r\nContent-Disposition: form-data; name=\"file0\"; filename=\"x\"\r\n\r\ncontent\r\n--B--\r\n"
    );
    let path = format!("/v1/sandboxes/{}/files/batch-write", sandbox.id);
    let (status, refused) = call(&server, Method::POST, &path, Some(&body)).await;
    assert_eq!((status.as_u16(), refused["details"]["field"].as_str()), (400, Some("body")));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer: serde_json::Value = client
        .post(format!("{}{path}", server.url))
        .bearer_auth(nullspace_testkit::http_server::KEY)
        .header("content-type", "multipart/form-data; boundary=B")
        .body(body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let results = answer["results"].as_array().unwrap();
    assert_eq!((results[0]["status"].as_str(), results[0]["info"]["size"].as_u64()), (Some("success"), Some(7)));
    assert_eq!((results[1]["status"].as_str(), results[1]["path"].as_str()), (Some("error"), Some("two")));
}
