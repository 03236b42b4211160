"""The operations on builds, as flows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import build_log
from .build_log import TemplateBuildLogEntry, TemplateBuildLogKind, parse_log_entry
from .build_model import (
    BuildFields,
    TemplateBuildBackend,
    TemplateBuildPlanResponse,
    TemplateBuildSourceType,
    TemplateBuildStatus,
    TemplateBuildStatusSnapshot,
    TemplateBuildValidationResponse,
    build_fields,
)
from .context import ContextEntry
from .errors import BuildError, InvalidResponseError
from .flow import Emit, Flow, Request, Sleep, call, exchange, next_object, open_stream, segment
from .payload import Payload
from .template_model import (
    TemplateInfo,
)
from .wire import Reader

BASE = "/v1/templates"
BUILD_TIMEOUT_SECONDS = 300.0  # the longest silence in a build's stream; the server sends a comment every 10 s
BLOB_TIMEOUT_SECONDS = 300.0
OnLogEntry = Callable[[TemplateBuildLogEntry], None]


def validate(payload: Payload) -> Flow[TemplateBuildValidationResponse]:
    """Asks whether the request would be accepted."""
    value = yield from call(Request("POST", f"{BASE}/validate", json=payload.inline()))
    return TemplateBuildValidationResponse.parse(value)


def plan(payload: Payload) -> Flow[TemplateBuildPlanResponse]:
    """Asks what the request would do."""
    return TemplateBuildPlanResponse.parse((yield from call(Request("POST", f"{BASE}/plan", json=payload.inline()))))


def start(payload: Payload) -> Flow[BuildFields]:
    """Starts a build that goes on without us."""
    body = yield from uploaded(payload)
    return build_fields((yield from call(Request("POST", f"{BASE}/builds", json=body, timeout=BUILD_TIMEOUT_SECONDS))))


def build(payload: Payload, on_log_entry: OnLogEntry | None) -> Flow[BuildFields]:
    """Builds and waits. The build is durable: if the connection breaks, it goes on and can be found by its id."""
    body = yield from uploaded(payload)
    yield from open_stream(Request("POST", f"{BASE}/build", json=body, timeout=BUILD_TIMEOUT_SECONDS))
    first: TemplateBuildLogEntry | None = None
    while (value := (yield from next_object())) is not None:
        entry = parse_log_entry(value)
        first = first or entry
        _same_build(entry, first.build_id, first.template_id)
        if on_log_entry is not None:
            on_log_entry(entry)
        if entry.kind is TemplateBuildLogKind.ERROR:
            raise build_log.failure(entry.message, entry.error_detail)
        if entry.kind is TemplateBuildLogKind.END and entry.result is not None:
            return _finished(body, first, entry, entry.result)
    raise BuildError("the build's log ended without a result; its state can be asked by its id")


def uploaded(payload: Payload) -> Flow[dict[str, Any]]:
    """Uploads the files the server does not have, and answers the body that refers to them."""
    if not payload.entries:
        return payload.body
    local = {entry.path: entry for entry in payload.entries}
    descriptors = [entry.descriptor() for entry in payload.entries]
    answer = yield from call(Request("POST", f"{BASE}/blobs/preflight", json={"files": descriptors}))
    placed = [Reader("preflight entry", value) for value in Reader("preflight", answer).objects("files")]
    if sorted(entry.text("path") for entry in placed) != sorted(local):
        raise InvalidResponseError("the server's preflight answer does not list the files that were sent")
    files, sent = [], set[str]()
    for reader in placed:
        entry = local[reader.text("path")]
        described = entry.bare()
        if not entry.is_dir:
            blob = reader.text("blob_id")
            described = {"path": entry.path, "entry_type": "file", "blob_id": blob, "mode": entry.mode}
            if reader.flag("missing") and blob not in sent:
                yield from put_blob(blob, entry)
                sent.add(blob)
        files.append(described)
    return payload.with_files(files)


def put_blob(blob: str, entry: ContextEntry) -> Flow[None]:
    """Uploads the bytes of one file; the server checks length and digest."""
    headers = {"content-type": "application/octet-stream"}
    path = f"{BASE}/blobs/{blob}"
    yield from exchange(Request("PUT", path, content=entry.local, headers=headers, timeout=BLOB_TIMEOUT_SECONDS))


def status(build_id: str, offset: int) -> Flow[TemplateBuildStatusSnapshot]:
    """A build and its log from an offset on."""
    path = f"{BASE}/builds/{segment(build_id)}"
    return TemplateBuildStatusSnapshot.parse((yield from call(Request("GET", path, query=(("offset", str(offset)),)))))


def logs(build_id: str, offset: int, cursor: int | None, follow: bool) -> Flow[None]:
    """Emits the entries of a build's log; with ``follow`` until the build ends."""
    place = ("offset", str(offset)) if cursor is None else ("cursor", str(cursor))
    query = (("follow", "true" if follow else "false"), place)
    path = f"{BASE}/builds/{segment(build_id)}/logs"
    yield from open_stream(Request("GET", path, query=query, timeout=BUILD_TIMEOUT_SECONDS))
    while (value := (yield from next_object())) is not None:
        yield Emit(parse_log_entry(value))


