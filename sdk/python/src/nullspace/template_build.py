"""``TemplateBuild`` and its asynchronous twin: a build that can be watched, cancelled, repeated and promoted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Self

from . import build_flows as flows
from .build_log import TemplateBuildLogEntry
from .build_model import BuildFields, TemplateBuildInfo, TemplateBuildStatusSnapshot
from .builder import TemplateBuildSecret, secrets
from .client import AsyncClient, Client
from .payload import secret_payload
from .template_model import TemplateInfo
from .wire import without_none


class TemplateBuild(TemplateBuildInfo):
    """One attempt to make a template, and what can be done with it."""

    _client: Client

    @classmethod
    def of(cls, fields: BuildFields, client: Client) -> Self:
        """A handle on a build that speaks through ``client``."""
        handle = cls(**fields)
        handle._client = client
        return handle

    @classmethod
    def connect(cls, build_id: str, *, api_key: str | None = None, base_url: str | None = None) -> Self:
        """Finds a build by its id."""
        client = Client.open(api_key, base_url)
        snapshot = client.run(flows.status(build_id, 0))
        return cls.of(vars(snapshot.build), client)

    def get_status(self, *, offset: int = 0) -> TemplateBuildStatusSnapshot:
        """The build as it is now, with its log from ``offset`` on."""
        return self._adopt(self._client.run(flows.status(self.build_id, offset)))

    def logs(
        self, *, offset: int = 0, cursor: int | None = None, follow: bool = False
    ) -> Iterator[TemplateBuildLogEntry]:
        """The log; with ``follow`` until the build ends."""
        return self._client.iterate(flows.logs(self.build_id, offset, cursor, follow))

    def cancel(self, *, reason: str | None = None) -> TemplateBuildStatusSnapshot:
        """Cancels the build."""
        return self._adopt(self._client.run(flows.cancel(self.build_id, reason)))

    def retry(
        self,
        *,
        tags: list[str] | None = None,
        base_image_auth: dict[str, Any] | None = None,
        registry_auth: list[dict[str, Any]] | None = None,
        build_secrets: Iterable[TemplateBuildSecret | dict[str, Any]] | None = None,
    ) -> TemplateBuild:
        """Starts a new attempt; credentials and secrets of the first are not kept and must be given again."""
        body = retry_body(tags, base_image_auth, registry_auth, build_secrets)
        return type(self).of(self._client.run(flows.retry(self.build_id, body)), self._client)

    def promote(self, *, tag: str) -> TemplateInfo:
        """Moves a tag to this build."""
        return self._client.run(flows.promote(self.build_id, tag))

    def wait_until_terminal(
        self, *, poll_interval: float = 0.25, offset: int = 0, on_log_entry: flows.OnLogEntry | None = None
    ) -> TemplateBuildStatusSnapshot:
        """Waits until the build has ended; raises if it failed."""
        return self._adopt(self._client.run(flows.wait(self.build_id, poll_interval, offset, on_log_entry)))

    def raise_for_error(self, snapshot: TemplateBuildStatusSnapshot | None = None) -> None:
        """Raises if the build failed."""
        flows.raise_for_error(snapshot or self.get_status())

    def close(self) -> None:
        """Closes the connections; the build goes on."""
        self._client.close()

    def _adopt(self, snapshot: TemplateBuildStatusSnapshot) -> TemplateBuildStatusSnapshot:
        vars(self).update(vars(snapshot.build))
        return snapshot


class AsyncTemplateBuild(TemplateBuildInfo):
    """The asynchronous twin of ``TemplateBuild``."""

    _client: AsyncClient

    @classmethod
    def of(cls, fields: BuildFields, client: AsyncClient) -> Self:
        """A handle on a build that speaks through ``client``."""
        handle = cls(**fields)
        handle._client = client
        return handle

    @classmethod
    async def connect(cls, build_id: str, *, api_key: str | None = None, base_url: str | None = None) -> Self:
        """Finds a build by its id."""
        client = AsyncClient.open(api_key, base_url)
        snapshot = await client.run(flows.status(build_id, 0))
        return cls.of(vars(snapshot.build), client)

    async def get_status(self, *, offset: int = 0) -> TemplateBuildStatusSnapshot:
        """The build as it is now, with its log from ``offset`` on."""
        return self._adopt(await self._client.run(flows.status(self.build_id, offset)))

    def logs(
        self, *, offset: int = 0, cursor: int | None = None, follow: bool = False
    ) -> AsyncIterator[TemplateBuildLogEntry]:
        """The log; with ``follow`` until the build ends."""
        return self._client.iterate(flows.logs(self.build_id, offset, cursor, follow))

    async def cancel(self, *, reason: str | None = None) -> TemplateBuildStatusSnapshot:
        """Cancels the build."""
        return self._adopt(await self._client.run(flows.cancel(self.build_id, reason)))

    async def retry(
        self,
        *,
        tags: list[str] | None = None,
        base_image_auth: dict[str, Any] | None = None,
        registry_auth: list[dict[str, Any]] | None = None,
        build_secrets: Iterable[TemplateBuildSecret | dict[str, Any]] | None = None,
    ) -> AsyncTemplateBuild:
        """Starts a new attempt; credentials and secrets of the first are not kept and must be given again."""
        body = retry_body(tags, base_image_auth, registry_auth, build_secrets)
        return type(self).of(await self._client.run(flows.retry(self.build_id, body)), self._client)

    async def promote(self, *, tag: str) -> TemplateInfo:
        """Moves a tag to this build."""
        return await self._client.run(flows.promote(self.build_id, tag))

    async def wait_until_terminal(
        self, *, poll_interval: float = 0.25, offset: int = 0, on_log_entry: flows.OnLogEntry | None = None
    ) -> TemplateBuildStatusSnapshot:
        """Waits until the build has ended; raises if it failed."""
        return self._adopt(await self._client.run(flows.wait(self.build_id, poll_interval, offset, on_log_entry)))

    async def raise_for_error(self, snapshot: TemplateBuildStatusSnapshot | None = None) -> None:
        """Raises if the build failed."""
        flows.raise_for_error(snapshot or await self.get_status())

    async def close(self) -> None:
        """Closes the connections; the build goes on."""
        await self._client.close()

    def _adopt(self, snapshot: TemplateBuildStatusSnapshot) -> TemplateBuildStatusSnapshot:
        vars(self).update(vars(snapshot.build))
        return snapshot


def retry_body(
    tags: list[str] | None,
    base_image_auth: dict[str, Any] | None,
    registry_auth: list[dict[str, Any]] | None,
    build_secrets: Iterable[TemplateBuildSecret | dict[str, Any]] | None,
) -> dict[str, Any]:
    """The body of a retry: only what was given."""
    given = None if build_secrets is None else secret_payload(secrets(build_secrets))
    return without_none(
        {"tags": tags, "base_image_auth": base_image_auth, "registry_auth": registry_auth, "build_secrets": given}
    )
