"""Handles on commands that run in the background."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

from . import command_flows as flows
from .client import AsyncClient, Client
from .process_model import CommandLogs, CommandResult

Output = tuple[str, str]


class BackgroundCommand:
    """A command that runs on its own. Iterating yields ``(stdout, stderr)`` pieces until it has ended."""

    def __init__(self, client: Client, sandbox_id: str, pid: int) -> None:
        self.pid = pid
        self._client = client
        self._sandbox_id = sandbox_id

    def __iter__(self) -> Iterator[Output]:
        return self._client.iterate(flows.follow(self._sandbox_id, self.pid))

    def wait(self, poll_interval: float = flows.POLL_SECONDS, timeout: float | None = None) -> CommandResult:
        """Waits for the end; raises ``TimeoutError`` if that takes longer than ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        return self._client.run(flows.wait(self._sandbox_id, self.pid, poll_interval, deadline))

    def get_logs(self) -> CommandLogs:
        """All output so far."""
        return self._client.run(flows.get_logs(self._sandbox_id, self.pid))

    def kill(self) -> None:
        """Kills the command."""
        self._client.run(flows.kill(self._sandbox_id, self.pid))

    def send_stdin(self, data: str) -> None:
        """Writes to its standard input."""
        self._client.run(flows.send_stdin(self._sandbox_id, self.pid, data))

    def disconnect(self) -> None:
        """Lets go of the command; it runs on."""


class AsyncBackgroundCommand:
    """The asynchronous twin of ``BackgroundCommand``."""

    def __init__(self, client: AsyncClient, sandbox_id: str, pid: int) -> None:
        self.pid = pid
        self._client = client
        self._sandbox_id = sandbox_id

    def __aiter__(self) -> AsyncIterator[Output]:
        return self._client.iterate(flows.follow(self._sandbox_id, self.pid))

    async def wait(self, poll_interval: float = flows.POLL_SECONDS, timeout: float | None = None) -> CommandResult:
        """Waits for the end; raises ``TimeoutError`` if that takes longer than ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        return await self._client.run(flows.wait(self._sandbox_id, self.pid, poll_interval, deadline))

    async def get_logs(self) -> CommandLogs:
        """All output so far."""
        return await self._client.run(flows.get_logs(self._sandbox_id, self.pid))

    async def kill(self) -> None:
        """Kills the command."""
        await self._client.run(flows.kill(self._sandbox_id, self.pid))

    async def send_stdin(self, data: str) -> None:
        """Writes to its standard input."""
        await self._client.run(flows.send_stdin(self._sandbox_id, self.pid, data))

    async def disconnect(self) -> None:
        """Lets go of the command; it runs on."""
