//! Whole requests, as published clients send them and as nobody should.

use super::*;
use crate::template_ref::TemplateRef;
use serde_json::{Value, json};

/// The request of the seed demo (spec templates §9).
fn seed() -> Value {
    json!({
        "base_image": "python:3.12",
        "steps": [
            {"action": "pip_install", "packages": ["fastapi", "uvicorn"]},
            {"action": "copy", "sources": ["builder-context/step-1/src-0/app.py"], "dst": "/workspace/app.py"},
            {"action": "workdir", "path": "/workspace"},
        ],
        "start_cmd": "uvicorn app:app --host 0.0.0.0 --port 8080",
        "build_context": {"files": [
            {"path": "builder-context/step-1/src-0/app.py", "entry_type": "file", "blob_id": "blob_1", "mode": "0644"},
        ]},
        "runtime_config": {
            "default_workdir": "/workspace",
            "readiness": {"kind": "tcp", "port": 8080, "timeout_secs": 30, "interval_ms": 500, "startup_grace_secs": 2},
        },
        "name": "review-api",
        "tags": ["stable"],
        "build_config": {"vcpus": 2, "memory_mib": 512},
    })
}

/// The seed's request with these top-level fields changed; null takes one away.
fn seed_with(changes: Value) -> Value {
    let mut request = seed();
    for (key, value) in changes.as_object().expect("an object") {
        request[key] = value.clone();
    }
    request
}

fn fields_of(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.field.as_str()).collect()
}

#[track_caller]
fn refused(request: &Value, fields: &[&str]) -> Vec<Problem> {
    let problems = BuildRequest::parse(request).expect_err("refused");
    assert_eq!(fields_of(&problems), fields, "{problems:#?}");
    problems
}

#[test]
fn the_seeds_request_is_understood() {
    let request = BuildRequest::parse(&seed()).unwrap();
    let definition = &request.definition;
    assert_eq!(definition.name.as_ref().unwrap().as_str(), "review-api");
    assert_eq!(definition.steps().len(), 3);
    assert_eq!(definition.backend, Backend::Native);
    assert_eq!(definition.config, BuildConfig::default());
    assert_eq!(definition.runtime.default_workdir.as_deref(), Some("/workspace"));
    assert_eq!(definition.source_type(), "declarative");
    assert!(request.warnings.is_empty());
}

#[test]
fn a_request_of_almost_nothing_gets_the_published_defaults() {
    let definition =
        BuildRequest::parse(&json!({"base_image": "busybox", "unknown": {"is": "ignored"}})).unwrap().definition;
    assert_eq!(definition.tags, [crate::name::Tag::default_tag()]);
    assert_eq!(definition.name, None);
    assert_eq!(definition.context_digest(|_| None), None);
}

#[test]
fn every_problem_is_reported_at_once_under_its_field() {
    let request = seed_with(json!({
        "base_image": 7,
        "tags": [],
        "steps": [
            {"action": "fly"},
            {"action": "apt_install", "packages": ["-o=x", "git"]},
            {"action": "copy", "sources": ["builder-context/nothing"], "dst": "../up", "mode": "0999"},
        ],
        "build_envs": {"A B": "1"},
        "runtime_config": {"readiness": {"kind": "tcp", "port": 0}},
        "build_config": {"vcpus": -1, "memory_mib": 10},
        "skip_cache": "yes",
    }));
    refused(
        &request,
        &[
            "tags",
            "build_envs.A B",
            "runtime_config.readiness.port",
            "build_config.vcpus",
            "build_config.memory_mib",
            "skip_cache",
            "steps[0].action",
            "steps[1].packages[0]",
            "steps[2].dst",
            "steps[2].mode",
            "base_image",
        ],
    );
}

#[test]
fn ten_thousand_steps_are_refused_and_so_is_a_flood_of_problems() {
    let many: Vec<Value> = (0..10_000).map(|_| json!({"action": "run", "command": "true"})).collect();
    refused(&seed_with(json!({"steps": many})), &["steps"]);
    let wrong: Vec<Value> = (0..900).map(|_| json!({"action": "nope"})).collect();
    assert_eq!(BuildRequest::parse(&seed_with(json!({"steps": wrong}))).unwrap_err().len(), 50);
}

#[test]
fn what_a_copy_names_must_have_been_sent() {
    let problems = refused(&seed_with(json!({"build_context": null})), &["steps[1].sources"]);
    assert!(problems[0].message.contains("builder-context/step-1/src-0/app.py"), "{problems:?}");
    // A directory is there through what is in it.
    let in_directory = json!({
        "steps": [{"action": "copy", "sources": ["builder-context/step-0/src-0/pkg"], "dst": "/x/"}],
        "build_context": {"files": [{"path": "builder-context/step-0/src-0/pkg/a", "entry_type": "file", "blob_id": "b"}]},
    });
    BuildRequest::parse(&seed_with(in_directory)).unwrap();
}

