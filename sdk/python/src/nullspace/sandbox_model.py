"""What the server says about a sandbox and the receipt of its checkout."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .wire import Reader


class SandboxStatus(StrEnum):
    """Where a sandbox is in its life."""

    CREATING = "creating"
    RUNNING = "running"
    PAUSED = "paused"
    DESTROYED = "destroyed"
    ERROR = "error"


class SandboxTimeoutAction(StrEnum):
    """What happens to a sandbox when its time is over."""

    DESTROY = "destroy"
    HIBERNATE = "hibernate"


class WarmPoolCheckoutMode(StrEnum):
    """What to do about a warm pool: prefer it, insist on it, or leave it alone."""

    PREFER = "prefer"
    REQUIRE = "require"
    BYPASS = "bypass"


class WarmPoolCheckoutSource(StrEnum):
    """Where a sandbox's machine came from."""

    READY_INSTANCE = "ready_instance"
    COLD_CREATE = "cold_create"
    BYPASSED = "bypassed"


@dataclass(frozen=True)
class WarmPoolCheckoutResult:
    """The receipt of a checkout. From ``generation`` on the fields are ours and absent from other servers."""

    source: WarmPoolCheckoutSource
    hit: bool
    id: str | None = None
    mode: WarmPoolCheckoutMode | None = None
    wait_ms: int | None = None
    generation: int | None = None
    candidates_tried: int | None = None
    miss_reason: str | None = None

    @property
    def pool_id(self) -> str | None:
        """The pool that was asked."""
        return self.id

    @classmethod
    def parse(cls, value: object) -> WarmPoolCheckoutResult:
        """Reads the receipt in a sandbox object."""
        reader = Reader("warm_pool_checkout", value)
        return cls(
            source=reader.choice("source", WarmPoolCheckoutSource),
            hit=reader.flag("hit"),
            id=reader.maybe_text("id") or reader.maybe_text("pool_id"),
            mode=reader.maybe_choice("mode", WarmPoolCheckoutMode),
            wait_ms=reader.maybe_number("wait_ms"),
            generation=reader.maybe_number("generation"),
            candidates_tried=reader.maybe_number("candidates_tried"),
            miss_reason=reader.maybe_text("miss_reason"),
        )


@dataclass(frozen=True)
class SandboxConfig:
    """The size of a sandbox's machine."""

    vcpus: int = 2
    memory_mb: int = 512


@dataclass(frozen=True)
class SandboxInfo:
    """A sandbox as the server sees it."""

    id: str
    status: SandboxStatus
    config: SandboxConfig
    template: str
    metadata: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    timeout_ms: int | None = None
    timeout_at: datetime | None = None
    expires_at: datetime | None = None
    timeout_action: SandboxTimeoutAction | None = None
    created_at: datetime | None = None
    cwd: str | None = None
    snapshot_id: str | None = None
    traffic_access_token: str | None = None
    warm_pool_checkout: WarmPoolCheckoutResult | None = None

    @classmethod
    def parse(cls, value: object) -> SandboxInfo:
        """Reads a sandbox object."""
        reader = Reader("sandbox", value)
        size = Reader("sandbox config", reader.raw.get("config"))
        checkout = reader.raw.get("warm_pool_checkout")
        return cls(
            id=reader.text("id"),
            status=reader.choice("status", SandboxStatus),
            config=SandboxConfig(size.number("vcpus"), size.number("memory_mb")),
            template=reader.text_or("template", ""),
            metadata=reader.mapping("metadata"),
            started_at=reader.maybe_time("started_at"),
            timeout_ms=reader.maybe_number("timeout_ms"),
            timeout_at=reader.maybe_time("timeout_at"),
            expires_at=reader.maybe_time("expires_at"),
            timeout_action=reader.maybe_choice("timeout_action", SandboxTimeoutAction),
            created_at=reader.maybe_time("created_at"),
            cwd=reader.maybe_text("cwd"),
            snapshot_id=reader.maybe_text("snapshot_id"),
            traffic_access_token=reader.maybe_text("traffic_access_token"),
            warm_pool_checkout=None if checkout is None else WarmPoolCheckoutResult.parse(checkout),
        )


@dataclass(frozen=True)
class SandboxQuery:
    """Which sandboxes to list."""

    state: list[SandboxStatus] | None = None
    template: str | None = None
    metadata: dict[str, Any] | None = None
