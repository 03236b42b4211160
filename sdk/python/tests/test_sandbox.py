"""Sandboxes, their commands and files: exact requests, safe repeats, and cleaning up."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Server, pool_json, sandbox_json
from nullspace import (
    AsyncSandbox,
    AsyncTemplateWarmPool,
    CommandError,
    ConflictError,
    InvalidResponseError,
    NotFoundError,
    RateLimitError,
    Sandbox,
    SandboxError,
    SandboxStatus,
    Template,
    TemplateWarmPool,
    TimeoutError,
    TransportError,
    WarmPoolCheckoutSource,
    WarmPoolUnavailableError,
    command_flows,
    sandbox_flows,
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_flows, "FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(sandbox_flows, "LONGEST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(command_flows, "POLL_SECONDS", 0.001)


RECEIPT = {"source": "ready_instance", "hit": True, "id": "twp_p", "mode": "require", "generation": 1, "unknown": 1}


def test_a_checkout_sends_the_published_body_and_reads_its_receipt(server: Server) -> None:
    server.on("POST", "/v1/sandboxes", sandbox_json(warm_pool_checkout=RECEIPT), status=201)
    sandbox = Sandbox.create(template="team/x", warm_pool="twp_p", warm_pool_mode="require", warm_pool_wait_ms=3000)
    asked = server.asked[0]
    assert asked.json() == {
        "template": "team/x",
        "vcpus": 2,
        "memory_mb": 512,
        "timeout_ms": 300000,
        "envs": {},
        "metadata": {},
        "network": None,
        "internet_access": True,
        "cwd": None,
        "desktop": None,
        "volumes": None,
        "auto_resume": False,
        "warm_pool": {"id": "twp_p", "mode": "require", "wait_ms": 3000},
    }
    assert len(asked.headers["idempotency-key"]) == 36
    receipt = sandbox.info.warm_pool_checkout
    assert receipt is not None
    assert (receipt.source, receipt.hit, receipt.generation) == (WarmPoolCheckoutSource.READY_INSTANCE, True, 1)


def test_an_unfinished_create_is_repeated_with_the_same_key(server: Server) -> None:
    server.on("POST", "/v1/sandboxes", {"error": "wait", "code": "transition_in_progress"}, status=409)
    server.on("POST", "/v1/sandboxes", hang_up=True)
    server.on("POST", "/v1/sandboxes", sandbox_json(), status=201)
    assert Sandbox.create().id == "sb_1"
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1
    assert len(server.asked) == 3


def test_a_conflict_is_not_repeated(server: Server) -> None:
    server.on("POST", "/v1/sandboxes", {"error": "other body", "code": "transition_conflict"}, status=409)
    with pytest.raises(ConflictError):
        Sandbox.create()
    assert len(server.asked) == 1


def test_a_missed_checkout_says_why(server: Server) -> None:
    body = {
        "error": "warm pool `twp_p` has no ready instance",
        "code": "warm_pool_unavailable",
        "request_id": "req_1",
        "retryable": True,
        "details": {"reason": "no_ready_inventory"},
    }
    server.on("POST", "/v1/sandboxes", body, status=503)
    with pytest.raises(WarmPoolUnavailableError, match="no ready instance") as raised:
        Sandbox.create(warm_pool="twp_p", warm_pool_mode="require")
    error = raised.value
    assert (error.code, error.status, error.request_id) == ("warm_pool_unavailable", 503, "req_1")
    assert error.details["reason"] == "no_ready_inventory"
    assert len(server.asked) == 1


def test_a_mode_without_a_pool_is_refused_before_anything_is_sent(server: Server) -> None:
    for given in ({"warm_pool_mode": "require"}, {"warm_pool_wait_ms": 5}):
        with pytest.raises(ValueError, match="need warm_pool"):
            Sandbox.create(**given)
    assert server.asked == []


def test_rate_limits_are_waited_out_three_times(server: Server) -> None:
    slow = {"error": "slow down", "code": "rate_limit_exceeded"}
    server.on("GET", "/v1/sandboxes/sb_1", slow, status=429, headers={"Retry-After": "0"})
    with pytest.raises(RateLimitError):
        Sandbox.get_info_by_id("sb_1")
    assert len(server.asked) == 4


def test_a_quota_is_not_waited_out(server: Server) -> None:
    server.on("GET", "/v1/sandboxes/sb_1", {"error": "full", "code": "QUOTA_EXCEEDED"}, status=429)
    with pytest.raises(SandboxError) as raised:
        Sandbox.get_info_by_id("sb_1")
    assert (type(raised.value).__name__, raised.value.code) == ("QuotaExceededError", "quota_exceeded")
    assert len(server.asked) == 1


def test_a_paused_sandbox_is_resumed_by_its_snapshot(server: Server) -> None:
    server.on("GET", "/v1/sandboxes/sb_1", sandbox_json(status="paused", snapshot_id="snap_1"))
    server.on("POST", "/v1/sandboxes/snap_1/resume", sandbox_json(id="sb_2"))
    server.on("POST", "/v1/sandboxes/sb_2/timeout", {})
    assert Sandbox.connect("sb_1", timeout=60).id == "sb_2"
    assert server.asked[-1].json() == {"timeout_ms": 60000}


def test_leaving_the_block_destroys_the_sandbox_and_keeps_the_error(server: Server) -> None:
    server.on("POST", "/v1/sandboxes", sandbox_json(), status=201)
    server.on("DELETE", "/v1/sandboxes/sb_1", {"error": "gone", "code": "sandbox_not_found"}, status=404)
    with pytest.raises(RuntimeError, match="mine"), Sandbox.create():
        raise RuntimeError("mine")
    assert len(server.requests("DELETE", "/v1/sandboxes/sb_1")) == 1


def test_a_list_follows_its_pages(server: Server) -> None:
    first = {"items": [sandbox_json(id="a")], "next_token": "n", "has_next": True}
    server.on("GET", "/v1/sandboxes", first)
    server.on("GET", "/v1/sandboxes", [sandbox_json(id="b")])
    with Sandbox.list(state="running", limit=1) as pages:
        assert [info.id for info in pages] == ["a", "b"]
    assert server.asked[0].query == [("state", "running"), ("limit", "1")]
    assert ("next_token", "n") in server.asked[1].query


def sandbox(server: Server) -> Sandbox:
    server.on("POST", "/v1/sandboxes", sandbox_json(), status=201, headers={"X-Nullspace-Dispatch-Proof": "proof"})
    return Sandbox.create()


def test_a_command_is_sent_verbatim_and_a_failing_one_is_a_result(server: Server) -> None:
    box = sandbox(server)
    server.on("POST", "/v1/sandboxes/sb_1/exec", {"exit_code": 3, "stdout": "o", "stderr": "e", "pid": 7})
    result = box.commands.run("ls", ["-l"], cwd="/", envs={"A": "b"}, timeout=5)
    assert (result.exit_code, result.stdout, result.stderr, result.pid) == (3, "o", "e", 7)
    asked = server.asked[-1]
    assert asked.json() == {
        "command": "ls",
        "timeout_secs": 5,
        "background": False,
        "args": ["-l"],
        "cwd": "/",
        "envs": {"A": "b"},
    }
    assert asked.headers["x-nullspace-dispatch-proof"] == "proof"
    with pytest.raises(ValueError, match="shell"):
        box.commands.run("ls", ["-l"], shell=True)


def test_a_failure_after_the_answer_had_begun_is_raised(server: Server) -> None:
    box = sandbox(server)
    late = {"exit_code": -1, "stdout": "", "stderr": "", "error": "took longer than 1 s", "code": "exec_timeout"}
    server.on("POST", "/v1/sandboxes/sb_1/exec", b"   " + json.dumps(late).encode())
    with pytest.raises(CommandError, match="longer than 1 s") as raised:
        box.commands.run("sleep", ["9"], timeout=1)
    assert raised.value.code == "exec_timeout"


def test_output_is_handed_over_as_it_appears(server: Server) -> None:
    box = sandbox(server)
    server.on("POST", "/v1/sandboxes/sb_1/exec", {"pid": 7})
    server.on("GET", "/v1/sandboxes/sb_1/processes", [{"pid": 7, "command": "x", "running": True}])
    logs = "/v1/sandboxes/sb_1/processes/7/logs"
    server.on("GET", logs, {"stdout": "on", "stderr": "", "output": "on"})
    server.on("GET", logs, {"stdout": "one", "stderr": "!", "output": "one!", "exit_code": 0})
    out: list[str] = []
    err: list[str] = []
    result = box.commands.run("x", shell=True, on_stdout=out.append, on_stderr=err.append)
    assert (out, err, result.exit_code) == (["on", "e"], ["!"], 0)


def test_a_streamed_command_that_does_not_end_is_killed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_flows, "GRACE_SECONDS", 0.0)
    box = sandbox(server)
    server.on("POST", "/v1/sandboxes/sb_1/exec", {"pid": 7})
    server.on("GET", "/v1/sandboxes/sb_1/processes", [{"pid": 7, "command": "x", "running": True}])
    server.on("GET", "/v1/sandboxes/sb_1/processes/7/logs", {"stdout": "", "stderr": "", "output": ""})
    server.on("POST", "/v1/sandboxes/sb_1/processes/7/kill", status=204)
    with pytest.raises(CommandError, match="did not end"):
        box.commands.run_streaming("x", timeout=0)
    assert len(server.requests("POST", "/v1/sandboxes/sb_1/processes/7/kill")) == 1


def test_files_travel_as_text_base64_or_raw(server: Server, tmp_path: Path) -> None:
    box = sandbox(server)
    file = {"name": "f", "path": "/f", "is_dir": False, "size": 1}
    base = "/v1/sandboxes/sb_1/files"
    for operation in ("write", "info"):
        server.on("POST", f"{base}/{operation}", file)
    server.on("PUT", "/v1/sandboxes/sb_1/file", status=204)
    box.files.write("/f", "text")
    assert server.asked[-1].json() == {"path": "/f", "content": "text", "encoding": "utf8", "user": None}
    box.files.write("/f", b"\x00")
    assert server.asked[-1].json()["content"] == "AA=="
    (tmp_path / "big").write_bytes(b"x" * 1000)
    box.files.write("/f", tmp_path / "big", user="u")
    put = server.requests("PUT", "/v1/sandboxes/sb_1/file")[0]
    assert (put.body, put.query) == (b"x" * 1000, [("path", "/f"), ("user", "u")])
    server.on("GET", "/v1/sandboxes/sb_1/file", b"\x01")
    assert box.files.read("/f", format="bytes") == b"\x01"
    server.on("POST", f"{base}/read", {"content": "text"})
    assert box.files.read("/f") == "text"


def test_a_host_without_a_url_takes_the_scheme_of_the_api(server: Server) -> None:
    box = sandbox(server)
    server.on("POST", "/v1/sandboxes/sb_1/host", {"host": "8080-sb_1.local"})
    info = box.get_host_info(8080)
    assert (info.url, info.websocket_url) == ("http://8080-sb_1.local", "ws://8080-sb_1.local")


def test_a_pool_is_created_waited_for_and_resized(server: Server) -> None:
    path = "/v1/template-warm-pools"
    server.on("POST", path, pool_json(), status=201)
    for ready in (0, 1, 2):
        server.on("GET", f"{path}/twp_p", pool_json(ready))
    server.on("PATCH", f"{path}/twp_p", pool_json(2, max_ready=6))
    pool = TemplateWarmPool.create("team/x", name="p", min_ready=2, max_ready=4, vcpus=2, memory_mb=1024)
    assert server.asked[0].json() == {
        "template_ref": "team/x",
        "name": "p",
        "min_ready": 2,
        "max_ready": 4,
        "resources": {"vcpus": 2, "memory_mb": 1024},
    }
    assert pool.wait_until_ready(min_ready=2, interval_secs=0.001).status.ready == 2
    pool.update(max_ready=6, vcpus=4)
    assert server.asked[-1].json() == {"max_ready": 6, "resources": {"vcpus": 4, "memory_mb": 1024}}
    assert pool.max_ready == 6


def test_a_wait_in_vain_says_what_the_pool_lacks(server: Server) -> None:
    server.on("GET", "/v1/template-warm-pools/twp_p", pool_json(1, degraded_reason="no_eligible_hosts"))
    pool = TemplateWarmPool.get("twp_p")
    with pytest.raises(TimeoutError, match=r"1 of 2 machines ready .*no_eligible_hosts"):
        pool.wait_until_ready(timeout_secs=0.01, interval_secs=0.001)


def test_refs_travel_as_one_segment(server: Server) -> None:
    path = "/v1/templates/refs/team%2Freview-api%3Astable"
    server.on("GET", path, {"error": "no", "code": "template_not_found"}, status=404)
    assert Template.exists("team/review-api:stable") is False
    with pytest.raises(NotFoundError):
        Template.get("team/review-api:stable")


def test_an_answer_that_is_not_understood_names_the_field(server: Server) -> None:
    server.on("GET", "/v1/sandboxes/sb_1", sandbox_json(status="melting"))
    with pytest.raises(InvalidResponseError, match="`status` is 'melting'"):
        Sandbox.get_info_by_id("sb_1")


def test_a_server_that_is_away_is_a_transport_error(server: Server) -> None:
    server.close()
    with pytest.raises(TransportError) as raised:
        Sandbox.create()
    assert raised.value.may_have_arrived is False


def test_the_twins_have_the_same_methods() -> None:
    def names(kind: type[Any]) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert names(Sandbox) == names(AsyncSandbox)
    assert names(TemplateWarmPool) == names(AsyncTemplateWarmPool)


def test_the_asynchronous_twin_makes_the_same_round(server: Server) -> None:
    server.on("POST", "/v1/sandboxes", {"error": "wait", "code": "transition_in_progress"}, status=409)
    server.on("POST", "/v1/sandboxes", sandbox_json(), status=201)
    server.on("POST", "/v1/sandboxes/sb_1/exec", {"exit_code": 0, "stdout": "hi", "stderr": ""})
    server.on("GET", "/v1/sandboxes", [sandbox_json()])
    server.on("DELETE", "/v1/sandboxes/sb_1", {})

    async def main() -> str:
        async with await AsyncSandbox.create() as box:
            pages = await AsyncSandbox.list()
            found = [info.status async for info in pages]
            await pages.close()
            assert found == [SandboxStatus.RUNNING]
            return (await box.commands.run("echo", ["hi"])).stdout

    assert asyncio.run(main()) == "hi"
    assert len(server.requests("DELETE", "/v1/sandboxes/sb_1")) == 1
