//! What `template build` would send, by its own words: `--dry-run` prints the request and sends nothing.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn request(directory: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_nullspace"))
        .args(["template", "build", "--dry-run"])
        .args(arguments)
        .env_clear()
        .env("HOME", directory)
        .env("NULLSPACE_API_KEY", "ns_live_unused")
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn file(directory: &Path, name: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, name).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

#[test]
fn the_worked_example_by_flags() {
    let directory = tempfile::tempdir().unwrap();
    file(directory.path(), "app.py");
    let sent = request(
        directory.path(),
        &[
            "--from-python-image",
            "3.12",
            "--pip-install",
            "fastapi,uvicorn",
            "--copy-src",
            "./app.py",
            "--copy-dst",
            "/workspace/app.py",
            "--set-workdir",
            "/workspace",
            "--start-cmd",
            "uvicorn app:app --host 0.0.0.0 --port 8080",
            "--ready-port",
            "8080",
            "--name",
            "review-api",
            "--tag",
            "stable",
        ],
    );
    let app = "builder-context/step-1/src-0/app.py";
    assert_eq!(
        sent,
        json!({
            "base_image": "python:3.12",
            "steps": [
                {"action": "pip_install", "packages": ["fastapi", "uvicorn"]},
                {"action": "copy", "sources": [app], "dst": "/workspace/app.py"},
                {"action": "workdir", "path": "/workspace"},
            ],
            "start_cmd": "uvicorn app:app --host 0.0.0.0 --port 8080",
            "build_context": {"files": [{"path": app, "entry_type": "file", "mode": "0644"}]},
            "runtime_config": {
                "default_workdir": "/workspace",
                "readiness":
                    {"kind": "tcp", "port": 8080, "timeout_secs": 30, "interval_ms": 500, "startup_grace_secs": 2},
            },
            "name": "review-api",
            "tags": ["stable"],
            "build_config": {"vcpus": 2, "memory_mib": 512},
        })
    );
}

#[test]
fn steps_keep_the_order_of_their_flags() {
    let directory = tempfile::tempdir().unwrap();
    file(directory.path(), "a.txt");
    file(directory.path(), "pkg/in/b.txt");
    let sent = request(
        directory.path(),
        &[
            "--from-template",
            "base",
            "--name",
            "x",
            "--run-cmd",
            "one",
            "--run-user",
            "u",
            "--copy-src",
            "a.txt",
            "--copy-src",
            "pkg",
            "--copy-dst",
            "/w/",
            "--copy-mode",
            "755",
            "--copy-force-upload",
            "--pip-install",
            "x",
            "--pip-user-install",
            "--run-cmd",
            "two",
            "--remove",
            "/r",
            "--remove-force",
            "--step-skip-cache",
            "--set-build-env",
            "A=b=c",
            "--no-internet-access",
        ],
    );
    assert_eq!(sent["base_image"], "nullspace/base:latest");
    let base = "builder-context/step-1/src";
    assert_eq!(
        sent["steps"],
        json!([
            {"action": "run", "command": "one", "user": "u"},
            {"action": "copy", "sources": [format!("{base}-0/a.txt"), format!("{base}-1/pkg")], "dst": "/w/",
             "mode": "0755", "force_upload": true},
            {"action": "pip_install", "packages": ["x"], "g": false},
            {"action": "run", "command": "two"},
            {"action": "remove", "path": "/r", "recursive": false, "force": true},
            {"action": "skip_cache"},
        ])
    );
    let paths: Vec<&str> =
        sent["build_context"]["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        [
            format!("{base}-0/a.txt"),
            format!("{base}-1/pkg"),
            format!("{base}-1/pkg/in"),
            format!("{base}-1/pkg/in/b.txt")
        ]
    );
    assert_eq!(sent["build_envs"], json!({"A": "b=c"}));
    assert_eq!(sent["build_config"]["internet_access"], false);
}

#[test]
fn ignore_rules_count_below_a_context_root_and_links_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    file(directory.path(), "pkg/keep.py");
    file(directory.path(), "pkg/drop.txt");
    std::fs::write(directory.path().join(".dockerignore"), "**/*.txt\n").unwrap();
    let flags = ["--from-image", "a", "--name", "x", "--copy-src", "pkg", "--copy-dst", "/w"];
    let names = |sent: &Value| sent["build_context"]["files"].to_string().contains("drop.txt");
    assert!(names(&request(directory.path(), &flags)));
    assert!(!names(&request(directory.path(), &[&flags[..], &["--file-context", "."]].concat())));

    std::os::unix::fs::symlink("keep.py", directory.path().join("pkg/link")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nullspace"))
        .args(["template", "build", "--dry-run"])
        .args(flags)
        .env_clear()
        .env("HOME", directory.path())
        .env("NULLSPACE_API_KEY", "ns_live_unused")
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("symbolic link"));
}
