"""The two drivers: ``Client`` and ``AsyncClient`` carry out the steps of flows over httpx. They decide nothing."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

from .errors import SandboxError, TransportError
from .flow import Emit, Flow, Missing, Now, OpenStream, ReadLine, Request, Response, Sleep, Step
from .settings import Settings, resolve

T = TypeVar("T")

DEFAULT_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 15.0
UPLOAD_CHUNK_BYTES = 256 * 1024
LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=5.0)

# The server may have acted on a request that failed in one of these ways; connect errors are not among them.
AMBIGUOUS = (httpx.ReadError, httpx.ReadTimeout, httpx.PoolTimeout, httpx.ProtocolError, httpx.WriteError)


class Client:
    """Carries out flows with blocking calls. Not to be shared between threads while a stream is open."""

    def __init__(self, settings: Settings, timeout: float | None = None) -> None:
        self.settings = settings
        self._timeout = timeout or DEFAULT_TIMEOUT_SECONDS
        self._http = httpx.Client(base_url=settings.base_url, limits=LIMITS, headers=_authorization(settings))
        # Handles are rarely closed by hand: their sockets are given back with the last reference.
        self._closer = weakref.finalize(self, self._http.close)

    @classmethod
    def open(cls, api_key: str | None, base_url: str | None, timeout: float | None = None) -> Client:
        """A client for the resolved server and key."""
        return cls(resolve(api_key, base_url), timeout)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as in the address of the server."""
        return self._http.base_url.scheme

    def run(self, flow: Flow[T]) -> T:
        """Runs a flow to its end and answers its result."""
        steps = self._drive(flow)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                result: T = done.value
                return result

    def iterate(self, flow: Flow[Any]) -> Iterator[Any]:
        """Runs a flow and yields what it emits, as it emits it."""
        return self._drive(flow)

    def close(self) -> None:
        """Closes the connections; the client is of no use afterwards."""
        self._closer()

    def _drive(self, flow: Flow[T]) -> Generator[Any, None, T]:
        stream = _SyncStream(self._http)
        answer: object = None
        failure: SandboxError | None = None
        try:
            while True:
                try:
                    step = flow.throw(failure) if failure else flow.send(answer)
                except StopIteration as done:
                    result: T = done.value
                    return result
                answer = failure = None
                if isinstance(step, Emit):
                    yield step.value
                    continue
                try:
                    answer = self._perform(step, stream)
                except httpx.HTTPError as problem:
                    failure = _transport_error(problem)
        finally:
            flow.close()
            stream.close()

    def _perform(self, step: Step, stream: _SyncStream) -> object:
        match step:
            case Request():
                answer = self._http.send(self._request(step))
                return Response(answer.status_code, answer.headers, answer.content)
            case OpenStream(request):
                return stream.open(self._request(request))
            case ReadLine():
                return stream.next_line()
            case Sleep(seconds):
                time.sleep(seconds)
            case Now():
                return time.monotonic()
        return None

    def _request(self, request: Request) -> httpx.Request:
        content: Any = request.content
        headers = dict(request.headers)
        if isinstance(content, Path):
            headers["content-length"] = str(content.stat().st_size)
            content = _chunks(content)
        return _build(self._http, request, content, headers, self._timeout)


