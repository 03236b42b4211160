"""Readiness probes: how a build and a pool know that the start command has done its work."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

DEFAULT_TIMEOUT_SECS = 30
DEFAULT_INTERVAL_MS = 500
DEFAULT_STARTUP_GRACE_SECS = 2
GUEST_HOSTS = ("localhost", "127.0.0.1", "0.0.0.0")


@dataclass(frozen=True)
class PortReadinessProbe:
    """Ready when the port accepts a connection."""

    port: int
    timeout_secs: int = DEFAULT_TIMEOUT_SECS
    interval_ms: int = DEFAULT_INTERVAL_MS
    startup_grace_secs: int = DEFAULT_STARTUP_GRACE_SECS

    def to_payload(self) -> dict[str, Any]:
        """The probe on the wire."""
        return {"kind": "tcp", "port": self.port, **_tuning(self)}


@dataclass(frozen=True)
class HttpReadinessProbe:
    """Ready when the path answers with a success."""

    port: int
    path: str
    timeout_secs: int = DEFAULT_TIMEOUT_SECS
    interval_ms: int = DEFAULT_INTERVAL_MS
    startup_grace_secs: int = DEFAULT_STARTUP_GRACE_SECS

    def to_payload(self) -> dict[str, Any]:
        """The probe on the wire."""
        return {"kind": "http", "port": self.port, "path": self.path, **_tuning(self)}


@dataclass(frozen=True)
class CommandReadinessProbe:
    """Ready when the shell command exits with 0."""

    command: str
    timeout_secs: int = DEFAULT_TIMEOUT_SECS
    interval_ms: int = DEFAULT_INTERVAL_MS
    startup_grace_secs: int = DEFAULT_STARTUP_GRACE_SECS

    def to_payload(self) -> dict[str, Any]:
        """The probe on the wire."""
        return {"kind": "command", "command": self.command, **_tuning(self)}


@dataclass(frozen=True)
class TimeoutReadinessProbe:
    """Ready after a fixed time."""

    timeout_ms: int

    def to_payload(self) -> dict[str, Any]:
        """The probe on the wire."""
        return {"kind": "timeout", "timeout_ms": self.timeout_ms}


ReadinessProbe = PortReadinessProbe | HttpReadinessProbe | CommandReadinessProbe | TimeoutReadinessProbe


def probe_payload(readiness: ReadinessProbe | str) -> dict[str, Any]:
    """A probe, or a shell command standing for one, on the wire."""
    if isinstance(readiness, str):
        return CommandReadinessProbe(readiness).to_payload()
    return readiness.to_payload()


def wait_for_port(
    port: int,
    timeout_secs: int = DEFAULT_TIMEOUT_SECS,
    interval_ms: int = DEFAULT_INTERVAL_MS,
    startup_grace_secs: int = DEFAULT_STARTUP_GRACE_SECS,
) -> PortReadinessProbe:
    """Waits until something listens on a TCP port of the machine."""
    return PortReadinessProbe(port, timeout_secs, interval_ms, startup_grace_secs)


def wait_for_url(
    url: str,
    timeout_secs: int = DEFAULT_TIMEOUT_SECS,
    interval_ms: int = DEFAULT_INTERVAL_MS,
    startup_grace_secs: int = DEFAULT_STARTUP_GRACE_SECS,
) -> HttpReadinessProbe:
    """Waits until ``http://localhost:PORT/PATH`` inside the machine answers."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        raise ValueError(f"wait_for_url needs a plain http:// URL, not {url!r}")
    if parts.hostname not in GUEST_HOSTS:
        raise ValueError(f"wait_for_url looks inside the machine: the host of {url!r} must be localhost")
    if parts.port is None:
        raise ValueError(f"wait_for_url needs a port in {url!r}")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError(f"wait_for_url takes no query, fragment or credentials: {url!r}")
    return HttpReadinessProbe(parts.port, parts.path or "/", timeout_secs, interval_ms, startup_grace_secs)


def wait_for_process(
    name: str,
    timeout_secs: int = DEFAULT_TIMEOUT_SECS,
    interval_ms: int = DEFAULT_INTERVAL_MS,
    startup_grace_secs: int = DEFAULT_STARTUP_GRACE_SECS,
) -> CommandReadinessProbe:
    """Waits until a process of exactly this name runs."""
    command = f"ps -eo comm= | grep -Fx -- {shlex.quote(name)} >/dev/null"
    return CommandReadinessProbe(command, timeout_secs, interval_ms, startup_grace_secs)


def wait_for_file(
    path: str,
    timeout_secs: int = DEFAULT_TIMEOUT_SECS,
    interval_ms: int = DEFAULT_INTERVAL_MS,
    startup_grace_secs: int = DEFAULT_STARTUP_GRACE_SECS,
) -> CommandReadinessProbe:
    """Waits until a file exists."""
    command = f"test -e {shlex.quote(path)}"
    return CommandReadinessProbe(command, timeout_secs, interval_ms, startup_grace_secs)


def wait_for_timeout(timeout_ms: int) -> TimeoutReadinessProbe:
    """Waits a fixed time and calls that ready."""
    return TimeoutReadinessProbe(timeout_ms)


def _tuning(probe: PortReadinessProbe | HttpReadinessProbe | CommandReadinessProbe) -> dict[str, int]:
    return {
        "timeout_secs": probe.timeout_secs,
        "interval_ms": probe.interval_ms,
        "startup_grace_secs": probe.startup_grace_secs,
    }
