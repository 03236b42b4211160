"""One flow, two drivers: everything the SDK does is a generator that yields steps and is told their outcome.

A flow never touches a socket or a clock. ``Client`` and ``AsyncClient`` (``client.py``) carry out the steps, so each
operation is written once and the synchronous and asynchronous classes cannot drift apart.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from .errors import InvalidResponseError, RateLimitError, SandboxError, error_from_body

RATE_LIMIT_RETRIES = 3  # the published client's number; more would only hide a server that is too small
DEFAULT_RETRY_AFTER_SECONDS = 1.0


class Missing:
    """Stands for "this request has no JSON body", which differs from the body ``null``."""


NO_BODY = Missing()


@dataclass(frozen=True)
class Request:
    """One HTTP request. ``timeout`` is the longest silence to accept, in seconds; None means the client's default."""

    method: str
    path: str
    json: object = NO_BODY
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Path | None = None
    timeout: float | None = None


@dataclass(frozen=True)
class Response:
    """A whole answer, of any status."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """The body as JSON; None when it is empty."""
        if not self.content.strip():
            return None
        try:
            return json.loads(self.content)
        except ValueError as problem:
            raise InvalidResponseError(f"the server's answer is not JSON: {problem}", status=self.status) from problem


@dataclass(frozen=True)
class Sleep:
    """Wait this long."""

    seconds: float


@dataclass(frozen=True)
class Now:
    """Tell the time on a clock that only goes forward, in seconds."""


@dataclass(frozen=True)
class OpenStream:
    """Send the request and keep its answer open: its status comes back now, its lines through ``ReadLine``."""

    request: Request


@dataclass(frozen=True)
class ReadLine:
    """The next line of the open stream, or None at its end."""


@dataclass(frozen=True)
class Emit:
    """Hand a value to whoever iterates over this flow."""

    value: object


Step = Request | Sleep | Now | OpenStream | ReadLine | Emit
T = TypeVar("T")
Flow = Generator[Step, Any, T]


def segment(text: str) -> str:
    """A path segment with nothing left unescaped, because template refs contain ``/`` and ``:``."""
    return quote(text, safe="")


def exchange(request: Request) -> Flow[Response]:
    """Sends a request, repeats it while the server limits the rate, and raises for any status from 400."""
    for attempt in range(RATE_LIMIT_RETRIES + 1):
        response: Response = yield request
        if response.status < 400:
            return response
        error = response_error(response)
        if not (response.status == 429 and error.code in ("rate_limit_exceeded", "unknown")):
            raise error
        if attempt == RATE_LIMIT_RETRIES:
            break
        yield Sleep(retry_after(response))
    raise RateLimitError(error.message, code="rate_limit_exceeded", status=429, request_id=error.request_id)


def call(request: Request) -> Flow[Any]:
    """Like ``exchange``, answering the parsed JSON body."""
    response = yield from exchange(request)
    return response.json()


def open_stream(request: Request) -> Flow[None]:
    """Opens a server-sent event stream; ``next_object`` then reads from it."""
    response: Response = yield OpenStream(request)
    if response.status >= 400:
        raise response_error(response)


def next_object() -> Flow[object | None]:
    """The next JSON object of the open stream, or None at its end."""
    while True:
        line: str | None = yield ReadLine()
        if line is None:
            return None
        if line.startswith("data:"):
            return _event(line)


def response_error(response: Response) -> SandboxError:
    """The exception an answer of status 400 or more stands for."""
    return error_from_body(response.status, response.headers, response.content)


def retry_after(response: Response) -> float:
    """Seconds the server asks to wait; a missing or unreadable header counts as one second."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return DEFAULT_RETRY_AFTER_SECONDS


def _event(line: str) -> object:
    try:
        parsed: object = json.loads(line.removeprefix("data:"))
    except ValueError as problem:
        raise InvalidResponseError(f"an event of the server's stream is not JSON: {problem}") from problem
    return parsed
