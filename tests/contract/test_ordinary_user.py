"""`serve` and the busybox path need no root: the server runs as a user who owns nothing but its directory."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Server
from nullspace import Sandbox, Template, TemplateWarmPool

# Nobody's: an id without a name, a home or a group.
UID = 64321


class UnprivilegedServer(Server):
    """Runs everything of ours as `UID`, when the tests run as root."""

    def wrap(self, command: list[str]) -> list[str]:
        if os.getuid() != 0:
            return command
        return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", *command]

    @property
    def serve_environment(self) -> dict[str, str]:
        return {**super().serve_environment, "HOME": str(self.data), "XDG_CACHE_HOME": str(self.data / "cache")}


@pytest.fixture(scope="module")
def unprivileged() -> Iterator[Server]:
    # Not below pytest's directory: only its owner may enter that.
    data = Path("/tmp") / f"nullspace-ordinary-{os.getpid()}"
    data.mkdir(mode=0o700)
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nullspace" / "kernel"
        shutil.copytree(cache, data / "cache" / "nullspace" / "kernel", symlinks=True)
        binary = shutil.copy2(os.environ["NULLSPACE_BINARY"], data / "nullspace")
        os.chmod(binary, stat.S_IRWXU)
        if os.getuid() == 0:
            for path in [data, *data.rglob("*")]:
                os.lchown(path, UID, UID)
        it = UnprivilegedServer(data, binary=str(binary))
        it.start("--stop-machines-on-exit")
        try:
            yield it
        finally:
            it.stop()
            left = it.machine_processes()
            assert not left, f"processes left behind: {left}"
    finally:
        shutil.rmtree(data, ignore_errors=True)


def test_an_ordinary_user_builds_pools_checks_out_and_runs_a_command(unprivileged):
    at = {"api_key": unprivileged.key, "base_url": unprivileged.url}
    unprivileged.cli("image", "bootstrap", "busybox", "--json")
    build = Template.build(Template.from_image("busybox").run_cmd("id -u > /workspace/uid"), name="plain", tags=["stable"], **at)
    pool = TemplateWarmPool.create(build.canonical_ref, name="plain", min_ready=1, max_ready=1, vcpus=1, memory_mb=512, **at)
    pool.wait_until_ready(min_ready=1)
    with Sandbox.create(template=build.canonical_ref, vcpus=1, warm_pool=pool.id, warm_pool_mode="require", warm_pool_wait_ms=30_000, **at) as sandbox:
        assert sandbox.get_info().warm_pool_checkout.hit is True
        # Root inside is nobody outside, and files keep the owners the image gave them.
        assert sandbox.commands.run("cat /workspace/uid; stat -c %u /bin/busybox", shell=True).stdout.split() == ["0", "0"]
    pool.drain()
    pool.delete()


def test_doctor_tells_an_ordinary_user_what_is_missing_and_how_to_get_it(unprivileged):
    told = json.loads(unprivileged.cli("doctor", "--json").stdout)
    probes = {probe["name"]: probe for probe in told["probes"]}
    for name in ("qemu", "kernel", "network"):
        assert probes[name]["status"] in {"ok", "warn", "fail"}, probes[name]
        assert probes[name]["status"] == "ok" or probes[name]["fix"], probes[name]
