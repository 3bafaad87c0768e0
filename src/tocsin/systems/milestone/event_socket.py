"""A WebSocket to the Events and State service: commands with their answers, and what is pushed (connectors.md 4.6)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from tocsin.engine.systems import NotSupported, ProtocolFault, Unreachable
from tocsin.systems.milestone.states import Frame, Occurred, read_frame

PING_S = 30.0
WAITING_LIMIT = 100_000
"""Events not yet taken; beyond that the socket is given up rather than the memory."""
CLOSE_DEADLINE_S = 1.0
LARGE = 100_000
"""Frames above this are read beside the loop."""


class EventSocket:
    """An open socket. Commands go out one at a time; events pushed meanwhile wait in order.

    The server need not answer pings: without any frame for two of them, `alive` decides whether the socket is given up.
    """

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, alive: Callable[[], Awaitable[bool]], ping_s: float
    ) -> None:
        self._socket = socket
        self._alive = alive
        self._ping_s = ping_s
        self._heard = True
        self._numbers = 0
        self._answers: dict[int, asyncio.Future[Frame]] = {}
        self._pushed: asyncio.Queue[Sequence[Occurred]] = asyncio.Queue()
        self._waiting = 0
        self._ended = ""
        self._one_at_a_time = asyncio.Lock()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._ping())]

    async def command(self, name: str, timeout_s: float, members: dict[str, Any] | None = None) -> Frame:
        """The answer, whatever its status. Raises Unreachable when the socket ends or nothing comes in time."""
        async with self._one_at_a_time:
            self._numbers += 1
            number = self._numbers
            answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
            self._answers[number] = answer
            try:
                await self._send({"command": name, "commandId": number, **(members or {})})
                async with asyncio.timeout(timeout_s):
                    return await answer
            except TimeoutError:
                raise Unreachable(f"no answer to {name} within {timeout_s:g} s") from None
            finally:
                self._answers.pop(number, None)

    async def next_events(self) -> Sequence[Occurred]:
        """What was pushed next. Raises Unreachable at the end."""
        if self._ended and self._pushed.empty():
            raise Unreachable(self._ended)
        events = await self._pushed.get()
        self._waiting -= len(events)
        if not events:
            raise Unreachable(self._ended)
        return events

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._end("the socket was closed")
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await self._socket.close()

    async def _send(self, members: dict[str, Any]) -> None:
        if self._ended:
            raise Unreachable(self._ended)
        try:
            await self._socket.send_str(msgspec.json.encode(members).decode())
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"the Events and State service is gone: {error}") from error

    async def _read(self) -> None:
        why = ""
        try:
            async for message in self._socket:
                self._heard = True
                if message.type is aiohttp.WSMsgType.PING:
                    await self._socket.pong(message.data)
                elif message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    self._take(await frame_of(message.data))
        except (aiohttp.ClientError, OSError) as error:
            why = f"the Events and State service is gone: {error}"
        except ProtocolFault as fault:
            why = str(fault)
        finally:
            self._end(why or f"the Events and State service closed the socket (code {self._socket.close_code})")

    def _take(self, frame: Frame) -> None:
        answer = self._answers.get(frame.command_id) if frame.command_id is not None else None
        if answer is not None and not answer.done():
            answer.set_result(frame)
        if frame.events:
            self._waiting += len(frame.events)
            if self._waiting > WAITING_LIMIT:
                raise ProtocolFault(f"more than {WAITING_LIMIT} events came than could be taken")
            self._pushed.put_nowait(frame.events)

    async def _ping(self) -> None:
        """While an answer is waited for, its own deadline counts (4.6: the first byte may take minutes)."""
        while True:
            self._heard = False
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await self._socket.ping()
            await asyncio.sleep(self._ping_s)
            if not self._heard and not self._answers and not await self._alive():
                self._end("the Events and State service is silent, and the API Gateway does not answer either")
                self._tasks[0].cancel()
                return

    def _end(self, why: str) -> None:
        if self._ended:
            return
        self._ended = why
        self._pushed.put_nowait(())
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Unreachable(why))


async def frame_of(data: str | bytes) -> Frame:
    """The states of a large site come in one frame of many megabytes. Raises ProtocolFault."""
    return read_frame(data) if len(data) < LARGE else await asyncio.to_thread(read_frame, data)


def accepted(frame: Frame, what: str, statuses: tuple[int, ...] = (200,)) -> Frame:
    """Raises NotSupported for what the service refuses, ProtocolFault for any other status."""
    if frame.status in statuses:
        return frame
    text = frame.error.error_text[:200] if frame.error is not None else ""
    if frame.status is not None and 400 <= frame.status < 500:
        raise NotSupported(f"{what} is refused ({frame.status} {text})")
    raise ProtocolFault(f"{what} was answered with {frame.status} {text}")