#[test]
fn context_paths_stay_inside_the_context() {
    for path in ["/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "", "a\u{0}b", "a\\..\\b"] {
        let files =
            json!({"steps": [], "build_context": {"files": [{"path": path, "entry_type": "file", "blob_id": "b"}]}});
        refused(&seed_with(files), &["build_context.files[0].path"]);
    }
    let files = |paths: [&str; 2]| {
        let files: Vec<_> =
            paths.iter().map(|path| json!({"path": path, "entry_type": "file", "blob_id": "b"})).collect();
        seed_with(json!({"steps": [], "build_context": {"files": files}}))
    };
    refused(&files(["a", "a"]), &["build_context.files"]);
    refused(&files(["a", "a/b"]), &["build_context.files"]);
}

#[test]
fn a_file_is_a_blob_or_bytes_and_a_client_without_preflight_is_told() {
    let one = |file: Value| seed_with(json!({"steps": [], "build_context": {"files": [file]}}));
    let local = json!({"path": "a", "entry_type": "file", "mode": "0644", "_local_path": "/home/a", "_sha256": "00"});
    let problems = refused(&one(local), &["build_context.files[0].blob_id"]);
    assert_eq!((problems[0].code, problems[0].phase), ("file_upload_error", "blob_upload"));
    let both = json!({"path": "a", "entry_type": "file", "blob_id": "b", "content_base64": "YQ=="});
    refused(&one(both), &["build_context.files[0].blob_id"]);
    refused(&one(json!({"path": "a", "content_base64": "*"})), &["build_context.files[0].content_base64"]);
    let inline = BuildRequest::parse(&one(json!({"path": "a", "content_base64": "YQ=="}))).unwrap();
    let Content::Inline { bytes, size_bytes, .. } = &inline.definition.context[0].content else { panic!() };
    assert_eq!((bytes.as_slice(), *size_bytes), (b"a".as_slice(), 1));
}

#[test]
fn a_dockerfile_is_for_buildkit_and_takes_no_steps() {
    let dockerfile = json!({"dockerfile": "FROM a AS b\nFROM --platform=linux/amd64 c\n", "build_secrets": [{"id": "t", "value": "v"}]});
    let definition = BuildRequest::parse(&dockerfile).unwrap().definition;
    assert_eq!(definition.backend, Backend::Buildkit);
    assert_eq!(plan_json(&definition)["base_template"], "c");
    refused(&json!({"dockerfile": "FROM a", "build_backend": "native"}), &["build_backend"]);
    refused(&json!({"dockerfile": "FROM a", "base_image": "b"}), &["base_image"]);
    refused(&json!({}), &["base_image"]);
}

#[test]
fn names_may_carry_a_namespace_and_a_tag_but_not_somebody_elses() {
    let definition = BuildRequest::parse(&json!({"base_image": "a", "name": "team/x:v1"})).unwrap().definition;
    assert_eq!(definition.namespace.unwrap().as_str(), "team");
    assert_eq!(definition.tags[0].as_str(), "v1");
    for name in ["nullspace/x", "tmpl_1", "a/b/c", "x:tb_1", ""] {
        refused(&json!({"base_image": "a", "name": name}), &["name"]);
    }
}

#[test]
fn steps_that_would_be_something_else_on_a_command_line_are_refused() {
    for (step, field) in [
        (json!({"action": "git_clone", "url": "ext::sh -c id", "path": "/x"}), "steps[0].url"),
        (json!({"action": "git_clone", "url": "--upload-pack=x", "path": "/x"}), "steps[0].url"),
        (json!({"action": "git_clone", "url": "https://h/r", "path": "/x", "branch": "-b"}), "steps[0].branch"),
        (json!({"action": "remove", "path": "/"}), "steps[0].path"),
        (json!({"action": "remove", "path": "/a/../.."}), "steps[0].path"),
        (json!({"action": "user", "user": "-r"}), "steps[0].user"),
        (json!({"action": "run", "command": " "}), "steps[0].command"),
        (json!({"action": "workdir"}), "steps[0]"),
        (json!({"action": "apt_install", "packages": []}), "steps[0].packages"),
    ] {
        let problems = BuildRequest::parse(&json!({"base_image": "a", "steps": [step]})).expect_err(field);
        assert_eq!(problems[0].field, field, "{problems:?}");
    }
    let fine = json!([
        {"action": "git_clone", "url": "git@host:team/repo.git", "path": "/workspace", "branch": null},
        {"action": "copy_items", "items": []},
        {"action": "make_dir", "path": "a/../b", "mode": "755"},
    ]);
    BuildRequest::parse(&json!({"base_image": "a", "steps": fine})).unwrap();
}

