//! Disk layers of real machines: what a build's step cache stands on.

mod host;

use host::{Host, busybox_disk, system};
use nullspace_guest::client;
use nullspace_guest::protocol::Exec;
use nullspace_node::agent::Agent;
use nullspace_node::driver::{Boot, DiskChain, Network, Purpose};
use std::path::PathBuf;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(120);

async fn boot(host: &Host, name: &str, disk: DiskChain, overlay: PathBuf) -> (Agent, nullspace_node::journal::Home) {
    let home = host.journal.create(name, None, None).unwrap();
    let boot = Boot {
        disk,
        overlay: Some(overlay),
        disk_mb: 64,
        vcpus: 1,
        memory_mb: 128,
        network: Network::None,
        purpose: Purpose::Build,
    };
    let machine = host.driver.boot(&home, boot).await.unwrap();
    let agent = Agent::new(machine);
    agent.ask("boot", SOON, client::ping).await.unwrap();
    (agent, home)
}

async fn run(agent: &Agent, command: &str) -> String {
    let exec = Exec { command: command.into(), shell: true, ..Exec::default() };
    let finished = agent.ask("run", SOON, |stream| client::run(stream, exec, 4096)).await.unwrap();
    String::from_utf8_lossy(&finished.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_a_running_machine_is_a_clean_layer() {
    let Some(system) = system() else { return };
    let directory = tempfile::tempdir().unwrap();
    let base = busybox_disk(directory.path());
    let host = Host::open(&directory.path().join("data"), system, false).await;
    let [first, second] = ["first.qcow2", "second.qcow2"].map(|name| directory.path().join(name));

    let (agent, home) = boot(&host, "build_1", DiskChain::raw(&base), first.clone()).await;
    run(&agent, "echo one > /root/one").await;
    agent.ask("freeze the disk", SOON, client::freeze_disk).await.unwrap();
    agent.machine().checkpoint_disk(&second).await.unwrap();
    agent.ask("thaw the disk", SOON, client::thaw_disk).await.unwrap();
    run(&agent, "echo two > /root/two; sync").await;
    assert_eq!(run(&agent, "cat /root/one /root/two").await, "one\ntwo");
    agent.hang_up().await;
    agent.machine().kill().await.unwrap();
    home.remove().unwrap();

    // The closed layer, without what was written later.
    let third = directory.path().join("third.qcow2");
    let chain = DiskChain::raw(&base).with_layer(&first);
    let (agent, home) = boot(&host, "build_2", chain, third).await;
    assert_eq!(run(&agent, "ls /root").await, "one");
    agent.machine().kill().await.unwrap();
    home.remove().unwrap();

    // Both.
    let fourth = directory.path().join("fourth.qcow2");
    let chain = DiskChain::raw(&base).with_layer(&first).with_layer(&second);
    let (agent, home) = boot(&host, "build_3", chain, fourth).await;
    assert_eq!(run(&agent, "cat /root/one /root/two").await, "one\ntwo");
    agent.machine().kill().await.unwrap();
    home.remove().unwrap();
    host.nothing_is_left().await;
}
