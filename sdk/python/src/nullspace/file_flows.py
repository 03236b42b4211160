"""Files in a sandbox, as flows."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from .file_model import FileInfo
from .flow import Flow, Request, call, exchange
from .wire import Reader, array

TRANSFER_TIMEOUT_SECONDS = 300.0
RAW_FROM_BYTES = 1024 * 1024  # base64 in JSON costs a third more and whole copies in memory: larger bytes travel raw


def listing(sandbox_id: str, path: str, depth: int | None, user: str | None) -> Flow[list[FileInfo]]:
    """What is in a directory."""
    wanted = {"path": path, "user": user, "depth": depth}
    query = tuple((key, str(value)) for key, value in wanted.items() if value is not None)
    values = array("file list", (yield from call(Request("GET", f"/v1/sandboxes/{sandbox_id}/files", query=query))))
    return [FileInfo.parse(value) for value in values]


def info(sandbox_id: str, path: str, user: str | None) -> Flow[FileInfo]:
    """What the server knows about a path."""
    return FileInfo.parse((yield from _post(sandbox_id, "info", {"path": path, "user": user})))


def exists(sandbox_id: str, path: str, user: str | None) -> Flow[bool]:
    """Whether a path exists."""
    value = yield from _post(sandbox_id, "exists", {"path": path, "user": user})
    return Reader("file exists", value).flag("exists")


def read_text(sandbox_id: str, path: str, user: str | None) -> Flow[str]:
    """The text of a file."""
    value = yield from _post(sandbox_id, "read", {"path": path, "encoding": "utf8", "user": user})
    return Reader("file content", value).text("content")


def read_bytes(sandbox_id: str, path: str, user: str | None) -> Flow[bytes]:
    """The bytes of a file."""
    response = yield from exchange(_raw("GET", sandbox_id, path, user, None))
    return response.content


def write(sandbox_id: str, path: str, content: str | bytes | Path, user: str | None) -> Flow[FileInfo]:
    """Writes text, bytes, or the content of a local file."""
    if isinstance(content, Path) or (isinstance(content, bytes) and len(content) >= RAW_FROM_BYTES):
        yield from exchange(_raw("PUT", sandbox_id, path, user, content))
        return (yield from info(sandbox_id, path, user))
    if isinstance(content, bytes):
        body = {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64", "user": user}
    else:
        body = {"path": path, "content": content, "encoding": "utf8", "user": user}
    return FileInfo.parse((yield from _post(sandbox_id, "write", body)))


def remove(sandbox_id: str, path: str, user: str | None) -> Flow[None]:
    """Removes a file or a directory with all in it."""
    yield from exchange(_request(sandbox_id, "remove", {"path": path, "user": user}))


def rename(sandbox_id: str, old: str, new: str, user: str | None) -> Flow[FileInfo]:
    """Moves a path."""
    return FileInfo.parse((yield from _post(sandbox_id, "rename", {"old_path": old, "new_path": new, "user": user})))


def make_dir(sandbox_id: str, path: str, user: str | None) -> Flow[bool]:
    """Makes a directory and its parents."""
    yield from exchange(_request(sandbox_id, "mkdir", {"path": path, "user": user}))
    return True


def set_permissions(sandbox_id: str, path: str, permissions: str, user: str | None) -> Flow[None]:
    """Changes the mode of a path."""
    body = {"path": path, "permissions": permissions, "user": user}
    yield from exchange(_request(sandbox_id, "permissions", body))


def _request(sandbox_id: str, operation: str, body: dict[str, Any]) -> Request:
    path = f"/v1/sandboxes/{sandbox_id}/files/{operation}"
    return Request("POST", path, json=body, timeout=TRANSFER_TIMEOUT_SECONDS)


def _post(sandbox_id: str, operation: str, body: dict[str, Any]) -> Flow[Any]:
    return (yield from call(_request(sandbox_id, operation, body)))


def _raw(method: str, sandbox_id: str, path: str, user: str | None, content: bytes | Path | None) -> Request:
    query = (("path", path), *((("user", user),) if user is not None else ()))
    url = f"/v1/sandboxes/{sandbox_id}/file"
    return Request(method, url, query=query, content=content, timeout=TRANSFER_TIMEOUT_SECONDS)
