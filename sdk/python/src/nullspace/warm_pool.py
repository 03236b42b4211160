"""``TemplateWarmPool``: ready machines of a template, owned by a tenant."""

from __future__ import annotations

import builtins
from typing import Any, Self

from . import pool_flows as flows
from .client import Client
from .pool_flows import Labels, PoolFields, PoolView
from .pool_model import TemplateWarmPoolInfo, TemplateWarmPoolState, TemplateWarmPoolVersionPolicy
from .sandbox_model import WarmPoolCheckoutMode


class TemplateWarmPool(PoolView):
    """A pool. Its attributes are those of the last answer; ``get_info`` and every action refresh them."""

    def __init__(self, info: TemplateWarmPoolInfo, client: Client) -> None:
        super().__init__(info)
        self._client = client

    @classmethod
    def create(
        cls,
        template: str,
        *,
        name: str,
        min_ready: int,
        max_ready: int,
        vcpus: int = 2,
        memory_mb: int = 512,
        disk_mb: int | None = None,
        idle_timeout_seconds: int | None = None,
        stale_after_seconds: int | None = None,
        checkout_policy: WarmPoolCheckoutMode | str | None = None,
        version_policy: TemplateWarmPoolVersionPolicy | str | None = None,
        track_tag: str | None = None,
        labels: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        request_timeout: float | None = None,
    ) -> Self:
        """Creates a pool that keeps ``min_ready`` machines of a template ready."""
        fields = PoolFields(
            template=template,
            name=name,
            min_ready=min_ready,
            max_ready=max_ready,
            vcpus=vcpus,
            memory_mb=memory_mb,
            disk_mb=disk_mb,
            idle_timeout_seconds=idle_timeout_seconds,
            stale_after_seconds=stale_after_seconds,
            checkout_policy=checkout_policy,
            version_policy=version_policy,
            track_tag=track_tag,
            labels=labels,
            metadata=metadata,
        )
        client = Client.open(api_key, base_url, request_timeout)
        return cls(client.run(flows.create(fields)), client)

    @classmethod
    def get(
        cls,
        warm_pool_id: str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        request_timeout: float | None = None,
    ) -> Self:
        """Finds a pool by its id."""
        client = Client.open(api_key, base_url, request_timeout)
        return cls(client.run(flows.get(warm_pool_id)), client)

    @classmethod
    def from_id(
        cls,
        warm_pool_id: str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        request_timeout: float | None = None,
    ) -> Self:
        """The same as ``get``."""
        return cls.get(warm_pool_id, api_key=api_key, base_url=base_url, request_timeout=request_timeout)

    @classmethod
    def list(
        cls,
        *,
        template: str | None = None,
        state: TemplateWarmPoolState | str | None = None,
        label: Labels = None,
        status: str | None = None,
        limit: int | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        request_timeout: float | None = None,
    ) -> builtins.list[TemplateWarmPoolInfo]:
        """The pools that match."""
        client = Client.open(api_key, base_url, request_timeout)
        try:
            return client.run(flows.listing(template, state, label, status, limit))
        finally:
            client.close()

    def get_info(self) -> TemplateWarmPoolInfo:
        """The pool as it is now."""
        return self._adopt(self._client.run(flows.get(self.id)))

    def update(
        self,
        *,
        template: str | None = None,
        name: str | None = None,
        min_ready: int | None = None,
        max_ready: int | None = None,
        vcpus: int | None = None,
        memory_mb: int | None = None,
        disk_mb: int | None = None,
        idle_timeout_seconds: int | None = None,
        stale_after_seconds: int | None = None,
        checkout_policy: WarmPoolCheckoutMode | str | None = None,
        version_policy: TemplateWarmPoolVersionPolicy | str | None = None,
        track_tag: str | None = None,
        labels: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> TemplateWarmPoolInfo:
        """Changes what is given and leaves the rest."""
        fields = PoolFields(
            template=template,
            name=name,
            min_ready=min_ready,
            max_ready=max_ready,
            vcpus=vcpus,
            memory_mb=memory_mb,
            disk_mb=disk_mb,
            idle_timeout_seconds=idle_timeout_seconds,
            stale_after_seconds=stale_after_seconds,
            checkout_policy=checkout_policy,
            version_policy=version_policy,
            track_tag=track_tag,
            labels=labels,
            metadata=metadata,
        )
        return self._adopt(self._client.run(flows.update(self.info, fields)))

    def enable(self) -> TemplateWarmPoolInfo:
        """Lets the pool fill and be used again."""
        return self._adopt(self._client.run(flows.act(self.id, "enable")))

    def disable(self) -> TemplateWarmPoolInfo:
        """Stops filling and use; ready machines stay."""
        return self._adopt(self._client.run(flows.act(self.id, "disable")))

    def drain(self) -> TemplateWarmPoolInfo:
        """Stops filling and gives back ready machines; checked-out sandboxes live on."""
        return self._adopt(self._client.run(flows.act(self.id, "drain")))

    def reconcile(self) -> TemplateWarmPoolInfo:
        """Asks for one pass of the controller now."""
        return self._adopt(self._client.run(flows.act(self.id, "reconcile")))

    def delete(self) -> None:
        """Deletes the pool; checked-out sandboxes live on."""
        self._client.run(flows.delete(self.id))

    def wait_until_ready(
        self, *, min_ready: int | None = None, timeout_secs: float = 300.0, interval_secs: float = 1.0
    ) -> TemplateWarmPoolInfo:
        """Waits until ``min_ready`` machines (by default the pool's own number) are ready."""
        return self._adopt(self._client.run(flows.wait_until_ready(self.id, min_ready, timeout_secs, interval_secs)))

    def close(self) -> None:
        """Closes the connections; the pool stays."""
        self._client.close()
