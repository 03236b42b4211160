//! Native builds on a real host: what steps do, what the cache saves, how builds fail.

mod support;

use nullspace_guest::client;
use nullspace_guest::protocol::Exec;
use nullspace_node::api::{Liveness, Node};
use serde_json::json;
use support::{cache, job, machine, messages, web_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_build_becomes_machines_that_run_what_it_made_and_the_second_one_is_all_cache() {
    let Some(host) = support::host().await else { return };
    let mut first = job(json!([
        { "action": "workdir", "path": "/workspace" },
        { "action": "run", "command": "echo made > made.txt; echo to stdout; echo to stderr >&2; echo $COLOUR" },
        { "action": "make_dir", "path": "data", "mode": "0750" },
        { "action": "copy", "sources": ["builder-context/step-3/src-0/index.html"], "dst": "/workspace/", "mode": "0644" },
        { "action": "copy", "sources": ["builder-context/step-4/src-0/pkg"], "dst": "/opt/pkg", "user": "1000:50" },
    ]));
    first.runtime = web_server();
    first.build_envs = [("COLOUR".to_owned(), "green".to_owned())].into();
    let directory = nullspace_node::api::ContextFile { is_dir: true, mode: 0o755, source: None, sha256: None };
    first.context = [
        ("builder-context/step-3/src-0/index.html".to_owned(), host.upload(b"hello", 0o600)),
        ("builder-context/step-4/src-0/pkg".to_owned(), directory.clone()),
        ("builder-context/step-4/src-0/pkg/sub".to_owned(), directory),
        ("builder-context/step-4/src-0/pkg/sub/tool".to_owned(), host.upload(b"#!/bin/sh\necho tool", 0o755)),
    ]
    .into();

    let (outcome, events) = host.build(first.clone()).await;
    let outcome = outcome.unwrap();
    assert_eq!(cache(&events, "layer"), ["miss", "stored"].repeat(5));
    assert_eq!(cache(&events, "final_artifact"), ["miss", "stored"]);
    for line in ["to stdout", "to stderr", "green"] {
        assert!(messages(&events).contains(&line), "{line}");
    }
    assert_eq!(host.names("machines"), Vec::<String>::new());

    let machines = [machine(&outcome), machine(&outcome)];
    for spec in &machines {
        host.node.start(spec.clone()).await.unwrap();
        assert_eq!(host.node.liveness(&spec.id), Liveness::Alive);
        host.node.resume(&spec.id).await.unwrap();
        let script = "wget -q -O - http://127.0.0.1:8080/index.html; cat /workspace/made.txt; /opt/pkg/sub/tool; \
                      stat -c '%a %u:%g' /workspace/data /opt/pkg /opt/pkg/sub/tool /workspace/index.html; ls /run";
        let exec = Exec { command: script.to_owned(), shell: true, ..Exec::default() };
        let stream = host.node.guest(&spec.id).await.unwrap();
        let finished = client::run(stream, exec, 4096).await.unwrap();
        let output = String::from_utf8(finished.stdout).unwrap();
        assert!(output.starts_with("hellomade\ntool\n750 0:0\n755 1000:50\n755 1000:50\n644 0:0\n"), "{output}");
        assert!(!output.contains("nullspace-build"), "{output}");
    }
    for spec in &machines {
        host.node.stop(&spec.id).await.unwrap();
        assert_eq!(host.node.liveness(&spec.id), Liveness::Dead);
    }

    // The same again is the same artifact, and nothing is made.
    let (again, events) = host.build(first.clone()).await;
    assert_eq!(again.unwrap(), outcome);
    assert_eq!(cache(&events, "final_artifact"), ["hit"]);
    assert!(!events.iter().any(|event| event.phase == "vm_create" || event.phase == "startup"), "{events:?}");

    // Another start command needs no step and no build machine.
    first.runtime.start_cmd = Some("httpd -f -p 8080 -h /".to_owned());
    let (other, events) = host.build(first).await;
    assert_ne!(other.unwrap().artifact.id, outcome.artifact.id);
    assert_eq!(cache(&events, "layer"), ["hit"].repeat(5));
    assert!(!events.iter().any(|event| event.phase == "vm_create"));
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_steps_need_no_program_of_the_image_and_behave_as_the_shell_would() {
    let Some(host) = support::host().await else { return };
    let (outcome, _) = host
        .build(job(json!([
            { "action": "run", "command": "mkdir -p /srv/old /srv/into && echo a > /srv/a && echo b > /srv/b && adduser -D app" },
            { "action": "workdir", "path": "/srv" },
            { "action": "rename", "src": "a", "dst": "into", "force": false },
            { "action": "rename", "src": "b", "dst": "c", "force": true },
            { "action": "remove", "path": "old", "recursive": true, "force": false },
            { "action": "remove", "path": "never", "recursive": false, "force": true },
            { "action": "make_symlink", "target": "c", "path": "link" },
            { "action": "user", "user": "app" },
            { "action": "workdir", "path": "/home/app/work" },
            { "action": "run", "command": "id -un > who" },
            { "action": "run", "command": "id -un > /srv/who", "user": "root" },
            { "action": "run", "command":
                "test ! -e /srv/old && test -f /srv/into/a && test -f /srv/c && test -L /srv/link \
                 && test $(cat who) = app && test $(cat /srv/who) = root && test $(stat -c %U .) = app" },
        ])))
        .await;
    outcome.unwrap();
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_starts_from_another_and_a_boundary_runs_steps_again() {
    let Some(host) = support::host().await else { return };
    let mut base = job(json!([{ "action": "run", "command": "echo base > /base" }]));
    base.runtime.default_envs = [("GREETING".to_owned(), "hello".to_owned())].into();
    let (base, _) = host.build(base).await;
    let mut child = job(json!([
        { "action": "run", "command": "cat /base; echo $GREETING" },
        { "action": "skip_cache" },
        { "action": "run", "command": "echo again" },
    ]));
    child.base = nullspace_node::api::BuildBase::Artifact { id: base.unwrap().artifact.id };
    let (outcome, events) = host.build(child.clone()).await;
    assert_eq!(outcome.unwrap().artifact.runtime.default_envs["GREETING"], "hello");
    assert!(messages(&events).contains(&"base") && messages(&events).contains(&"hello"));
    assert_eq!(cache(&events, "layer"), ["miss", "stored", "bypass", "bypass"]);

    let (_, events) = host.build(child).await;
    assert_eq!(cache(&events, "layer"), ["hit", "bypass", "bypass"]);
    assert_eq!(cache(&events, "final_artifact"), ["bypass"]);
    assert!(messages(&events).contains(&"again"));
    host.end().await;
}