#[test]
fn secrets_are_in_no_definition_and_no_debug_text() {
    let request = seed_with(json!({
        "base_image_auth": {"kind": "basic", "username": "u", "password": "hunter2"},
        "registry_auth": [{"registry": "r.example", "auth": {"kind": "gcp_artifact_registry", "service_account_json": {"k": "hunter2"}}}],
    }));
    let request = BuildRequest::parse(&request).unwrap();
    assert!(!format!("{request:?}").contains("hunter2"));
    assert!(!serde_json::to_string(&request.definition).unwrap().contains("hunter2"));
    assert!(
        matches!(&request.credentials.base_image_auth, Some(RegistryAuth::Basic { password, .. }) if password.reveal() == "hunter2")
    );
}

#[test]
fn a_kept_definition_can_be_retried_when_what_was_not_kept_is_sent_again() {
    let auth = json!({"kind": "basic", "username": "u", "password": "p"});
    let request = BuildRequest::parse(&seed_with(json!({"base_image_auth": auth}))).unwrap();
    let kept: Definition = serde_json::from_value(serde_json::to_value(&request.definition).unwrap()).unwrap();
    assert_eq!(kept, request.definition);
    let missing = kept.retry(Retry::default()).unwrap_err();
    assert_eq!(fields_of(&missing), ["base_image_auth"]);
    let again = Retry::parse(&json!({"base_image_auth": auth, "tags": ["next"]})).unwrap();
    let again = kept.retry(again).unwrap();
    assert_eq!(again.definition.tags[0].as_str(), "next");
    assert_eq!(again.definition.source_digest(), kept.source_digest());

    let inline = json!({"steps": [], "build_context": {"files": [{"path": "a", "content_base64": "YQ=="}]}});
    let inline = BuildRequest::parse(&seed_with(inline)).unwrap().definition;
    assert_eq!(fields_of(&inline.retry(Retry::default()).unwrap_err()), ["build_context"]);
}

#[test]
fn digests_depend_on_what_is_built_and_not_on_names_or_order() {
    let digest = |request: Value| BuildRequest::parse(&request).unwrap().definition.source_digest();
    assert_eq!(digest(seed()), digest(seed_with(json!({"name": "other", "tags": ["x"], "skip_cache": true}))));
    assert_ne!(digest(seed()), digest(seed_with(json!({"start_cmd": "other"}))));
    let context = |order: [&str; 2]| {
        let files: Vec<_> =
            order.iter().map(|path| json!({"path": path, "entry_type": "file", "blob_id": path})).collect();
        let request = seed_with(json!({"steps": [], "build_context": {"files": files}}));
        BuildRequest::parse(&request).unwrap().definition.context_digest(|blob| Some(format!("sha of {blob}")))
    };
    assert_eq!(context(["a", "b"]), context(["b", "a"]));
    assert_ne!(context(["a", "b"]), context(["a", "c"]));
}

#[test]
fn the_plan_has_the_published_shape() {
    let request = seed_with(json!({"build_envs": {"A": "1"}}));
    let plan = plan_json(&BuildRequest::parse(&request).unwrap().definition);
    let expected = json!({
        "base_template": "python:3.12",
        "run_steps": ["pip install --no-cache-dir fastapi uvicorn"],
        "build_steps": [
            {"Env": {"name": "A", "value": "1"}},
            {"Run": "pip install --no-cache-dir fastapi uvicorn"},
            {"Copy": {"sources": ["builder-context/step-1/src-0/app.py"], "dst": "/workspace/app.py"}},
            {"Workdir": "/workspace"},
        ],
        "build_envs": {"A": "1"},
        "env_assignments": [],
        "ignored_instructions": [],
        "start_cmd": "uvicorn app:app --host 0.0.0.0 --port 8080",
        "default_workdir": "/workspace",
        "readiness": {"kind": "tcp", "port": 8080, "timeout_secs": 30, "interval_ms": 500, "startup_grace_secs": 2},
    });
    assert_eq!(plan, expected);
}

#[test]
fn a_base_is_a_template_only_where_no_image_could_be_meant() {
    assert!(matches!(Base::of("nullspace/python:latest"), Base::Template(_)));
    assert!(matches!(Base::of("tmpl_1"), Base::Template(TemplateRef::Id(_))));
    assert!(matches!(Base::of("acme/app:tb_1"), Base::Template(_)));
    assert!(matches!(Base::of("acme/app:1"), Base::TemplateOrImage(_)));
    assert!(matches!(Base::of("python:3.12"), Base::TemplateOrImage(_)));
    assert_eq!(Base::of("docker.io/library/busybox:latest"), Base::Image);
}
