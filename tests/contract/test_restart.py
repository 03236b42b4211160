"""Machines outlive the server: stopped or killed, it finds them again and loses nothing it acknowledged."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from conftest import Server, make_server
from nullspace import Sandbox, Template, TemplateWarmPool, wait_for_port


@pytest.fixture
def lonely(tmp_path) -> Iterator[Server]:
    """A server of its own, whose machines stay when it goes."""
    it = make_server(tmp_path)
    it.start()
    try:
        it.cli("image", "bootstrap", "busybox", "--json")
        yield it
    finally:
        it.stop(signal.SIGKILL)
        it.start("--stop-machines-on-exit")
        it.stop()
        left = it.machine_processes()
        assert not left, f"processes left behind: {left}"


def until(what, seconds: float = 60):
    """Waits for a value, not for time."""
    deadline = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.1)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_restarted_server_finds_sandboxes_members_and_keys_again(lonely, how):
    at = {"api_key": lonely.key, "base_url": lonely.url}
    builder = (
        Template.from_image("busybox")
        .set_start_cmd("httpd -f -p 8080 -h /", readiness=wait_for_port(8080))
    )
    build = Template.build(builder, name="stays", tags=["stable"], **at)
    pool = TemplateWarmPool.create(build.canonical_ref, name="stays", min_ready=1, max_ready=2, vcpus=1, memory_mb=512, **at)
    pool.wait_until_ready(min_ready=1)
    sandbox = Sandbox.create(template=build.canonical_ref, vcpus=1, warm_pool=pool.id, warm_pool_mode="require", warm_pool_wait_ms=30_000, **at)
    counting = sandbox.commands.run(
        "i=0; while true; do i=$((i+1)); echo $i > /tmp/count; sleep 0.2; done", shell=True, background=True
    )
    assert until(lambda: sandbox.files.exists("/tmp/count"))
    before = int(sandbox.files.read("/tmp/count"))
    assert until(lambda: pool.get_info().status.ready >= 1)

    lonely.stop(how)
    lonely.start()

    again = Sandbox.connect(sandbox.id if hasattr(sandbox, "id") else sandbox.sandbox_id, **at)
    receipt = again.get_info().warm_pool_checkout
    assert receipt.hit is True and receipt.id == pool.id
    listed = {p.pid: p.running for p in again.commands.list()}
    assert listed.get(counting.pid) is True
    assert until(lambda: int(again.files.read("/tmp/count")) > before)
    assert Template.get("stays:stable", **at).tags == ["stable"]
    assert until(lambda: TemplateWarmPool.get(pool.id, **at).get_info().status.ready >= 1)
    second = Sandbox.create(template=build.canonical_ref, vcpus=1, warm_pool=pool.id, warm_pool_mode="require", warm_pool_wait_ms=30_000, **at)
    assert second.commands.run("echo alive", shell=True).stdout == "alive\n"


def test_a_machine_that_died_while_the_server_was_away_is_declared_lost(lonely):
    at = {"api_key": lonely.key, "base_url": lonely.url}
    build = Template.build(Template.from_image("busybox").run_cmd("true"), name="dies", tags=["stable"], **at)
    sandbox = Sandbox.create(template=build.canonical_ref, vcpus=1, **at)
    assert sandbox.commands.run("echo up", shell=True).stdout == "up\n"
    identifier = lonely.sandboxes()[0]["id"]

    lonely.stop(signal.SIGKILL)
    for pid in lonely.machine_processes():
        with open(f"/proc/{pid}/comm") as comm:
            if comm.read().startswith("qemu"):
                os.kill(pid, signal.SIGKILL)
    lonely.start()

    status, seen = lonely.api("GET", f"/v1/sandboxes/{identifier}")
    assert (status, until(lambda: lonely.api("GET", f"/v1/sandboxes/{identifier}")[1]["status"] == "error")) == (200, True), seen
