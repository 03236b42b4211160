//! What a machine can reach, tried from inside a real one.

mod host;

use host::{Host, artifact, busybox_disk, spec, system};
use nullspace_domain::runtime::RuntimeConfig;
use nullspace_node::network::RESOLVER;
use std::net::TcpListener;

/// Whether a connection from inside the guest succeeds.
async fn reaches(host: &Host, id: &nullspace_domain::InstanceId, address: &str, port: u16) -> bool {
    let command = format!("echo | timeout 5 nc -w 4 {address} {port} >/dev/null 2>&1");
    host.run(id, &command).await.0 == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_reaches_the_internet_and_never_its_host() {
    let Some(system) = system() else { return };
    let directory = tempfile::tempdir().unwrap();
    let disk = busybox_disk(directory.path());
    let data = directory.path().join("data");
    let host = Host::open(&data, system.clone(), true).await;
    if !host.network.is_up() {
        return eprintln!("skipped: {:?}", host.network.warnings());
    }
    let artifact = artifact("busybox", &disk, RuntimeConfig::default());
    let (open, other) = (spec("open", &artifact), spec("other", &artifact));
    let closed = nullspace_node::api::MachineSpec { internet_access: false, ..spec("closed", &artifact) };
    for spec in [&open, &other, &closed] {
        host.machines.start(spec.clone(), artifact.clone()).await.unwrap();
        host.machines.resume(&spec.id).await.unwrap();
    }

    // Stand-ins for the API: on loopback, and on every address that the host has.
    let loopback = TcpListener::bind("127.0.0.1:0").unwrap();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let ports = [&loopback, &everywhere].map(|listener| listener.local_addr().unwrap().port());
    let accepts = std::thread::spawn(move || drop((loopback.accept(), everywhere)));
    let own: Vec<String> = nix::ifaddrs::getifaddrs()
        .unwrap()
        .filter_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip().to_string()))
        .collect();
    for port in ports {
        // The guest's gateway, which QEMU would lead to the host's loopback; slirp4netns's; and the rest.
        for address in ["10.0.2.2", "198.18.0.2", "127.0.0.1", "198.18.0.100"] {
            assert!(!reaches(&host, &open.id, address, port).await, "{address}:{port} was reached");
        }
        for address in &own {
            assert!(!reaches(&host, &open.id, address, port).await, "{address}:{port} was reached");
        }
    }
    // Another sandbox, by the address both have.
    assert!(!reaches(&host, &open.id, "10.0.2.15", 80).await);

    let (found, _) = host.run(&open.id, &format!("nslookup pypi.org {RESOLVER}")).await;
    if found == 0 {
        assert!(reaches(&host, &open.id, "pypi.org", 443).await, "egress does not work");
        // The network is taken up again by the next server, under machines that go on using it.
        drop(host);
        let host = Host::open(&data, system, true).await;
        assert!(host.network.is_up());
        assert!(reaches(&host, &open.id, "pypi.org", 443).await, "egress was lost in a restart");
        assert!(!reaches(&host, &closed.id, "pypi.org", 443).await, "a machine without internet access has it");
        // slirp4netns dies; the next start of a machine puts another in its place.
        let slirp = std::fs::read_to_string(data.join("network/slirp")).unwrap();
        let slirp = slirp.split(' ').next().unwrap().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(slirp), nix::sys::signal::Signal::SIGKILL).unwrap();
        while host.network.is_up() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let network = host.network.clone();
        tokio::task::spawn_blocking(move || network.refresh()).await.unwrap();
        assert!(host.network.is_up());
        assert!(reaches(&host, &open.id, "pypi.org", 443).await, "egress was lost with slirp4netns");
        assert!(!reaches(&host, &open.id, "10.0.2.2", ports[0]).await);
        finish(host, [&open.id, &other.id, &closed.id]).await;
    } else {
        eprintln!("skipped: this host resolves no public name, so egress cannot be tried");
        finish(host, [&open.id, &other.id, &closed.id]).await;
    }
    // Ends the stand-in.
    let _ = std::net::TcpStream::connect(("127.0.0.1", ports[0]));
    accepts.join().unwrap();
}

async fn finish(host: Host, ids: [&nullspace_domain::InstanceId; 3]) {
    for id in ids {
        host.machines.stop(id).await.unwrap();
    }
    host.network.close();
    host.nothing_is_left().await;
    assert!(!host.directory.join("network").exists());
}
