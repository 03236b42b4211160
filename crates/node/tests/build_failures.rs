//! How builds end that do not become a template: what they say, how soon, and that nothing is left.

mod support;

use nullspace_domain::readiness::{Pace, Readiness};
use nullspace_domain::runtime::RuntimeConfig;
use nullspace_node::api::{BuildError, BuildJob, Cancel, FailurePhase};
use serde_json::json;
use std::time::{Duration, Instant};
use support::{Host, cache, job};

/// Phase, step and message of a failed build; nothing of it is left when this returns.
async fn failure(host: &Host, job: BuildJob) -> (FailurePhase, Option<u32>, String) {
    let (outcome, _) = host.build(job).await;
    host.assert_only_caches_are_left();
    match outcome {
        Err(BuildError::Failed { phase, message, step_index, suggested_action, .. }) => {
            assert!(!suggested_action.is_empty());
            (phase, step_index, message)
        }
        other => panic!("it did not fail: {other:?}"),
    }
}

fn readiness(start_cmd: &str, timeout_secs: u64) -> RuntimeConfig {
    let pace = Pace { timeout_secs, interval_ms: 100, startup_grace_secs: 0 };
    RuntimeConfig {
        start_cmd: Some(start_cmd.to_owned()),
        readiness: Some(Readiness::Tcp { port: 8080, pace }),
        ..RuntimeConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_step_says_which_one_it_was_and_why_and_keeps_what_went_before() {
    let Some(host) = support::host().await else { return };
    let steps = json!([
        { "action": "run", "command": "echo fine" },
        { "action": "run", "command": "echo first words; echo last words >&2; exit 7" },
    ]);
    let (phase, step, message) = failure(&host, job(steps.clone())).await;
    assert_eq!((phase, step), (FailurePhase::BuildStep, Some(2)));
    assert!(message.contains("exit code 7") && message.contains("last words"), "{message}");
    let (_, events) = host.build(job(steps)).await;
    assert_eq!(cache(&events, "layer"), ["hit", "miss"]);

    let wrong = [
        (json!([{ "action": "pip_install", "packages": ["x"] }]), "pip"),
        (json!([{ "action": "user", "user": "nobody-here" }]), "nobody-here"),
        (json!([{ "action": "remove", "path": "/not/there" }]), "/not/there"),
        (json!([{ "action": "remove", "path": "/bin" }]), "is a directory"),
        (json!([{ "action": "run", "command": "kill -9 $$" }]), "exit code 137"),
    ];
    for (steps, expected) in wrong {
        let (phase, step, message) = failure(&host, job(steps)).await;
        assert_eq!((phase, step), (FailurePhase::BuildStep, Some(1)));
        assert!(message.contains(expected), "{message}");
    }
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_never_becomes_ready_fails_with_the_last_words_of_its_start_command() {
    let Some(host) = support::host().await else { return };
    let mut ends = job(json!([]));
    ends.runtime = readiness("echo cannot find my configuration; exit 3", 60);
    let begun = Instant::now();
    let (phase, _, message) = failure(&host, ends).await;
    assert_eq!(phase, FailurePhase::Readiness);
    assert!(message.contains("exit code 3") && message.contains("cannot find my configuration"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(60), "it does not wait for what has ended");

    let mut deaf = job(json!([]));
    deaf.runtime = readiness("echo listening nowhere; sleep 1000", 1);
    let (phase, _, message) = failure(&host, deaf).await;
    assert_eq!(phase, FailurePhase::Readiness);
    assert!(message.contains("listening nowhere"), "{message}");
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_cannot_be_had_fails_before_anything_is_made() {
    let Some(host) = support::host().await else { return };
    let mut unknown = job(json!([]));
    unknown.base =
        nullspace_node::api::BuildBase::Artifact { id: nullspace_domain::ArtifactId::from_body("0123456789") };
    let (phase, step, message) = failure(&host, unknown).await;
    assert_eq!((phase, step), (FailurePhase::Prepare, None));
    assert!(message.contains("art_0123456789"), "{message}");

    let missing = json!([{ "action": "copy", "sources": ["builder-context/step-0/src-0/x"], "dst": "/x" }]);
    let (phase, step, message) = failure(&host, job(missing)).await;
    assert_eq!((phase, step), (FailurePhase::Prepare, Some(1)));
    assert!(message.contains("not in the build context"), "{message}");
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_build_ends_within_ten_seconds_from_any_phase_and_leaves_nothing() {
    let Some(host) = support::host().await else { return };
    for (phase, message) in [
        ("preparing", "Getting"),
        ("vm_create", "Starting"),
        ("step", "asleep"),
        ("finalize", "Shutting"),
        ("finalize", "Storing"),
        ("startup", "booting"),
        ("readiness", "waiting"),
    ] {
        let sleeps = if phase == "step" { "echo asleep; sleep 1000" } else { "true" };
        let mut job = job(json!([{ "action": "run", "command": sleeps }]));
        job.skip_cache = true;
        job.runtime = readiness("sleep 1000", 1000);
        let cancel = Cancel::new();
        let cancelling = cancel.clone();
        let mut cancelled = None;
        let (outcome, events) = support::build_watched(&host.node, job, cancel, |event| {
            if event.phase == phase && event.message.starts_with(message) && cancelled.is_none() {
                cancelled = Some(Instant::now());
                cancelling.cancel();
            }
        })
        .await;
        assert_eq!(outcome, Err(BuildError::Cancelled), "{phase} {events:?}");
        assert!(cancelled.expect("the phase was reached").elapsed() < Duration::from_secs(10), "{phase}");
        host.assert_only_caches_are_left();
    }
    host.end().await;
}
