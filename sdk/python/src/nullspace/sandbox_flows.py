"""The operations on sandboxes themselves, as flows."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from .errors import SandboxError, TransportError
from .flow import Flow, Request, Response, Sleep, call, exchange
from .preview_model import PreviewReadiness, PreviewUrl, SandboxHostInfo
from .sandbox_model import SandboxInfo, SandboxQuery, SandboxStatus, SandboxTimeoutAction, WarmPoolCheckoutMode
from .wire import Reader, array, without_none

CREATE_TIMEOUT_SECONDS = 120.0
RESUME_TIMEOUT_SECONDS = 300.0
CREATE_ATTEMPTS = 30  # with the delays below about four minutes, longer than any create may take
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 10.0
UNFINISHED = ("transition_in_progress", "transition_recovery_required")
DEFAULT_MEMORY_MB = 512
CODE_INTERPRETER_MEMORY_MB = 2048  # what the published client asks for this template


@dataclass(frozen=True)
class CreateOptions:
    """Everything that can be said when creating a sandbox."""

    template: str
    snapshot_id: str | None
    warm_pool: object | None
    warm_pool_mode: WarmPoolCheckoutMode | str | None
    warm_pool_wait_ms: int | None
    vcpus: int
    memory_mb: int | None
    disk_mb: int | None
    timeout: int
    timeout_action: SandboxTimeoutAction | str | None
    envs: dict[str, str] | None
    metadata: dict[str, Any] | None
    network: dict[str, Any] | None
    internet_access: bool
    cwd: str | None
    volumes: list[dict[str, Any]] | None
    on_timeout: str | None
    auto_resume: bool

    def body(self) -> dict[str, Any]:
        """The request body. Defaults are sent as values and nulls, as the published client does."""
        action = self.timeout_action
        extra = without_none(
            {
                "disk_mb": None if self.snapshot_id else self.disk_mb,
                "timeout_action": None if action is None else SandboxTimeoutAction(action).value,
                "lifecycle": None if self.on_timeout is None else {"on_timeout": self.on_timeout},
                "warm_pool": self.checkout(),
            }
        )
        shared = {
            "timeout_ms": self.timeout * 1000,
            "metadata": self.metadata or {},
            "network": self.network,
            "volumes": self.volumes,
            "auto_resume": self.auto_resume,
        }
        if self.snapshot_id:
            return {"snapshot_id": self.snapshot_id, **shared, **extra}
        interpreter = self.template == "code-interpreter"
        usual = CODE_INTERPRETER_MEMORY_MB if interpreter else DEFAULT_MEMORY_MB
        return {
            "template": self.template,
            "vcpus": self.vcpus,
            "memory_mb": usual if self.memory_mb is None else self.memory_mb,
            "envs": self.envs or {},
            "internet_access": self.internet_access,
            "cwd": self.cwd,
            "desktop": None,
            **shared,
            **extra,
        }

    def checkout(self) -> dict[str, Any] | None:
        """What is said about warm pools; None when nothing is."""
        if (self.warm_pool, self.warm_pool_mode, self.warm_pool_wait_ms) == (None, None, None):
            return None
        mode = None if self.warm_pool_mode is None else WarmPoolCheckoutMode(str(self.warm_pool_mode).lower())
        pool = self.warm_pool if isinstance(self.warm_pool, str) else getattr(self.warm_pool, "id", None)
        pool_id = str(pool).strip() if pool else None
        if not pool_id and mode is not WarmPoolCheckoutMode.BYPASS:
            raise ValueError("warm_pool_mode `prefer` and `require` need warm_pool=")
        if self.warm_pool_wait_ms is not None and self.warm_pool_wait_ms < 0:
            raise ValueError("warm_pool_wait_ms must not be negative")
        return without_none(
            {"id": pool_id, "mode": None if mode is None else mode.value, "wait_ms": self.warm_pool_wait_ms}
        )


@dataclass(frozen=True)
class Created:
    """A new sandbox, and the proof its commands carry if the server gave one."""

    info: SandboxInfo
    dispatch_proof: str | None


def create(options: CreateOptions, idempotency_key: str | None, timeout: float | None) -> Flow[Created]:
    """Creates a sandbox. Repeats are safe: they carry the same key, so the server makes one sandbox at most."""
    request = Request(
        "POST",
        "/v1/sandboxes",
        json=options.body(),
        headers={"idempotency-key": idempotency_key or str(uuid.uuid4())},
        timeout=timeout or CREATE_TIMEOUT_SECONDS,
    )
    delay = FIRST_DELAY_SECONDS
    for attempt in range(CREATE_ATTEMPTS):
        try:
            response: Response = yield from exchange(request)
            info = SandboxInfo.parse(response.json())
            return Created(info, response.headers.get("x-nullspace-dispatch-proof"))
        except SandboxError as error:
            if attempt + 1 == CREATE_ATTEMPTS or not _worth_repeating(error):
                raise
        yield Sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY_SECONDS)
    raise AssertionError("the last attempt returned or raised")


def get(sandbox_id: str) -> Flow[SandboxInfo]:
    """A sandbox as it is now."""
    return SandboxInfo.parse((yield from call(Request("GET", f"/v1/sandboxes/{sandbox_id}"))))


def connect(sandbox_id: str, timeout: int | None) -> Flow[SandboxInfo]:
    """Finds a sandbox, wakes it if it is paused, and gives it new time if asked."""
    info = yield from get(sandbox_id)
    if info.status is SandboxStatus.PAUSED:
        if info.snapshot_id is None:
            raise SandboxError(f"sandbox `{sandbox_id}` is paused and has no snapshot", "missing_snapshot_id")
        path = f"/v1/sandboxes/{info.snapshot_id}/resume"
        info = SandboxInfo.parse((yield from call(Request("POST", path, timeout=RESUME_TIMEOUT_SECONDS))))
    if timeout is not None:
        yield from set_timeout(info.id, timeout, None)
    return info


@dataclass(frozen=True)
class Page:
    """One page of sandboxes."""

    items: list[SandboxInfo]
    next_token: str | None


def page(query: SandboxQuery, limit: int | None, token: str | None) -> Flow[Page]:
    """One page of the sandboxes that match."""
    states = ",".join(SandboxStatus(state).value for state in query.state or ())
    wanted = {
        "state": states or None,
        "template": query.template,
        "metadata": None if query.metadata is None else json.dumps(query.metadata),
        "limit": limit,
        "next_token": token,
    }
    asked = tuple((key, str(value)) for key, value in wanted.items() if value is not None)
    value = yield from call(Request("GET", "/v1/sandboxes", query=asked))
    if isinstance(value, list):
        items, following = value, None
    else:
        reader = Reader("sandbox list", value)
        items = reader.objects("items")
        following = reader.maybe_text("next_token") if reader.flag("has_next") else None
    return Page([SandboxInfo.parse(item) for item in items], following)


def kill(sandbox_id: str) -> Flow[None]:
    """Destroys a sandbox."""
    yield from exchange(Request("DELETE", f"/v1/sandboxes/{sandbox_id}"))


def set_timeout(sandbox_id: str, seconds: int, action: SandboxTimeoutAction | str | None) -> Flow[None]:
    """Gives a sandbox so many seconds from now."""
    said = None if action is None else SandboxTimeoutAction(action).value
    body = without_none({"timeout_ms": seconds * 1000, "timeout_action": said})
    yield from exchange(Request("POST", f"/v1/sandboxes/{sandbox_id}/timeout", json=body))


def host(sandbox_id: str, port: int, scheme: str) -> Flow[SandboxHostInfo]:
    """Where a port is reached."""
    value = yield from call(Request("POST", f"/v1/sandboxes/{sandbox_id}/host", json={"port": port}))
    return SandboxHostInfo.parse(value, scheme)


def preview_url(sandbox_id: str, port: int) -> Flow[PreviewUrl]:
    """The usual signed address of a port."""
    path = f"/v1/sandboxes/{sandbox_id}/ports/{port}/preview-url"
    return PreviewUrl.parse((yield from call(Request("GET", path))))


def signed_preview_url(sandbox_id: str, port: int, expires_in_seconds: int | None) -> Flow[PreviewUrl]:
    """A new signed address of a port."""
    body = without_none({"expires_in_seconds": expires_in_seconds})
    path = f"/v1/sandboxes/{sandbox_id}/ports/{port}/signed-preview-url"
    return PreviewUrl.parse((yield from call(Request("POST", path, json=body))))


def preview_grants(sandbox_id: str, port: int | None) -> Flow[list[dict[str, Any]]]:
    """The grants given out for a sandbox."""
    query = () if port is None else (("port", str(port)),)
    value = yield from call(Request("GET", f"/v1/sandboxes/{sandbox_id}/preview-urls", query=query))
    return array("preview grants", Reader("preview grants", value).raw.get("items"))


def revoke_preview_grant(sandbox_id: str, grant_id: str) -> Flow[dict[str, Any]]:
    """Makes a signed address invalid."""
    value = yield from call(Request("DELETE", f"/v1/sandboxes/{sandbox_id}/preview-urls/{grant_id}"))
    return Reader("revoked grant", value).raw


def wait_for_preview(
    sandbox_id: str, port: int, kind: str, path: str | None, timeout_secs: int, interval_ms: int
) -> Flow[PreviewReadiness]:
    """Asks the server to probe a port until it answers; ``ready`` says whether it did."""
    body = without_none({"kind": kind, "timeout_secs": timeout_secs, "interval_ms": interval_ms, "path": path})
    url = f"/v1/sandboxes/{sandbox_id}/ports/{port}/readiness"
    patience = timeout_secs + 30.0  # the server answers at the end of its own wait, never much later
    return PreviewReadiness.parse((yield from call(Request("POST", url, json=body, timeout=patience))))


def _worth_repeating(error: SandboxError) -> bool:
    if isinstance(error, TransportError):
        return error.may_have_arrived
    return error.code in UNFINISHED
