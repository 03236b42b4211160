//! The command line as people and scripts see it: every group's help, and every kind of bad input.
//!
//! The program itself runs, in an empty environment, so that nothing of the machine shows.

use std::process::{Command, Output};

fn nullspace(arguments: &[&str]) -> Output {
    let nowhere = tempfile::tempdir().expect("the system has a temporary directory");
    Command::new(env!("CARGO_BIN_EXE_nullspace"))
        .args(arguments)
        .env_clear()
        .env("HOME", nowhere.path())
        .current_dir(nowhere.path())
        .output()
        .expect("the program was built")
}

fn told(output: &Output) -> String {
    format!(
        "exit code {}\n-- stdout\n{}-- stderr\n{}",
        output.status.code().expect("no signal ended it"),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_help_of_every_group() {
    let groups: [&[&str]; 12] = [
        &[],
        &["template"],
        &["template", "build"],
        &["template", "tag"],
        &["template", "warm-pool"],
        &["template", "warm-pool", "create"],
        &["sandbox"],
        &["sandbox", "create"],
        &["sandbox", "process"],
        &["sandbox", "file"],
        &["image"],
        &["doctor"],
    ];
    for group in groups {
        let output = nullspace(&[group, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0), "{group:?}");
        let name = ["help", &group.join("-")].join("-");
        insta::assert_snapshot!(name.trim_end_matches('-'), String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_help_of_serve_names_what_an_operator_decides() {
    let output = nullspace(&["serve", "--help"]);
    let help = String::from_utf8_lossy(&output.stdout);
    let flags = [
        "--data-dir",
        "--listen",
        "--preview-listen",
        "--preview-domain",
        "--namespace",
        "--runtime",
        "--stop-machines-on-exit",
        "--allow-insecure-listen",
        "--log-format",
        "--log",
        "--kernel",
        "--node-memory",
        "--json",
    ];
    for flag in flags {
        assert!(help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}\n")), "{flag}: {help}");
    }
}

#[test]
fn bad_input_ends_with_2_and_names_the_flag() {
    let wrong: [(&[&str], &str); 12] = [
        (
            &["template", "warm-pool", "create", "t", "--name", "p", "--min-ready", "5", "--max-ready", "4"],
            "--min-ready",
        ),
        (&["template", "warm-pool", "create", "t", "--name", "p", "--min-ready=-1", "--max-ready", "4"], "--min-ready"),
        (&["template", "warm-pool", "scale", "twp_x"], "--min-ready"),
        (&["template", "warm-pool", "wait", "twp_x", "--timeout", "soon"], "--timeout"),
        (&["template", "build", "--name", "x"], "--from-image"),
        (&["template", "build", "--from-image", "a", "--name", "x", "--run-user", "u"], "--run-user"),
        (&["template", "build", "--from-image", "a", "--name", "x", "--copy-src", "a"], "--copy-src"),
        (&["template", "build", "--from-image", "a"], "--name"),
        (
            &["template", "build", "--from-dockerfile-content", "FROM a", "--name", "x", "--backend", "native"],
            "--backend",
        ),
        (&["sandbox", "create", "--warm-pool-mode", "require"], "--warm-pool"),
        (&["sandbox", "create", "--warm-pool", "p", "--warm-pool-wait", "30001"], "--warm-pool-wait"),
        (&["serve", "--listen", "0.0.0.0:3000"], "--listen"),
    ];
    for (arguments, flag) in wrong {
        // With a key that would be used: nothing may be asked of a server before the flags make sense.
        let nowhere = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_nullspace"))
            .args(arguments)
            .env_clear()
            .env("HOME", nowhere.path())
            .env("NULLSPACE_API_KEY", "ns_live_unused")
            .env("NULLSPACE_API_URL", "http://127.0.0.1:9")
            .output()
            .unwrap();
        let told = told(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(flag), "{arguments:?}: {told}");
        assert!(output.stdout.is_empty(), "{told}");
    }
}

#[test]
fn a_failure_for_a_script_is_one_object_on_standard_output() {
    insta::assert_snapshot!(told(&nullspace(&["template", "list", "--json"])), @r#"
    exit code 4
    -- stdout
    {
      "error": {
        "code": "missing_api_key",
        "message": "no API key is known",
        "hint": "run `nullspace auth login`, or set NULLSPACE_API_KEY",
        "doc_url": "docs/errors/missing-api-key.md",
        "request_id": null,
        "retryable": null
      }
    }
    -- stderr
    "#);
    insta::assert_snapshot!(told(&nullspace(&["--json", "sandbox", "create", "--vcpus", "0"])), @r#"
    exit code 2
    -- stdout
    {
      "error": {
        "code": "invalid_request",
        "message": "invalid value '0' for '--vcpus <VCPUS>': 0 is not in 1..=4294967295",
        "hint": null,
        "doc_url": "docs/errors/invalid-request.md",
        "request_id": null,
        "retryable": null
      }
    }
    -- stderr
    "#);
}

#[test]
fn a_failure_for_a_person_ends_with_a_hint() {
    insta::assert_snapshot!(told(&nullspace(&["sandbox", "list"])), @r"
    exit code 4
    -- stdout
    -- stderr
    error: no API key is known
    hint: run `nullspace auth login`, or set NULLSPACE_API_KEY
    ");
}

#[test]
fn a_server_that_is_not_there_is_said_so() {
    let nowhere = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nullspace"))
        .args(["template", "list"])
        .env_clear()
        .env("HOME", nowhere.path())
        .env("NULLSPACE_API_KEY", "ns_live_unused")
        .env("NULLSPACE_API_URL", "http://127.0.0.1:9")
        .output()
        .unwrap();
    let told = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot reach the server at http://127.0.0.1:9"), "{told}");
    assert!(told.contains("hint: is the server running?"), "{told}");
}

#[test]
fn a_login_from_standard_input_is_stored_for_its_owner_only() {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_nullspace"))
        .args(["auth", "login", "--api-url", "http://127.0.0.1:9/"])
        .env_clear()
        .env("HOME", home.path())
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"ns_live_secret\n").unwrap();
    assert!(child.wait().unwrap().success());
    let path = home.path().join(".nullspace/config.json");
    let stored: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(stored["api_key"], "ns_live_secret");
    assert_eq!(stored["base_url"], "http://127.0.0.1:9");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
