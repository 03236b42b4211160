"""Commands and processes in a sandbox, as the server reports them."""

from __future__ import annotations

from dataclasses import dataclass

from .wire import Reader


@dataclass(frozen=True)
class CommandResult:
    """A command that ended."""

    exit_code: int
    stdout: str
    stderr: str
    pid: int | None = None

    @classmethod
    def parse(cls, value: object) -> CommandResult:
        """Reads the answer of a foreground command."""
        reader = Reader("command result", value)
        return cls(
            exit_code=reader.number("exit_code"),
            stdout=reader.text("stdout"),
            stderr=reader.text("stderr"),
            pid=reader.maybe_number("pid"),
        )


@dataclass(frozen=True)
class CommandLogs:
    """What a command has printed so far; ``exit_code`` is None while it runs."""

    stdout: str
    stderr: str
    output: str
    exit_code: int | None = None

    @classmethod
    def parse(cls, value: object) -> CommandLogs:
        """Reads the logs of a process."""
        reader = Reader("process logs", value)
        return cls(
            stdout=reader.text("stdout"),
            stderr=reader.text("stderr"),
            output=reader.text("output"),
            exit_code=reader.maybe_number("exit_code"),
        )


@dataclass(frozen=True)
class ProcessInfo:
    """A process started through the API."""

    pid: int
    command: str
    running: bool

    @classmethod
    def parse(cls, value: object) -> ProcessInfo:
        """Reads one entry of the process list."""
        reader = Reader("process", value)
        return cls(reader.number("pid"), reader.text("command"), reader.flag("running"))
