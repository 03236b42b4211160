"""The main job end to end: build, snapshot, pool, checkout, exec, on real machines."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from nullspace import Sandbox, Template, TemplateWarmPool, wait_for_port

PAGE = "hello from a warm pool"


@pytest.fixture(scope="module")
def build(server):
    builder = (
        Template.from_image("busybox")
        .run_cmd(f"mkdir -p /workspace && echo '{PAGE}' > /workspace/index.html")
        .set_workdir("/workspace")
        .set_start_cmd("httpd -f -p 8080 -h /workspace", readiness=wait_for_port(8080))
    )
    return Template.build(builder, name="page", tags=["stable"])


@pytest.fixture(scope="module")
def pool(build) -> Iterator[TemplateWarmPool]:
    pool = TemplateWarmPool.create(build.canonical_ref, name="page-small", min_ready=2, max_ready=3, vcpus=1, memory_mb=512)
    pool.wait_until_ready(min_ready=2, timeout_secs=300)
    yield pool
    pool.drain()
    pool.delete()


def test_a_build_is_named_in_its_namespace_and_tagged(build):
    assert build.canonical_ref == "team/page"
    assert str(getattr(build.status, "value", build.status)) == "ready"
    info = Template.get("page:stable")
    assert info.tags == ["stable"]
    assert Template.exists("team/page") is True
    assert Template.exists("team/no-such") is False


def test_a_pool_id_is_its_name(pool):
    assert pool.id == "twp_page_small"
    info = pool.get_info()
    assert info.status.ready >= 2 and info.status.target == 2
    assert info.memory_mb == 512


def test_prefer_and_require_take_ready_members_and_say_so(build, pool):
    taken = []
    try:
        for mode, wait in (("prefer", 1500), ("require", 30_000)):
            sandbox = Sandbox.create(
                template=build.canonical_ref, vcpus=1, warm_pool=pool.id, warm_pool_mode=mode, warm_pool_wait_ms=wait,
            )
            taken.append(sandbox)
            receipt = sandbox.get_info().warm_pool_checkout
            assert (str(getattr(receipt.source, "value", receipt.source)), receipt.hit) == ("ready_instance", True)
            assert receipt.id == pool.id
            assert str(getattr(receipt.mode, "value", receipt.mode)) == mode
            shown = sandbox.commands.run("wget -q -O - http://127.0.0.1:8080/", shell=True)
            assert (shown.exit_code, shown.stdout.strip()) == (0, PAGE)
        draws = {s.commands.run("head -c 16 /dev/urandom | od -An -tx1", shell=True).stdout for s in taken}
        names = {s.commands.run("cat /proc/sys/kernel/random/uuid; cat /etc/hostname", shell=True).stdout for s in taken}
        assert len(draws) == 2 and len(names) == 2
    finally:
        for sandbox in taken:
            sandbox.kill()


def test_a_cold_create_restores_the_same_machine(build):
    with Sandbox.create(template=build.canonical_ref, vcpus=1, warm_pool_mode="bypass") as sandbox:
        receipt = sandbox.get_info().warm_pool_checkout
        assert str(getattr(receipt.source, "value", receipt.source)) == "bypassed"
        assert sandbox.commands.run("cat /workspace/index.html", shell=True).stdout.strip() == PAGE


def test_envs_and_cwd_of_a_create_reach_every_command(build):
    with Sandbox.create(template=build.canonical_ref, vcpus=1, envs={"GREETING": "moin"}, cwd="/tmp") as sandbox:
        assert sandbox.commands.run("echo $GREETING; pwd", shell=True).stdout.split() == ["moin", "/tmp"]


def test_a_command_that_fails_says_its_exit_code(build):
    with Sandbox.create(template=build.canonical_ref, vcpus=1) as sandbox:
        done = sandbox.commands.run("echo out; echo err >&2; exit 7", shell=True)
        assert (done.exit_code, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_files_are_written_read_listed_renamed_and_removed(build):
    with Sandbox.create(template=build.canonical_ref, vcpus=1) as sandbox:
        sandbox.files.write("/workspace/deep/note.txt", "grüße\n")
        assert sandbox.files.read("/workspace/deep/note.txt") == "grüße\n"
        assert [f.name for f in sandbox.files.list("/workspace/deep")] == ["note.txt"]
        sandbox.files.rename("/workspace/deep/note.txt", "/workspace/deep/other.txt")
        assert not sandbox.files.exists("/workspace/deep/note.txt")
        assert sandbox.files.get_info("/workspace/deep").is_dir
        sandbox.files.remove("/workspace/deep")
        assert not sandbox.files.exists("/workspace/deep")


def test_require_on_a_drained_pool_fails_typed_and_leaves_nothing(server, build):
    pool = TemplateWarmPool.create(build.canonical_ref, name=f"empty-{uuid.uuid4().hex[:6]}", min_ready=0, max_ready=0)
    try:
        before = {s["id"] for s in server.sandboxes()}
        began = time.monotonic()
        with pytest.raises(Exception) as failure:
            Sandbox.create(template=build.canonical_ref, warm_pool=pool.id, warm_pool_mode="require", warm_pool_wait_ms=300)
        assert failure.value.code == "warm_pool_unavailable"
        assert 0.2 < time.monotonic() - began < 5
        assert {s["id"] for s in server.sandboxes()} == before
    finally:
        pool.delete()
