"""The operations on warm pools, as flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import TimeoutError
from .flow import Flow, Now, Request, Sleep, call, exchange, segment
from .pool_model import (
    TemplateWarmPoolDegradedReason,
    TemplateWarmPoolInfo,
    TemplateWarmPoolState,
    TemplateWarmPoolStatusCounts,
    TemplateWarmPoolVersionPolicy,
)
from .sandbox_model import WarmPoolCheckoutMode
from .wire import Reader, array, without_none

BASE = "/v1/template-warm-pools"
Labels = str | tuple[str, ...] | list[str] | None


@dataclass(frozen=True)
class PoolFields:
    """What can be said about a pool when creating or updating it; None is not said."""

    template: str | None = None
    name: str | None = None
    min_ready: int | None = None
    max_ready: int | None = None
    vcpus: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None
    idle_timeout_seconds: int | None = None
    stale_after_seconds: int | None = None
    checkout_policy: WarmPoolCheckoutMode | str | None = None
    version_policy: TemplateWarmPoolVersionPolicy | str | None = None
    track_tag: str | None = None
    labels: dict[str, str] | None = None
    metadata: dict[str, Any] | None = None

    def body(self) -> dict[str, Any]:
        """Everything but the resources, on the wire."""
        checkout, version = self.checkout_policy, self.version_policy
        return without_none(
            {
                "template_ref": self.template,
                "name": self.name,
                "min_ready": self.min_ready,
                "max_ready": self.max_ready,
                "idle_timeout_seconds": self.idle_timeout_seconds,
                "stale_after_seconds": self.stale_after_seconds,
                "checkout_policy": None if checkout is None else WarmPoolCheckoutMode(checkout).value,
                "version_policy": None if version is None else TemplateWarmPoolVersionPolicy(version).value,
                "track_tag": self.track_tag,
                "labels": self.labels,
                "metadata": self.metadata,
            }
        )

    def resources(self, known: TemplateWarmPoolInfo | None = None) -> dict[str, int]:
        """The size, completed from a known pool, because an update replaces it as a whole."""
        vcpus = self.vcpus if self.vcpus is not None else (known.vcpus if known else None)
        memory = self.memory_mb if self.memory_mb is not None else (known.memory_mb if known else None)
        disk = self.disk_mb if self.disk_mb is not None else (known.disk_mb if known else None)
        return without_none({"vcpus": vcpus, "memory_mb": memory, "disk_mb": disk})

    @property
    def changes_size(self) -> bool:
        """Whether any of the three sizes is said."""
        return (self.vcpus, self.memory_mb, self.disk_mb) != (None, None, None)


class PoolView:
    """What both pool classes show: the last answer of the server, field by field."""

    def __init__(self, info: TemplateWarmPoolInfo) -> None:
        self.info = info

    @property
    def id(self) -> str:
        """The id to name the pool by."""
        return self.info.id

    @property
    def name(self) -> str:
        """The display name."""
        return self.info.name

    @property
    def template_ref(self) -> str:
        """The template as it was given."""
        return self.info.template_ref

    @property
    def state(self) -> TemplateWarmPoolState:
        """What the owner wants of the pool."""
        return self.info.state

    @property
    def status(self) -> TemplateWarmPoolStatusCounts:
        """How many machines are in which condition."""
        return self.info.status

    @property
    def degraded_reason(self) -> TemplateWarmPoolDegradedReason | None:
        """Why the pool is not filling, if it is not."""
        return self.info.degraded_reason

    @property
    def min_ready(self) -> int:
        """How many machines are to be ready."""
        return self.info.min_ready

    @property
    def max_ready(self) -> int:
        """How many machines may be ready or warming."""
        return self.info.max_ready

    @property
    def vcpus(self) -> int:
        """Processors of each machine."""
        return self.info.vcpus

    @property
    def memory_mb(self) -> int:
        """Memory of each machine."""
        return self.info.memory_mb

    @property
    def disk_mb(self) -> int | None:
        """Disk of each machine, where it was said."""
        return self.info.disk_mb

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r}, state={self.state.value!r}, ready={self.status.ready})"

    def _adopt(self, info: TemplateWarmPoolInfo) -> TemplateWarmPoolInfo:
        self.info = info
        return info


def create(fields: PoolFields) -> Flow[TemplateWarmPoolInfo]:
    """Creates a pool."""
    body = fields.body() | {"resources": fields.resources()}
    return TemplateWarmPoolInfo.parse((yield from call(Request("POST", BASE, json=body))))


def get(pool_id: str) -> Flow[TemplateWarmPoolInfo]:
    """A pool as it is now."""
    return TemplateWarmPoolInfo.parse((yield from call(Request("GET", f"{BASE}/{segment(pool_id)}"))))


def listing(
    template: str | None,
    state: TemplateWarmPoolState | str | None,
    label: Labels,
    status: str | None,
    limit: int | None,
) -> Flow[list[TemplateWarmPoolInfo]]:
    """The pools that match."""
    labels = [label] if isinstance(label, str) else list(label or ())
    wanted = {
        "template": template,
        "state": None if state is None else TemplateWarmPoolState(state).value,
        "status": status,
        "limit": limit,
    }
    query = tuple((key, str(value)) for key, value in wanted.items() if value is not None)
    value = yield from call(Request("GET", BASE, query=query + tuple(("label", item) for item in labels)))
    items = value if isinstance(value, list) else Reader("warm pool list", value).objects("items")
    return [TemplateWarmPoolInfo.parse(item) for item in array("warm pool list", items)]


def update(known: TemplateWarmPoolInfo, fields: PoolFields) -> Flow[TemplateWarmPoolInfo]:
    """Changes what is said and leaves the rest."""
    body = fields.body()
    if fields.changes_size:
        body["resources"] = fields.resources(known)
    return TemplateWarmPoolInfo.parse((yield from call(Request("PATCH", f"{BASE}/{segment(known.id)}", json=body))))


def act(pool_id: str, action: str) -> Flow[TemplateWarmPoolInfo]:
    """Enables, disables, drains or reconciles a pool."""
    return TemplateWarmPoolInfo.parse((yield from call(Request("POST", f"{BASE}/{segment(pool_id)}/{action}"))))


def delete(pool_id: str) -> Flow[None]:
    """Deletes a pool; its checked-out sandboxes live on."""
    yield from exchange(Request("DELETE", f"{BASE}/{segment(pool_id)}"))


def wait_until_ready(
    pool_id: str, min_ready: int | None, timeout_secs: float, interval_secs: float
) -> Flow[TemplateWarmPoolInfo]:
    """Waits until enough machines are ready; the error of a wait in vain says what the pool is lacking."""
    deadline = (yield Now()) + timeout_secs
    while True:
        info = yield from get(pool_id)
        target = info.min_ready if min_ready is None else min_ready
        if info.status.ready >= target:
            return info
        if (yield Now()) + interval_secs > deadline:
            why = f", degraded: {info.degraded_reason.value}" if info.degraded_reason else ""
            raise TimeoutError(
                f"warm pool `{pool_id}` has {info.status.ready} of {target} machines ready after {timeout_secs:g} s"
                f" ({info.status.warming} warming, state {info.state.value}{why})"
            )
        yield Sleep(interval_secs)
