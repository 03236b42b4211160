"""What the server says about a warm pool."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .errors import InvalidResponseError
from .sandbox_model import WarmPoolCheckoutMode
from .wire import Reader


class TemplateWarmPoolState(StrEnum):
    """What the owner wants of a pool."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DRAINING = "draining"
    DELETED = "deleted"


class TemplateWarmPoolVersionPolicy(StrEnum):
    """Whether a pool stays with one build or follows a tag."""

    PINNED_BUILD = "pinned_build"
    TRACK_TAG = "track_tag"


class TemplateWarmPoolDegradedReason(StrEnum):
    """Why a pool is not filling."""

    NO_ELIGIBLE_HOSTS = "no_eligible_hosts"
    ARTIFACT_NOT_READY = "artifact_not_ready"
    ARTIFACT_PREWARM_FAILED = "artifact_prewarm_failed"
    QUOTA_EXCEEDED = "quota_exceeded"
    TEMPLATE_BUILD_UNAVAILABLE = "template_build_unavailable"
    CONTROLLER_DISABLED = "controller_disabled"
    DRAIN_ACTIVE = "drain_active"


@dataclass(frozen=True)
class TemplateWarmPoolStatusCounts:
    """How many machines of a pool are in which condition."""

    target: int = 0
    ready: int = 0
    warming: int = 0
    claimed: int = 0
    draining: int = 0
    failed: int = 0
    expired: int = 0
    unavailable: int = 0

    @classmethod
    def parse(cls, value: object) -> TemplateWarmPoolStatusCounts:
        """Reads the counts; an absent one is zero."""
        reader = Reader("warm pool status", {} if value is None else value)
        return cls(*(reader.number(name, 0) for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class TemplateWarmPoolInfo:
    """A pool at one moment."""

    id: str
    name: str
    template_ref: str
    state: TemplateWarmPoolState
    min_ready: int = 0
    max_ready: int = 0
    vcpus: int = 0
    memory_mb: int = 0
    status: TemplateWarmPoolStatusCounts = field(default_factory=TemplateWarmPoolStatusCounts)
    degraded_reason: TemplateWarmPoolDegradedReason | None = None
    resolved_template: str | None = None
    resolved_template_build_id: str | None = None
    runtime_artifact_id: str | None = None
    disk_mb: int | None = None
    host_pool_id: str | None = None
    cell_id: str | None = None
    compatibility_key: str | None = None
    idle_timeout_seconds: int | None = None
    stale_after_seconds: int | None = None
    checkout_policy: WarmPoolCheckoutMode = WarmPoolCheckoutMode.PREFER
    version_policy: TemplateWarmPoolVersionPolicy = TemplateWarmPoolVersionPolicy.PINNED_BUILD
    track_tag: str | None = None
    rollout_generation: int | None = None
    previous_resolved_template: str | None = None
    previous_resolved_template_build_id: str | None = None
    previous_runtime_artifact_id: str | None = None
    rollout_status: dict[str, Any] | None = None
    labels: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    enabled_at: datetime | None = None
    disabled_at: datetime | None = None
    drain_requested_at: datetime | None = None
    last_reconciled_at: datetime | None = None
    deleted_at: datetime | None = None

    @classmethod
    def parse(cls, value: object) -> TemplateWarmPoolInfo:
        """Reads a pool object."""
        reader = Reader("warm pool", value)
        size = Reader("warm pool resources", reader.mapping("resources"))
        if not reader.maybe_text("id"):
            raise InvalidResponseError("warm pool: `id` is missing")
        moments = ("created_at", "updated_at", "enabled_at", "disabled_at")
        more_moments = ("drain_requested_at", "last_reconciled_at", "deleted_at")
        words = ("resolved_template", "resolved_template_build_id", "runtime_artifact_id", "host_pool_id", "cell_id")
        more_words = ("compatibility_key", "track_tag", *(f"previous_{word}" for word in words[:3]))
        numbers = ("idle_timeout_seconds", "stale_after_seconds", "rollout_generation")
        optional: dict[str, Any] = {
            **{key: reader.maybe_time(key) for key in (*moments, *more_moments)},
            **{key: reader.maybe_text(key) for key in (*words, *more_words)},
            **{key: reader.maybe_number(key) for key in numbers},
        }
        return cls(
            id=reader.text("id"),
            name=reader.text_or("name", ""),
            template_ref=reader.text_or("template_ref", ""),
            state=reader.choice("state", TemplateWarmPoolState, TemplateWarmPoolState.DISABLED),
            min_ready=reader.number("min_ready", 0),
            max_ready=reader.number("max_ready", 0),
            vcpus=size.number("vcpus", 0),
            memory_mb=size.number("memory_mb", 0),
            disk_mb=size.maybe_number("disk_mb"),
            status=TemplateWarmPoolStatusCounts.parse(reader.raw.get("status")),
            degraded_reason=reader.maybe_choice("degraded_reason", TemplateWarmPoolDegradedReason),
            checkout_policy=reader.choice("checkout_policy", WarmPoolCheckoutMode, WarmPoolCheckoutMode.PREFER),
            version_policy=reader.choice(
                "version_policy", TemplateWarmPoolVersionPolicy, TemplateWarmPoolVersionPolicy.PINNED_BUILD
            ),
            rollout_status=reader.maybe_mapping("rollout_status"),
            labels=reader.mapping("labels"),
            metadata=reader.mapping("metadata"),
            **optional,
        )
