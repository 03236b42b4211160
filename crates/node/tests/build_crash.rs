//! A server that is killed in the middle of a build.

mod support;

use nullspace_node::api::{BuildError, Cancel};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use support::{Host, cache, job};

const NAME: &str = "a_killed_server_leaves_only_what_the_next_one_removes_and_its_finished_steps_are_kept";
/// Set for the copy of this test that is to be killed.
const VICTIM: &str = "NULLSPACE_TEST_VICTIM_DIRECTORY";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_only_what_the_next_one_removes_and_its_finished_steps_are_kept() {
    if let Some(directory) = std::env::var_os(VICTIM) {
        return be_killed(Path::new(&directory)).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(VICTIM, directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(victim.stderr.take().unwrap()).lines();
    let asleep =
        said.map(Result::unwrap).inspect(|line| eprintln!("victim: {line}")).any(|line| line.ends_with(" asleep"));
    victim.kill().unwrap();
    victim.wait().unwrap();
    if !asleep {
        // It said why it could not run here, or failed; a host tells the two apart.
        assert!(support::open(directory.path()).await.is_none(), "the victim failed");
        return;
    }

    let machines = directory.path().join("data/machines");
    assert_eq!(std::fs::read_dir(&machines).unwrap().count(), 1, "the build machine outlived its server");
    let node = support::open(directory.path()).await.unwrap();
    let host = Host { node, directory };
    host.assert_only_caches_are_left();
    let steps = json!([{ "action": "run", "command": "echo kept" }, { "action": "run", "command": "false" }]);
    let (outcome, events) = host.build(job(steps)).await;
    assert!(matches!(outcome, Err(BuildError::Failed { step_index: Some(2), .. })), "{outcome:?}");
    assert_eq!(cache(&events, "layer"), ["hit", "miss"]);
    host.end().await;
}

async fn be_killed(directory: &Path) {
    let Some(node) = support::with_busybox(directory).await else { return };
    let steps = json!([
        { "action": "run", "command": "echo kept" },
        { "action": "run", "command": "echo asleep; sleep 1000" },
    ]);
    let (outcome, _) = support::build(&node, job(steps), Cancel::new()).await;
    panic!("the build ended before it was killed: {outcome:?}");
}
