"""``sandbox.files``: reading and writing what is in a sandbox."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Literal, overload

from . import file_flows as flows
from .client import AsyncClient, Client
from .file_model import FileInfo


class Files:
    """Files of one sandbox. Relative paths start at the sandbox's working directory."""

    def __init__(self, client: Client, sandbox_id: str) -> None:
        self._client = client
        self._sandbox_id = sandbox_id

    @overload
    def read(self, path: str, *, format: Literal["text"] | None = None, user: str | None = None) -> str: ...

    @overload
    def read(self, path: str, *, format: Literal["bytes"], user: str | None = None) -> bytes: ...

    def read(
        self, path: str, *, format: Literal["text", "bytes"] | None = None, user: str | None = None
    ) -> str | bytes:
        """The content of a file, as text or as bytes."""
        if format == "bytes":
            return self._client.run(flows.read_bytes(self._sandbox_id, path, user))
        return self._client.run(flows.read_text(self._sandbox_id, path, user))

    def write(self, path: str, content: str | bytes | Path, *, user: str | None = None) -> FileInfo:
        """Writes text, bytes, or the content of a local file given as a ``Path``."""
        return self._client.run(flows.write(self._sandbox_id, path, content, user))

    def list(self, path: str = "/", *, depth: int | None = None, user: str | None = None) -> builtins.list[FileInfo]:
        """What is in a directory."""
        return self._client.run(flows.listing(self._sandbox_id, path, depth, user))

    def exists(self, path: str, *, user: str | None = None) -> bool:
        """Whether a path exists."""
        return self._client.run(flows.exists(self._sandbox_id, path, user))

    def info(self, path: str, *, user: str | None = None) -> FileInfo:
        """What is known about a path."""
        return self._client.run(flows.info(self._sandbox_id, path, user))

    def get_info(self, path: str, *, user: str | None = None) -> FileInfo:
        """The same as ``info``."""
        return self.info(path, user=user)

    def remove(self, path: str, *, user: str | None = None) -> None:
        """Removes a file, or a directory with all in it."""
        self._client.run(flows.remove(self._sandbox_id, path, user))

    def rename(self, old: str, new: str, *, user: str | None = None) -> FileInfo:
        """Moves a path."""
        return self._client.run(flows.rename(self._sandbox_id, old, new, user))

    def make_dir(self, path: str, *, user: str | None = None) -> bool:
        """Makes a directory and its parents."""
        return self._client.run(flows.make_dir(self._sandbox_id, path, user))

    def set_permissions(self, path: str, permissions: str, *, user: str | None = None) -> None:
        """Changes the mode of a path, given as octal digits."""
        self._client.run(flows.set_permissions(self._sandbox_id, path, permissions, user))


class AsyncFiles:
    """The asynchronous twin of ``Files``."""

    def __init__(self, client: AsyncClient, sandbox_id: str) -> None:
        self._client = client
        self._sandbox_id = sandbox_id

    @overload
    async def read(self, path: str, *, format: Literal["text"] | None = None, user: str | None = None) -> str: ...

    @overload
    async def read(self, path: str, *, format: Literal["bytes"], user: str | None = None) -> bytes: ...

    async def read(
        self, path: str, *, format: Literal["text", "bytes"] | None = None, user: str | None = None
    ) -> str | bytes:
        """The content of a file, as text or as bytes."""
        if format == "bytes":
            return await self._client.run(flows.read_bytes(self._sandbox_id, path, user))
        return await self._client.run(flows.read_text(self._sandbox_id, path, user))

    async def write(self, path: str, content: str | bytes | Path, *, user: str | None = None) -> FileInfo:
        """Writes text, bytes, or the content of a local file given as a ``Path``."""
        return await self._client.run(flows.write(self._sandbox_id, path, content, user))

    async def list(
        self, path: str = "/", *, depth: int | None = None, user: str | None = None
    ) -> builtins.list[FileInfo]:
        """What is in a directory."""
        return await self._client.run(flows.listing(self._sandbox_id, path, depth, user))

    async def exists(self, path: str, *, user: str | None = None) -> bool:
        """Whether a path exists."""
        return await self._client.run(flows.exists(self._sandbox_id, path, user))

    async def info(self, path: str, *, user: str | None = None) -> FileInfo:
        """What is known about a path."""
        return await self._client.run(flows.info(self._sandbox_id, path, user))

    async def get_info(self, path: str, *, user: str | None = None) -> FileInfo:
        """The same as ``info``."""
        return await self.info(path, user=user)

    async def remove(self, path: str, *, user: str | None = None) -> None:
        """Removes a file, or a directory with all in it."""
        await self._client.run(flows.remove(self._sandbox_id, path, user))

    async def rename(self, old: str, new: str, *, user: str | None = None) -> FileInfo:
        """Moves a path."""
        return await self._client.run(flows.rename(self._sandbox_id, old, new, user))

    async def make_dir(self, path: str, *, user: str | None = None) -> bool:
        """Makes a directory and its parents."""
        return await self._client.run(flows.make_dir(self._sandbox_id, path, user))

    async def set_permissions(self, path: str, permissions: str, *, user: str | None = None) -> None:
        """Changes the mode of a path, given as octal digits."""
        await self._client.run(flows.set_permissions(self._sandbox_id, path, permissions, user))
