"""Building templates: the exact requests, the log, and what happens when a build fails."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from conftest import TEMPLATE, Server, log_entry, stream
from nullspace import (
    AsyncTemplate,
    BuildError,
    InvalidRequestError,
    InvalidResponseError,
    Template,
    TemplateBuild,
    TemplateBuildLogEntry,
    TemplateBuildStatus,
    default_build_logger,
    wait_for_port,
)

APP = "builder-context/step-1/src-0/app.py"
WORKED_EXAMPLE = (
    '{"base_image":"python:3.12",'
    '"steps":[{"action":"pip_install","packages":["fastapi","uvicorn"]},'
    f'{{"action":"copy","sources":["{APP}"],"dst":"/workspace/app.py"}},'
    '{"action":"workdir","path":"/workspace"}],'
    '"start_cmd":"uvicorn app:app --host 0.0.0.0 --port 8080",'
    f'"build_context":{{"files":[{{"path":"{APP}","entry_type":"file","blob_id":"blob_1","mode":"0644"}}]}},'
    '"runtime_config":{"default_workdir":"/workspace",'
    '"readiness":{"kind":"tcp","port":8080,"timeout_secs":30,"interval_ms":500,"startup_grace_secs":2}},'
    '"name":"review-api","tags":["stable"],"build_config":{"vcpus":2,"memory_mib":512}}'
)


def seed_builder() -> Template:
    return (
        Template.from_python_image("3.12")
        .pip_install(["fastapi", "uvicorn"])
        .copy("./app.py", "/workspace/app.py")
        .set_workdir("/workspace")
        .set_start_cmd("uvicorn app:app --host 0.0.0.0 --port 8080", readiness=wait_for_port(8080))
    )


@pytest.fixture(autouse=True)
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    content = b"app = None\n"
    (tmp_path / "app.py").write_bytes(content)
    (tmp_path / "app.py").chmod(0o644)
    monkeypatch.chdir(tmp_path)
    return content


def script_blob(server: Server, missing: bool = True) -> None:
    placed = {"path": APP, "entry_type": "file", "blob_id": "blob_1", "missing": missing}
    server.on("POST", "/v1/templates/blobs/preflight", {"files": [placed]})
    server.on("PUT", "/v1/templates/blobs/blob_1", status=204)


def finished(**changes: Any) -> bytes:
    return stream(
        log_entry(0, "start", "Build started"), log_entry(1, "end", "Build finished", result=TEMPLATE, **changes)
    )


def test_the_worked_example_is_sent_byte_for_byte(server: Server, app: bytes) -> None:
    script_blob(server)
    server.on("POST", "/v1/templates/build", finished())
    build = Template.build(seed_builder(), name="review-api", tags=["stable"])

    preflight, put, request = server.asked
    assert preflight.json() == {
        "files": [
            {
                "path": APP,
                "entry_type": "file",
                "mode": "0644",
                "sha256": hashlib.sha256(app).hexdigest(),
                "size_bytes": len(app),
            }
        ]
    }
    assert (put.body, put.headers["content-length"]) == (app, str(len(app)))
    assert request.body.decode() == WORKED_EXAMPLE
    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer ns_live_test"}
    assert (build.build_id, build.canonical_ref, build.status) == ("tb_1", "team/review-api", TemplateBuildStatus.READY)


def test_a_blob_the_server_has_is_not_uploaded_again(server: Server) -> None:
    script_blob(server, missing=False)
    server.on("POST", "/v1/templates/build", finished())
    Template.build(seed_builder(), "review-api:stable")
    assert server.requests("PUT", "/v1/templates/blobs/blob_1") == []
    assert server.asked[-1].json()["tags"] == ["stable"]


def test_log_entries_reach_the_callback_with_line_separators_inside(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    script_blob(server)
    output = log_entry(1, "message", "one\u2028still one")
    debug = log_entry(2, "message", "quiet", level="debug")
    server.on(
        "POST",
        "/v1/templates/build",
        stream(log_entry(0, "start", "go"), output, debug, log_entry(3, "end", "done", result=TEMPLATE)),
    )
    seen: list[TemplateBuildLogEntry] = []
    show = default_build_logger()

    def both(entry: TemplateBuildLogEntry) -> None:
        seen.append(entry)
        show(entry)

    Template.build(seed_builder(), name="x", on_log_entry=both)
    assert [entry.message for entry in seen] == ["go", "one\u2028still one", "quiet", "done"]
    assert capsys.readouterr().err == "==> go\none\u2028still one\n==> done\n"


def test_a_failed_step_raises_with_its_phase(server: Server) -> None:
    script_blob(server)
    detail = {
        "code": "build_error",
        "message": "pip install failed",
        "phase": "build_step",
        "retryable": False,
        "suggested_action": "look at the log",
        "step_index": 1,
    }
    server.on(
        "POST", "/v1/templates/build", stream(log_entry(0, "error", "step failed", level="error", error_detail=detail))
    )
    with pytest.raises(BuildError, match="pip install failed") as raised:
        Template.build(seed_builder(), name="x")
    assert raised.value.error_detail == {"phase": "build_step", "step_index": 1, "build_id": None}
    assert raised.value.suggested_action == "look at the log"


def test_a_log_that_stops_without_a_result_is_a_build_error(server: Server) -> None:
    script_blob(server)
    server.on("POST", "/v1/templates/build", stream(log_entry(0, "start", "go")))
    with pytest.raises(BuildError, match="without a result"):
        Template.build(seed_builder(), name="x")


def test_entries_of_another_build_are_refused(server: Server) -> None:
    script_blob(server)
    strange = log_entry(1, "message", "?") | {"build_id": "tb_2"}
    server.on("POST", "/v1/templates/build", stream(log_entry(0, "start", "go"), strange))
    with pytest.raises(InvalidResponseError, match="tb_2"):
        Template.build(seed_builder(), name="x")


def test_a_background_build_is_followed_to_its_end(server: Server) -> None:
    script_blob(server)
    build = {
        "build_id": "tb_1",
        "template_id": "tmpl_1",
        "name": "x",
        "tags": ["default"],
        "status": "building",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }
    server.on("POST", "/v1/templates/builds", build, status=202)
    path = "/v1/templates/builds/tb_1"
    server.on("GET", path, {"build": build, "entries": [log_entry(0, "start", "go")], "next_offset": 1})
    done = build | {"status": "ready", "canonical_ref": "team/x"}
    server.on("GET", path, {"build": done, "entries": [log_entry(1, "end", "done")], "next_offset": 2})
    handle = Template.build_in_background(seed_builder(), name="x")
    assert handle.status is TemplateBuildStatus.BUILDING
    snapshot = handle.wait_until_terminal(poll_interval=0.01)
    assert [entry.message for entry in snapshot.entries] == ["go", "done"]
    assert (handle.status, handle.canonical_ref) == (TemplateBuildStatus.READY, "team/x")
    assert [asked.query for asked in server.requests("GET", path)] == [[("offset", "0")], [("offset", "1")]]


def test_a_build_that_failed_in_the_background_raises_when_waited_for(server: Server) -> None:
    build = {
        "build_id": "tb_1",
        "template_id": "tmpl_1",
        "name": "x",
        "tags": [],
        "status": "error",
        "error": "no such image",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }
    server.on("GET", "/v1/templates/builds/tb_1", {"build": build, "entries": [], "next_offset": 0})
    handle = TemplateBuild.connect("tb_1")
    with pytest.raises(BuildError, match="no such image"):
        handle.wait_until_terminal()


def test_logs_follow_to_the_end_of_the_stream(server: Server) -> None:
    build = json.loads(json.dumps({"build_id": "tb_1", "template_id": "tmpl_1", "name": "x", "tags": []}))
    build |= {"status": "ready", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    server.on("GET", "/v1/templates/builds/tb_1", {"build": build, "entries": [], "next_offset": 0})
    server.on("GET", "/v1/templates/builds/tb_1/logs", finished())
    entries = list(TemplateBuild.connect("tb_1").logs(follow=True))
    assert [entry.kind.value for entry in entries] == ["start", "end"]
    assert server.asked[-1].query == [("follow", "true"), ("offset", "0")]


def test_validate_carries_the_files_inline(server: Server) -> None:
    server.on("POST", "/v1/templates/validate", {"valid": False, "errors": [{"code": "x", "message": "no"}]})
    verdict = Template.validate(seed_builder(), name="review-api")
    assert (verdict.valid, verdict.errors[0].message) == (False, "no")
    assert server.asked[0].json()["build_context"]["files"] == [
        {"path": APP, "entry_type": "file", "mode": "0644", "content_base64": "YXBwID0gTm9uZQo="}
    ]


def test_the_native_backend_is_refused_for_a_dockerfile_before_anything_is_sent(server: Server) -> None:
    with pytest.raises(InvalidRequestError, match="build_backend"):
        Template.build(Template.from_dockerfile_content("FROM x"), name="x", build_backend="native")
    assert server.asked == []


def test_the_asynchronous_build_sends_the_same_bytes(server: Server) -> None:
    import asyncio

    script_blob(server)
    server.on("POST", "/v1/templates/build", finished())

    async def main() -> str:
        build = await AsyncTemplate.build(seed_builder(), name="review-api", tags=["stable"])
        await build.close()
        return build.canonical_ref

    assert asyncio.run(main()) == "team/review-api"
    assert server.asked[-1].body.decode() == WORKED_EXAMPLE
