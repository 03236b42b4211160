"""A real server on a free port, for the clients to be tried against.

Nothing is simulated: images come from the distribution's packages, machines are QEMU's. One server
serves the whole run (a template takes seconds to build under emulation); what a test makes, it ends.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

BINARY = os.environ["NULLSPACE_BINARY"]
START_SECONDS = 60
STOP_SECONDS = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A `nullspace serve` of ours on a data directory of its own."""

    data: Path
    port: int = field(default_factory=free_port)
    preview_port: int = field(default_factory=free_port)
    key: str = "ns_live_contract_0123456789abcdef0123456789abcdef"
    binary: str = BINARY
    process: subprocess.Popen[bytes] | None = None

    def wrap(self, command: list[str]) -> list[str]:
        """How a command of ours is run: as it is, unless a test wants it otherwise."""
        return command

    @property
    def serve_environment(self) -> dict[str, str]:
        return {**os.environ, "NULLSPACE_BOOTSTRAP_API_KEY": self.key}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find this server and no other."""
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("NULLSPACE_")},
            "NULLSPACE_API_KEY": self.key,
            "NULLSPACE_API_URL": self.url,
            "HOME": str(self.data),
            "XDG_CACHE_HOME": self.serve_environment.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        }

    def start(self, *flags: str) -> None:
        log = (self.data / "server.log").open("ab")
        self.process = subprocess.Popen(
            self.wrap([
                self.binary, "serve",
                "--data-dir", str(self.data / "data"),
                "--listen", f"127.0.0.1:{self.port}",
                "--preview-listen", f"127.0.0.1:{self.preview_port}",
                "--namespace", "team",
                *flags,
            ]),
            env=self.serve_environment,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                    assert json.load(answer) == {"status": "ok"}
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"the server did not start:\n{self.log_tail()}") from None
                time.sleep(0.05)

    def log_tail(self) -> str:
        return (self.data / "server.log").read_text(errors="replace")[-4000:]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not stop within {STOP_SECONDS} s:\n{self.log_tail()}") from None

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs our command line against this server."""
        done = subprocess.run(
            self.wrap([self.binary, *arguments]), env=self.environment, text=True, capture_output=True, timeout=600
        )
        if check and done.returncode != 0:
            raise AssertionError(f"nullspace {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def api(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """One raw request, for what no client would send."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None

    def sandboxes(self) -> list[dict[str, Any]]:
        """What a plain list shows: the sandboxes that live."""
        status, answer = self.api("GET", "/v1/sandboxes")
        assert status == 200, answer
        return list(answer["items"])

    def machine_processes(self) -> list[int]:
        """Processes of this server's machines and network: those that name its data directory."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                links = [os.readlink(fd) for fd in (entry / "fd").iterdir()]
            except OSError:
                continue
            here = str(self.data / "data")
            if here.encode() in command or any(link.startswith(here) for link in links):
                found.append(int(entry.name))
        return found


def make_server(data: Path) -> Server:
    return Server(data)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    it = make_server(tmp_path_factory.mktemp("server"))
    it.start("--stop-machines-on-exit")
    os.environ.update(NULLSPACE_API_KEY=it.key, NULLSPACE_API_URL=it.url)
    try:
        it.cli("image", "bootstrap", "busybox", "--json")
        yield it
    finally:
        it.stop()
        left = it.machine_processes()
        assert not left, f"processes left behind: {left}"
