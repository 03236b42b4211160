"""Running commands in a sandbox, as flows.

Live output is read from the process log, which is cumulative: what is new is what lies beyond what was seen. It costs a
poll every quarter second and needs no socket that could break under a long command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import CommandError, TimeoutError, error_from_fields
from .flow import Emit, Flow, Now, Request, Sleep, call, exchange
from .process_model import CommandLogs, CommandResult, ProcessInfo
from .wire import Reader, array

POLL_SECONDS = 0.25
GRACE_SECONDS = 30.0  # how much longer than the command's own limit its answer may take
EXIT_CODE_PATIENCE_SECONDS = 5.0
UNKNOWN_EXIT_CODE = -1
OnText = Callable[[str], None]


@dataclass(frozen=True)
class Exec:
    """A command to run. Without ``shell`` it is executed verbatim; a plain string is not split at spaces."""

    sandbox_id: str
    command: str
    args: list[str] | None
    timeout: int
    cwd: str | None
    envs: dict[str, str] | None
    shell: bool
    dispatch_proof: str | None = None

    def request(self, background: bool) -> Request:
        """The request that starts it."""
        if self.shell and self.args:
            raise ValueError("args cannot be used with shell=True: the shell reads the whole command line")
        optional = {"args": self.args, "cwd": self.cwd, "envs": self.envs, "shell": self.shell}
        body: dict[str, Any] = {"command": self.command, "timeout_secs": self.timeout, "background": background}
        body |= {key: value for key, value in optional.items() if value}
        headers = {"x-nullspace-dispatch-proof": self.dispatch_proof} if self.dispatch_proof else {}
        patience = None if background else self.timeout + GRACE_SECONDS
        return Request("POST", f"/v1/sandboxes/{self.sandbox_id}/exec", json=body, headers=headers, timeout=patience)


def run(exec: Exec) -> Flow[CommandResult]:
    """Runs a command to its end. What failed after the answer had begun is inside it, whatever the status says."""
    answer = yield from call(exec.request(background=False))
    if isinstance(answer, dict) and answer.get("error"):
        raise error_from_fields(200, {}, answer)
    return CommandResult.parse(answer)


def start(exec: Exec) -> Flow[int]:
    """Starts a command and answers its pid."""
    return Reader("background command", (yield from call(exec.request(background=True)))).number("pid")


def run_streaming(exec: Exec, on_stdout: OnText | None, on_stderr: OnText | None) -> Flow[CommandResult]:
    """Runs a command to its end and hands over its output as it appears."""
    deadline = (yield Now()) + exec.timeout + GRACE_SECONDS
    pid = yield from start(exec)
    try:
        return (yield from wait(exec.sandbox_id, pid, POLL_SECONDS, deadline, on_stdout, on_stderr))
    except TimeoutError as late:
        yield from kill(exec.sandbox_id, pid)
        raise CommandError(f"`{exec.command}` did not end within {exec.timeout} s", "exec_timeout") from late


def wait(
    sandbox_id: str,
    pid: int,
    interval: float,
    deadline: float | None,
    on_stdout: OnText | None = None,
    on_stderr: OnText | None = None,
) -> Flow[CommandResult]:
    """Waits until a background command has ended."""
    seen_out = seen_err = 0
    gone_since: float | None = None
    while True:
        logs = yield from get_logs(sandbox_id, pid)
        seen_out = _hand_over(logs.stdout, seen_out, on_stdout)
        seen_err = _hand_over(logs.stderr, seen_err, on_stderr)
        if logs.exit_code is not None:
            return CommandResult(logs.exit_code, logs.stdout, logs.stderr, pid)
        now: float = yield Now()
        running = any(process.pid == pid and process.running for process in (yield from listing(sandbox_id)))
        gone_since = None if running else (gone_since or now)
        if gone_since is not None and now - gone_since >= EXIT_CODE_PATIENCE_SECONDS:
            return CommandResult(UNKNOWN_EXIT_CODE, logs.stdout, logs.stderr, pid)
        if deadline is not None and now >= deadline:
            raise TimeoutError(f"process {pid} in sandbox `{sandbox_id}` is still running")
        yield Sleep(interval)


def follow(sandbox_id: str, pid: int, interval: float = POLL_SECONDS) -> Flow[None]:
    """Emits ``(stdout, stderr)`` pieces of a background command until it has ended."""
    seen_out = seen_err = 0
    ended = False
    while True:
        logs = yield from get_logs(sandbox_id, pid)
        if len(logs.stdout) > seen_out or len(logs.stderr) > seen_err:
            yield Emit((logs.stdout[seen_out:], logs.stderr[seen_err:]))
            seen_out, seen_err = len(logs.stdout), len(logs.stderr)
        if ended or logs.exit_code is not None:
            return
        # One more look at the log after the process is gone: its last words may come with its end.
        ended = not any(process.pid == pid and process.running for process in (yield from listing(sandbox_id)))
        yield Sleep(interval)


def listing(sandbox_id: str) -> Flow[list[ProcessInfo]]:
    """The processes started through the API."""
    values = array("process list", (yield from call(Request("GET", f"/v1/sandboxes/{sandbox_id}/processes"))))
    return [ProcessInfo.parse(value) for value in values]


def get_logs(sandbox_id: str, pid: int) -> Flow[CommandLogs]:
    """All output of a process so far."""
    return CommandLogs.parse((yield from call(Request("GET", f"/v1/sandboxes/{sandbox_id}/processes/{pid}/logs"))))


def kill(sandbox_id: str, pid: int) -> Flow[None]:
    """Kills a process."""
    yield from exchange(Request("POST", f"/v1/sandboxes/{sandbox_id}/processes/{pid}/kill"))


def send_stdin(sandbox_id: str, pid: int, data: str) -> Flow[None]:
    """Writes to the standard input of a process."""
    yield from exchange(Request("POST", f"/v1/sandboxes/{sandbox_id}/processes/{pid}/stdin", json={"data": data}))


def _hand_over(text: str, seen: int, callback: OnText | None) -> int:
    if callback is not None and len(text) > seen:
        callback(text[seen:])
    return len(text)
