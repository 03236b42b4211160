"""From inside a sandbox the host does not exist."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from nullspace import Sandbox, Template


@pytest.fixture(scope="module")
def sandbox(server) -> Iterator[Sandbox]:
    build = Template.build(Template.from_image("busybox").run_cmd("true"), name="inside", tags=["stable"])
    with Sandbox.create(template=build.canonical_ref, vcpus=1) as it:
        yield it


@contextlib.contextmanager
def listener() -> Iterator[int]:
    """A server of the host on every address it has: what a careless neighbour would run."""
    it = http.server.ThreadingHTTPServer(("0.0.0.0", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=it.serve_forever, daemon=True).start()
    try:
        yield it.server_address[1]
    finally:
        it.shutdown()
        it.server_close()


def host_addresses() -> list[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # nothing is sent: only the route is asked for
            return [probe.getsockname()[0]]
        except OSError:
            return []


def test_no_address_of_the_host_answers(server, sandbox):
    with listener() as port:
        tried = [(a, p) for a in ["10.0.2.2", "10.0.2.3", *host_addresses()] for p in (port, server.port, server.preview_port)]
        for address, at in tried:
            done = sandbox.commands.run(f"nc -w 3 {address} {at} </dev/null && echo ANSWERED", shell=True, timeout=30)
            assert "ANSWERED" not in done.stdout, f"{address}:{at} answered from inside"


def test_without_internet_access_no_name_is_resolved_and_no_packet_answered(server):
    with Sandbox.create(template="inside", vcpus=1, internet_access=False) as closed:
        done = closed.commands.run("nslookup deb.debian.org >/dev/null 2>&1 && echo RESOLVED", shell=True, timeout=60)
        assert "RESOLVED" not in done.stdout
        with listener() as port:
            for address in ["10.0.2.2", *host_addresses()]:
                done = closed.commands.run(f"nc -w 3 {address} {port} </dev/null && echo ANSWERED", shell=True, timeout=30)
                assert "ANSWERED" not in done.stdout, f"{address} answered from inside"


def test_a_fork_bomb_a_full_disk_and_a_flood_hurt_nobody_else(sandbox):
    hostile = Sandbox.create(template="inside", vcpus=1)
    hostile.commands.run("dd if=/dev/zero of=/workspace/fill bs=1M", shell=True, background=True)
    hostile.commands.run("yes flood", shell=True, background=True)
    hostile.commands.run("f() { f | f & }; f", shell=True, background=True)
    assert sandbox.commands.run("echo fine", shell=True, timeout=60).stdout == "fine\n"
    began = time.monotonic()
    hostile.kill()
    assert time.monotonic() - began < 5
