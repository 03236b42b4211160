"""``Sandbox``: a machine to run things in."""

from __future__ import annotations

import builtins
import contextlib
from typing import Any, Self

from . import sandbox_flows as flows
from .client import Client
from .commands import Commands
from .errors import SandboxError
from .files import Files
from .paginator import SandboxPaginator
from .preview_model import PreviewReadiness, PreviewUrl, SandboxHostInfo
from .sandbox_flows import CreateOptions
from .sandbox_model import SandboxInfo, SandboxQuery, SandboxStatus, SandboxTimeoutAction, WarmPoolCheckoutMode


class Sandbox:
    """A machine a tenant holds. As a context manager it is destroyed at the end of the block."""

    def __init__(self, info: SandboxInfo, client: Client, *, dispatch_proof: str | None = None) -> None:
        self.info = info
        self.id = info.id
        self.cwd = info.cwd
        self.commands = Commands(client, info.id, dispatch_proof)
        self.files = Files(client, info.id)
        self._client = client

    @classmethod
    def create(
        cls,
        template: str = "base",
        *,
        snapshot_id: str | None = None,
        warm_pool: object | None = None,
        warm_pool_mode: WarmPoolCheckoutMode | str | None = None,
        warm_pool_wait_ms: int | None = None,
        vcpus: int = 2,
        memory_mb: int | None = None,
        disk_mb: int | None = None,
        timeout: int = 300,
        idempotency_key: str | None = None,
        timeout_action: SandboxTimeoutAction | str | None = None,
        envs: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
        network: dict[str, Any] | None = None,
        internet_access: bool = True,
        cwd: str | None = None,
        volumes: builtins.list[dict[str, Any]] | None = None,
        on_timeout: str | None = None,
        auto_resume: bool = False,
        api_key: str | None = None,
        base_url: str | None = None,
        request_timeout: float | None = None,
    ) -> Self:
        """Creates a sandbox and answers when it runs: from a warm pool, from a template, or from a snapshot."""
        options = CreateOptions(
            template=template,
            snapshot_id=snapshot_id,
            warm_pool=warm_pool,
            warm_pool_mode=warm_pool_mode,
            warm_pool_wait_ms=warm_pool_wait_ms,
            vcpus=vcpus,
            memory_mb=memory_mb,
            disk_mb=disk_mb,
            timeout=timeout,
            timeout_action=timeout_action,
            envs=envs,
            metadata=metadata,
            network=network,
            internet_access=internet_access,
            cwd=cwd,
            volumes=volumes,
            on_timeout=on_timeout,
            auto_resume=auto_resume,
        )
        client = Client.open(api_key, base_url, request_timeout)
        try:
            created = client.run(flows.create(options, idempotency_key, request_timeout))
        except BaseException:
            client.close()
            raise
        return cls(created.info, client, dispatch_proof=created.dispatch_proof)

    @classmethod
    def connect(
        cls,
        sandbox_id: str,
        *,
        timeout: int | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        request_timeout: float | None = None,
    ) -> Self:
        """Finds a sandbox, wakes it if it is paused, and gives it ``timeout`` seconds from now if asked."""
        client = Client.open(api_key, base_url, request_timeout)
        try:
            return cls(client.run(flows.connect(sandbox_id, timeout)), client)
        except BaseException:
            client.close()
            raise

    @classmethod
    def list(
        cls,
        *,
        state: SandboxStatus | str | None = None,
        query: SandboxQuery | None = None,
        limit: int | None = None,
        next_token: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> SandboxPaginator:
        """The first page of the live sandboxes that match; iterate over it for all of them."""
        chosen = query or SandboxQuery(state=None if state is None else [SandboxStatus(state)])
        client = Client.open(api_key, base_url)
        page = client.run(flows.page(chosen, limit, next_token))
        return SandboxPaginator(client, chosen, limit, page)

    @classmethod
    def get_info_by_id(
        cls,
        sandbox_id: str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> SandboxInfo:
        """What the server says about a sandbox; does not wake it."""
        client = Client.open(api_key, base_url)
        try:
            return client.run(flows.get(sandbox_id))
        finally:
            client.close()

    @classmethod
    def kill_by_id(
        cls,
        sandbox_id: str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> None:
        """Destroys a sandbox."""
        client = Client.open(api_key, base_url)
        try:
            client.run(flows.kill(sandbox_id))
        finally:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        # A sandbox that is gone already, or a server that is away, must not hide the error of the block.
        with contextlib.suppress(SandboxError):
            self.kill()
        self.close()

    def get_info(self) -> SandboxInfo:
        """The sandbox as it is now, with the receipt of its checkout."""
        self.info = self._client.run(flows.get(self.id))
        return self.info

    def is_running(self) -> bool:
        """Whether it runs now."""
        return self.get_info().status is SandboxStatus.RUNNING

    def kill(self) -> None:
        """Destroys the sandbox."""
        self._client.run(flows.kill(self.id))

    def set_timeout(self, timeout_secs: int, *, timeout_action: SandboxTimeoutAction | str | None = None) -> None:
        """Gives the sandbox so many seconds from now."""
        self._client.run(flows.set_timeout(self.id, timeout_secs, timeout_action))

    def get_host_info(self, port: int) -> SandboxHostInfo:
        """Where a port of the sandbox is reached from outside."""
        return self._client.run(flows.host(self.id, port, self._client.scheme))

    def get_host(self, port: int) -> str:
        """The host a port is reached at."""
        return (self.get_host_info(port)).host

    def get_url(self, port: int) -> str:
        """The address a port is reached at."""
        return (self.get_host_info(port)).url

    def get_websocket_url(self, port: int) -> str:
        """The WebSocket address a port is reached at."""
        return (self.get_host_info(port)).websocket_url

    def get_preview_url(self, port: int) -> PreviewUrl:
        """The usual signed address of a port."""
        return self._client.run(flows.preview_url(self.id, port))

    def create_signed_preview_url(self, port: int, *, expires_in_seconds: int | None = None) -> PreviewUrl:
        """A new signed address of a port."""
        return self._client.run(flows.signed_preview_url(self.id, port, expires_in_seconds))

    def list_preview_urls(self, *, port: int | None = None) -> builtins.list[dict[str, Any]]:
        """The grants given out."""
        return self._client.run(flows.preview_grants(self.id, port))

    def revoke_preview_url(self, grant_id: str) -> dict[str, Any]:
        """Makes a signed address invalid."""
        return self._client.run(flows.revoke_preview_grant(self.id, grant_id))

    def wait_for_preview(
        self,
        port: int,
        *,
        kind: str = "tcp",
        path: str | None = None,
        timeout_secs: int = 30,
        interval_ms: int = 500,
    ) -> PreviewReadiness:
        """Waits until a port answers; ``ready`` in the answer says whether it did."""
        return self._client.run(flows.wait_for_preview(self.id, port, kind, path, timeout_secs, interval_ms))

    def close(self) -> None:
        """Closes the connections; the sandbox lives on."""
        self._client.close()
