"""``sandbox.commands``: running things in a sandbox."""

from __future__ import annotations

import builtins
from typing import Literal, overload

from . import command_flows as flows
from .background import AsyncBackgroundCommand, BackgroundCommand
from .client import AsyncClient, Client
from .command_flows import Exec, OnText
from .process_model import CommandLogs, CommandResult, ProcessInfo

DEFAULT_TIMEOUT_SECS = 30


class Commands:
    """Commands of one sandbox."""

    def __init__(self, client: Client, sandbox_id: str, dispatch_proof: str | None) -> None:
        self._client = client
        self._sandbox_id = sandbox_id
        self._proof = dispatch_proof

    @overload
    def run(
        self,
        cmd: str,
        args: builtins.list[str] | None = None,
        *,
        timeout: int = DEFAULT_TIMEOUT_SECS,
        cwd: str | None = None,
        envs: dict[str, str] | None = None,
        shell: bool = False,
        background: Literal[False] = False,
        on_stdout: OnText | None = None,
        on_stderr: OnText | None = None,
    ) -> CommandResult: ...

    @overload
    def run(
        self,
        cmd: str,
        args: builtins.list[str] | None = None,
        *,
        timeout: int = DEFAULT_TIMEOUT_SECS,
        cwd: str | None = None,
        envs: dict[str, str] | None = None,
        shell: bool = False,
        background: Literal[True],
        on_stdout: None = None,
        on_stderr: None = None,
    ) -> BackgroundCommand: ...

    def run(
        self,
        cmd: str,
        args: builtins.list[str] | None = None,
        *,
        timeout: int = DEFAULT_TIMEOUT_SECS,
        cwd: str | None = None,
        envs: dict[str, str] | None = None,
        shell: bool = False,
        background: bool = False,
        on_stdout: OnText | None = None,
        on_stderr: OnText | None = None,
    ) -> CommandResult | BackgroundCommand:
        """Runs ``cmd`` with ``args``, or as a shell line with ``shell=True``. A non-zero exit code is a result."""
        exec = Exec(self._sandbox_id, cmd, args, timeout, cwd, envs, shell, self._proof)
        if background:
            _no_callbacks(on_stdout, on_stderr)
            return BackgroundCommand(self._client, self._sandbox_id, self._client.run(flows.start(exec)))
        if on_stdout or on_stderr:
            return self._client.run(flows.run_streaming(exec, on_stdout, on_stderr))
        return self._client.run(flows.run(exec))

    def run_streaming(
        self,
        cmd: str,
        args: builtins.list[str] | None = None,
        *,
        on_stdout: OnText | None = None,
        on_stderr: OnText | None = None,
        timeout: int = DEFAULT_TIMEOUT_SECS,
        cwd: str | None = None,
        envs: dict[str, str] | None = None,
        shell: bool = False,
    ) -> CommandResult:
        """Runs ``cmd`` to its end and hands over its output as it appears."""
        exec = Exec(self._sandbox_id, cmd, args, timeout, cwd, envs, shell, self._proof)
        return self._client.run(flows.run_streaming(exec, on_stdout, on_stderr))

    def connect(self, pid: int) -> BackgroundCommand:
        """A handle on a command that is running already."""
        return BackgroundCommand(self._client, self._sandbox_id, pid)

    def list(self) -> builtins.list[ProcessInfo]:
        """The processes started through the API."""
        return self._client.run(flows.listing(self._sandbox_id))

    def get_logs(self, pid: int) -> CommandLogs:
        """All output of a process so far."""
        return self._client.run(flows.get_logs(self._sandbox_id, pid))

    def kill(self, pid: int) -> None:
        """Kills a process."""
        self._client.run(flows.kill(self._sandbox_id, pid))

    def send_stdin(self, pid: int, data: str) -> None:
        """Writes to the standard input of a process."""
        self._client.run(flows.send_stdin(self._sandbox_id, pid, data))


class AsyncCommands:
    """The asynchronous twin of ``Commands``."""

    def __init__(self, client: AsyncClient, sandbox_id: str, dispatch_proof: str | None) -> None:
        self._client = client
        self._sandbox_id = sandbox_id
        self._proof = dispatch_proof

    @overload
    async def run(
        self,
        cmd: str,
        args: builtins.list[str] | None = None,
        *,
        timeout: int = DEFAULT_TIMEOUT_SECS,
        cwd: str | None = None,
        envs: dict[str, str] | None = None,
        shell: bool = False,
        background: Literal[False] = False,
        on_stdout: OnText | None = None,
        on_stderr: OnText | None = None,
    ) -> CommandResult: ...

    @overload
    async def run(
        self,
        cmd: str,
        args: builtins.list[str] | None = None,
        *,
        timeout: int = DEFAULT_TIMEOUT_SECS,
        cwd: str | None = None,
        envs: dict[str, str] | None = None,
        shell: bool = False,
        background: Literal[True],
        on_stdout: None = None,
        on_stderr: None = None,
    ) -> AsyncBackgroundCommand: ...

    async def run(
        self,
        cmd: str,
        args: builtins.list[str] | None = None,
        *,
        timeout: int = DEFAULT_TIMEOUT_SECS,
        cwd: str | None = None,
        envs: dict[str, str] | None = None,
        shell: bool = False,
        background: bool = False,
        on_stdout: OnText | None = None,
        on_stderr: OnText | None = None,
    ) -> CommandResult | AsyncBackgroundCommand:
        """Runs ``cmd`` with ``args``, or as a shell line with ``shell=True``. A non-zero exit code is a result."""
        exec = Exec(self._sandbox_id, cmd, args, timeout, cwd, envs, shell, self._proof)
        if background:
            _no_callbacks(on_stdout, on_stderr)
            return AsyncBackgroundCommand(self._client, self._sandbox_id, await self._client.run(flows.start(exec)))
        if on_stdout or on_stderr:
            return await self._client.run(flows.run_streaming(exec, on_stdout, on_stderr))
        return await self._client.run(flows.run(exec))

    async def run_streaming(
        self,
        cmd: str,
        args: builtins.list[str] | None = None,
        *,
        on_stdout: OnText | None = None,
        on_stderr: OnText | None = None,
        timeout: int = DEFAULT_TIMEOUT_SECS,
        cwd: str | None = None,
        envs: dict[str, str] | None = None,
        shell: bool = False,
    ) -> CommandResult:
        """Runs ``cmd`` to its end and hands over its output as it appears."""
        exec = Exec(self._sandbox_id, cmd, args, timeout, cwd, envs, shell, self._proof)
        return await self._client.run(flows.run_streaming(exec, on_stdout, on_stderr))

    async def connect(self, pid: int) -> AsyncBackgroundCommand:
        """A handle on a command that is running already."""
        return AsyncBackgroundCommand(self._client, self._sandbox_id, pid)

    async def list(self) -> builtins.list[ProcessInfo]:
        """The processes started through the API."""
        return await self._client.run(flows.listing(self._sandbox_id))

    async def get_logs(self, pid: int) -> CommandLogs:
        """All output of a process so far."""
        return await self._client.run(flows.get_logs(self._sandbox_id, pid))

    async def kill(self, pid: int) -> None:
        """Kills a process."""
        await self._client.run(flows.kill(self._sandbox_id, pid))

    async def send_stdin(self, pid: int, data: str) -> None:
        """Writes to the standard input of a process."""
        await self._client.run(flows.send_stdin(self._sandbox_id, pid, data))


def _no_callbacks(on_stdout: OnText | None, on_stderr: OnText | None) -> None:
    if on_stdout or on_stderr:
        raise ValueError("a background command takes no callbacks: iterate over the handle instead")
