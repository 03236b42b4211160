"""A small HTTP server in this process: it plays back scripted answers and records exactly what was asked."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest


@dataclass
class Asked:
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False

    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Server:
    """Answers of one route are played in order; the last one is repeated."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        handler = type("Handler", (_Handler,), {"server_state": self, "protocol_version": "HTTP/1.1"})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def on(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        hang_up: bool = False,
    ) -> None:
        self._answers[(method, path)].append(Answer(status, body, headers or {}, hang_up))

    def answer(self, method: str, path: str) -> Answer:
        answers = self._answers[(method, path)]
        if not answers:
            return Answer(404, {"error": f"nothing scripted for {method} {path}", "code": "not_scripted"})
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def requests(self, method: str, path: str) -> list[Asked]:
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_state: Server

    def _serve(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(length) if length else self._chunked()
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server_state.asked.append(Asked(self.command, parts.path, parse_qsl(parts.query), headers, body))
        answer = self.server_state.answer(self.command, parts.path)
        if answer.hang_up:
            self.close_connection = True
            return
        content = answer.content()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunked(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return b""
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the environment points at, and no configuration of the person running the tests."""
    state = Server()
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("NULLSPACE_API_KEY", "ns_live_test")
    monkeypatch.setenv("NULLSPACE_API_URL", state.url)
    yield state
    state.close()


def sandbox_json(**changes: Any) -> dict[str, Any]:
    return {"id": "sb_1", "status": "running", "config": {"vcpus": 2, "memory_mb": 1024}, "template": "t", **changes}


def pool_json(ready: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "id": "twp_p",
        "name": "p",
        "template_ref": "team/review-api",
        "state": "enabled",
        "min_ready": 2,
        "max_ready": 4,
        "resources": {"vcpus": 2, "memory_mb": 1024},
        "status": {"target": 2, "ready": ready, "warming": 2 - ready},
        **changes,
    }


def log_entry(offset: int, kind: str, message: str, **changes: Any) -> dict[str, Any]:
    return {
        "build_id": "tb_1",
        "template_id": "tmpl_1",
        "offset": offset,
        "timestamp": "2026-01-01T00:00:00.123456789Z",
        "kind": kind,
        "level": "info",
        "message": message,
        **changes,
    }


TEMPLATE = {
    "id": "tmpl_1",
    "name": "review-api",
    "description": "",
    "builtin": False,
    "canonical_ref": "team/review-api",
    "namespace_slug": "team",
    "visibility": "private",
    "tags": ["stable"],
    "default_tag": "stable",
}


def stream(*entries: dict[str, Any]) -> bytes:
    lines = [": keep-alive\n\n"] + [f"data: {json.dumps(entry, ensure_ascii=False)}\n\n" for entry in entries]
    return "".join(lines).encode()
