"""Lists of sandboxes, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Self

from . import sandbox_flows as flows
from .client import AsyncClient, Client
from .sandbox_model import SandboxInfo, SandboxQuery


class SandboxPaginator:
    """Sandboxes page by page. Iterating yields those of this page and of all that follow."""

    def __init__(self, client: Client, query: SandboxQuery, limit: int | None, page: flows.Page) -> None:
        self._client = client
        self._query = query
        self._limit = limit
        self._page = page

    @property
    def items(self) -> list[SandboxInfo]:
        """The sandboxes of this page."""
        return self._page.items

    @property
    def next_token(self) -> str | None:
        """What names the next page."""
        return self._page.next_token

    @property
    def has_next(self) -> bool:
        """Whether there is a next page."""
        return self._page.next_token is not None

    def next_items(self) -> list[SandboxInfo]:
        """Goes to the next page; empty when there is none."""
        if not self.has_next:
            return []
        self._page = self._client.run(flows.page(self._query, self._limit, self.next_token))
        return self.items

    def __iter__(self) -> Iterator[SandboxInfo]:
        yield from self.items
        while self.has_next:
            yield from self.next_items()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()


class AsyncSandboxPaginator:
    """The asynchronous twin of ``SandboxPaginator``."""

    def __init__(self, client: AsyncClient, query: SandboxQuery, limit: int | None, page: flows.Page) -> None:
        self._client = client
        self._query = query
        self._limit = limit
        self._page = page

    @property
    def items(self) -> list[SandboxInfo]:
        """The sandboxes of this page."""
        return self._page.items

    @property
    def next_token(self) -> str | None:
        """What names the next page."""
        return self._page.next_token

    @property
    def has_next(self) -> bool:
        """Whether there is a next page."""
        return self._page.next_token is not None

    async def next_items(self) -> list[SandboxInfo]:
        """Goes to the next page; empty when there is none."""
        if not self.has_next:
            return []
        self._page = await self._client.run(flows.page(self._query, self._limit, self.next_token))
        return self.items

    async def __aiter__(self) -> AsyncIterator[SandboxInfo]:
        for item in self.items:
            yield item
        while self.has_next:
            for item in await self.next_items():
                yield item

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()
