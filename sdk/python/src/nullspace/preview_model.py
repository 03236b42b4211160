"""Where the ports of a sandbox are reached from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .wire import Reader


@dataclass(frozen=True)
class SandboxHostInfo:
    """Where a port of a sandbox is reached."""

    host: str
    url: str
    websocket_url: str
    access_token_expires_at: datetime | None = None
    access_token_transport: str | None = None

    @classmethod
    def parse(cls, value: object, scheme: str) -> SandboxHostInfo:
        """Reads the answer; without a URL in it, the host is taken with the scheme of the API."""
        reader = Reader("sandbox host", value)
        host = reader.text("host")
        return cls(
            host=host,
            url=reader.text_or("url", f"{scheme}://{host}"),
            websocket_url=reader.text_or("websocket_url", f"{'wss' if scheme == 'https' else 'ws'}://{host}"),
            access_token_expires_at=reader.maybe_time("access_token_expires_at"),
            access_token_transport=reader.maybe_text("access_token_transport"),
        )


@dataclass(frozen=True)
class PreviewReadiness:
    """Whether a port of a sandbox answers through its preview address."""

    ready: bool
    route_ready: bool
    service_ready: bool
    sandbox_id: str
    port: int
    kind: str
    checked_at: datetime
    elapsed_ms: int
    attempts: int
    path: str | None = None
    code: str | None = None
    error: str | None = None
    suggested_action: str | None = None

    @classmethod
    def parse(cls, value: object) -> PreviewReadiness:
        """Reads the answer of the readiness route."""
        reader = Reader("preview readiness", value)
        return cls(
            ready=reader.flag("ready"),
            route_ready=reader.flag("route_ready"),
            service_ready=reader.flag("service_ready"),
            sandbox_id=reader.text("sandbox_id"),
            port=reader.number("port"),
            kind=reader.text("kind"),
            checked_at=reader.time("checked_at"),
            elapsed_ms=reader.number("elapsed_ms"),
            attempts=reader.number("attempts"),
            path=reader.maybe_text("path"),
            code=reader.maybe_text("code"),
            error=reader.maybe_text("error"),
            suggested_action=reader.maybe_text("suggested_action"),
        )


@dataclass(frozen=True)
class PreviewUrl:
    """A signed address of a port; whoever has it may use it until it expires or its grant is revoked."""

    grant: dict[str, Any]
    url: str
    websocket_url: str
    access_token_expires_at: datetime | None = None
    access_token_transport: str = "query"

    @classmethod
    def parse(cls, value: object) -> PreviewUrl:
        """Reads a preview URL object."""
        reader = Reader("preview URL", value)
        return cls(
            grant=reader.mapping("grant"),
            url=reader.text("url"),
            websocket_url=reader.text("websocket_url"),
            access_token_expires_at=reader.maybe_time("access_token_expires_at"),
            access_token_transport=reader.text_or("access_token_transport", "query"),
        )