def cancel(build_id: str, reason: str | None) -> Flow[TemplateBuildStatusSnapshot]:
    """Cancels a build."""
    body = {} if reason is None else {"reason": reason}
    path = f"{BASE}/builds/{segment(build_id)}/cancel"
    return TemplateBuildStatusSnapshot.parse((yield from call(Request("POST", path, json=body))))


def retry(build_id: str, body: dict[str, Any]) -> Flow[BuildFields]:
    """Starts a new attempt of a build."""
    return build_fields((yield from call(Request("POST", f"{BASE}/builds/{segment(build_id)}/retry", json=body))))


def promote(build_id: str, tag: str) -> Flow[TemplateInfo]:
    """Moves a tag to a build."""
    request = Request("POST", f"{BASE}/builds/{segment(build_id)}/promote", json={"tag": tag})
    return TemplateInfo.parse((yield from call(request)))


def wait(
    build_id: str, interval: float, offset: int, on_log_entry: OnLogEntry | None
) -> Flow[TemplateBuildStatusSnapshot]:
    """Waits until a build has ended; raises if it failed."""
    entries: list[TemplateBuildLogEntry] = []
    while True:
        snapshot = yield from status(build_id, offset)
        offset = snapshot.next_offset
        entries.extend(snapshot.entries)
        for entry in snapshot.entries if on_log_entry else []:
            assert on_log_entry is not None
            on_log_entry(entry)
        if snapshot.build.is_terminal():
            raise_for_error(snapshot)
            return TemplateBuildStatusSnapshot(snapshot.build, entries, offset)
        yield Sleep(interval)


def raise_for_error(snapshot: TemplateBuildStatusSnapshot) -> None:
    """Raises if the build failed."""
    if snapshot.build.status is TemplateBuildStatus.ERROR:
        raise build_log.failure(snapshot.build.error or "the build failed", snapshot.build.error_detail)


def _same_build(entry: TemplateBuildLogEntry, build_id: str, template_id: str) -> None:
    if (entry.build_id, entry.template_id) != (build_id, template_id):
        raise InvalidResponseError(f"build log: entry {entry.offset} belongs to another build ({entry.build_id})")


def _finished(
    body: dict[str, Any], first: TemplateBuildLogEntry, last: TemplateBuildLogEntry, result: TemplateInfo
) -> BuildFields:
    dockerfile = "dockerfile" in body
    default = TemplateBuildBackend.BUILDKIT if dockerfile else TemplateBuildBackend.NATIVE
    return {
        "build_id": last.build_id,
        "template_id": last.template_id,
        "name": result.name,
        "tags": result.tags,
        "status": TemplateBuildStatus.READY,
        "created_at": first.timestamp,
        "queued_at": first.timestamp,
        "started_at": first.timestamp,
        "finished_at": last.timestamp,
        "updated_at": last.timestamp,
        "build_backend": TemplateBuildBackend(body.get("build_backend", default)),
        "source_type": TemplateBuildSourceType.DOCKERFILE if dockerfile else TemplateBuildSourceType.DECLARATIVE,
        "canonical_ref": result.ref,
        "namespace_slug": result.namespace_slug or "",
        "visibility": result.visibility,
        "runtime_defaults": result.runtime_defaults,
        "build_config": body["build_config"],
        "artifact_ids": [last.template_id],
    }