class AsyncClient:
    """Carries out flows on an event loop."""

    def __init__(self, settings: Settings, timeout: float | None = None) -> None:
        self.settings = settings
        self._timeout = timeout or DEFAULT_TIMEOUT_SECONDS
        self._http = httpx.AsyncClient(base_url=settings.base_url, limits=LIMITS, headers=_authorization(settings))

    @classmethod
    def open(cls, api_key: str | None, base_url: str | None, timeout: float | None = None) -> AsyncClient:
        """A client for the resolved server and key."""
        return cls(resolve(api_key, base_url), timeout)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as in the address of the server."""
        return self._http.base_url.scheme

    async def run(self, flow: Flow[T]) -> T:
        """Runs a flow to its end and answers its result."""
        outcome: list[T] = []
        async for _ in self._drive(flow, outcome):
            pass
        return outcome[0]

    def iterate(self, flow: Flow[Any]) -> AsyncIterator[Any]:
        """Runs a flow and yields what it emits, as it emits it."""
        return self._drive(flow, [])

    async def close(self) -> None:
        """Closes the connections; the client is of no use afterwards."""
        await self._http.aclose()

    async def _drive(self, flow: Flow[T], outcome: list[T]) -> AsyncIterator[Any]:
        stream = _AsyncStream(self._http)
        answer: object = None
        failure: SandboxError | None = None
        try:
            while True:
                try:
                    step = flow.throw(failure) if failure else flow.send(answer)
                except StopIteration as done:
                    outcome.append(done.value)
                    return
                answer = failure = None
                if isinstance(step, Emit):
                    yield step.value
                    continue
                try:
                    answer = await self._perform(step, stream)
                except httpx.HTTPError as problem:
                    failure = _transport_error(problem)
        finally:
            flow.close()
            await stream.close()

    async def _perform(self, step: Step, stream: _AsyncStream) -> object:
        match step:
            case Request():
                answer = await self._http.send(self._request(step))
                return Response(answer.status_code, answer.headers, answer.content)
            case OpenStream(request):
                return await stream.open(self._request(request))
            case ReadLine():
                return await stream.next_line()
            case Sleep(seconds):
                await asyncio.sleep(seconds)
            case Now():
                return time.monotonic()
        return None

    def _request(self, request: Request) -> httpx.Request:
        content: Any = request.content
        headers = dict(request.headers)
        if isinstance(content, Path):
            headers["content-length"] = str(content.stat().st_size)
            content = _async_chunks(content)
        return _build(self._http, request, content, headers, self._timeout)


class _SyncStream:
    """The one answer a flow may keep open."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._lines: Iterator[str] = iter(())

    def open(self, request: httpx.Request) -> Response:
        self.close()
        response = self._response = self._http.send(request, stream=True)
        if response.status_code >= 400:
            response.read()
            return Response(response.status_code, response.headers, response.content)
        self._lines = _lines(response.iter_bytes())
        return Response(response.status_code, response.headers, b"")

    def next_line(self) -> str | None:
        return next(self._lines, None)

    def close(self) -> None:
        if self._response is not None:
            self._response.close()


class _AsyncStream:
    """The one answer a flow may keep open."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._lines: AsyncIterator[str] | None = None

    async def open(self, request: httpx.Request) -> Response:
        await self.close()
        response = self._response = await self._http.send(request, stream=True)
        if response.status_code >= 400:
            await response.aread()
            return Response(response.status_code, response.headers, response.content)
        self._lines = _async_lines(response.aiter_bytes())
        return Response(response.status_code, response.headers, b"")

    async def next_line(self) -> str | None:
        return None if self._lines is None else await anext(self._lines, None)

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()


def _authorization(settings: Settings) -> dict[str, str]:
    return {"authorization": f"Bearer {settings.api_key}"}


def _build(
    http: httpx.Client | httpx.AsyncClient, request: Request, content: Any, headers: dict[str, str], default: float
) -> httpx.Request:
    silence = request.timeout or default
    timeout = httpx.Timeout(silence, connect=min(CONNECT_TIMEOUT_SECONDS, silence))
    query = request.query or None
    if isinstance(request.json, Missing):
        return http.build_request(
            request.method, request.path, params=query, content=content, headers=headers, timeout=timeout
        )
    return http.build_request(
        request.method, request.path, params=query, json=request.json, headers=headers, timeout=timeout
    )


# Lines end at a line feed and nowhere else: httpx would also split at U+2028, which build output contains.
def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")


async def _async_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(UPLOAD_CHUNK_BYTES):
            yield chunk


async def _async_chunks(path: Path) -> AsyncIterator[bytes]:
    for chunk in _chunks(path):  # a disk read of 256 KiB is shorter than handing it to a thread
        yield chunk


def _transport_error(problem: httpx.HTTPError) -> TransportError:
    text = str(problem) or type(problem).__name__
    return TransportError(f"no answer from the server: {text}", may_have_arrived=isinstance(problem, AMBIGUOUS))
