//! The document says what the router serves, no less and no more.

use super::setup::{call, server};
use nullspace_server::http;
use reqwest::Method;
use std::collections::BTreeSet;
use std::path::Path;

fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(http::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, _) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            operations.push((method.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn every_operation_of_the_document_is_served() {
    let server = server().await;
    for (method, path) in operations() {
        let real = path.replace("{port}", "80").replace("{pid}", "1").replace(['{', '}'], "");
        let (status, answer) = call(&server, method.clone(), &real, None).await;
        let nothing_there = answer["code"] == "not_found" || answer["code"] == "method_not_allowed";
        assert!(!nothing_there, "{method} {path} answered {status} {answer}");
    }
}

#[test]
fn every_handler_with_a_description_is_in_the_document() {
    fn described(directory: &Path) -> usize {
        std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| match path.is_dir() {
                true => described(&path),
                false => std::fs::read_to_string(&path).unwrap().matches("#[utoipa::path(").count(),
            })
            .sum()
    }
    let handlers = described(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/nullspace"));
    assert_eq!(operations().len(), handlers);
}

#[test]
fn no_operation_says_a_parameter_or_its_name_twice() {
    let document = serde_json::to_value(http::document()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
            let mut names = BTreeSet::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = format!("{} {}", parameter["in"], parameter["name"]);
                assert!(names.insert(name.clone()), "{method} {path}: {name} twice");
            }
            for segment in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                assert!(names.contains(&format!("\"path\" \"{segment}\"")), "{method} {path}: no {segment}");
            }
        }
    }
}

#[tokio::test]
async fn the_document_is_served_without_a_key() {
    let server = server().await;
    let (status, document) = call(&server, Method::GET, "/openapi.json", None).await;
    assert_eq!(status.as_u16(), 200);
    assert!(document["components"]["schemas"]["ErrorBody"].is_object());
    let text = document.to_string();
    for (_, rest) in text.match_indices("#/components/schemas/").map(|(at, found)| text[at..].split_at(found.len())) {
        let name = rest.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "schema `{name}` is not there");
    }
}
