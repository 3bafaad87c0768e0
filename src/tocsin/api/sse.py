"""Server-sent events: frames, heartbeats, and how many may be open."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from starlette.responses import Response, StreamingResponse

from tocsin.api.problems import Problem

T = TypeVar("T")
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff"}
HEARTBEAT = b": heartbeat\n\n"


class Streams:
    """Counts what stays open; each costs a connection."""

    def __init__(self, most: int, what: str = "streams are open") -> None:
        self._most = most
        self._what = what
        self._open = 0

    def check(self) -> None:
        """Raises Problem 429."""
        if self._open >= self._most:
            raise Problem(429, f"{self._most} {self._what} already.", headers={"retry-after": "10"})

    @contextmanager
    def counted(self) -> Iterator[None]:
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


async def beating(items: AsyncIterator[T], interval_s: float, closing: asyncio.Event) -> AsyncGenerator[T | None, None]:
    """The items as they come, None after each `interval_s` of silence; ends when `closing` is set."""
    stop = asyncio.ensure_future(closing.wait())
    item = asyncio.ensure_future(_next(items))
    try:
        while not closing.is_set():
            done, _ = await asyncio.wait({item, stop}, timeout=interval_s, return_when=asyncio.FIRST_COMPLETED)
            if item in done:
                yield item.result()
                item = asyncio.ensure_future(_next(items))
            elif not done:
                yield None
    finally:
        await _end(item, stop)
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


async def _end(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def frame(name: str, data: str) -> bytes:
    """One server-sent event; every line of the data gets its own field."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()


def streaming(body: AsyncGenerator[bytes, None]) -> Response:
    return StreamingResponse(body, 200, _HEADERS, "text/event-stream")
