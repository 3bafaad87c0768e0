"""A sender on kept connections: each connection sends its next frame when the last was acknowledged.

As a process: `python -m benchmarks.load --port P --connections 64 --count 20000 [--rate 1000]`; prints one JSON line.
"""

import argparse
import asyncio
import json
import time
from datetime import UTC, datetime
from typing import cast

import uvloop

from tocsin.protocols.dc09.message import Message, write

RECEIVER = "1"


def account_of(n: int) -> str:
    return f"{0x1000 + n:04X}"


def frames(account: str, count: int, first: int = 0) -> list[bytes]:
    """Burglary alarms, each with another text; numbers run as a panel's do."""
    now = datetime.now(UTC)
    return [
        write(
            Message(
                token="SIA-DCS",
                seq=f"{(first + n) % 9999 + 1:04d}",
                account=account,
                prefix="0",
                receiver=RECEIVER,
                data=f"#{account}|Nri1/BA{n % 99 + 1}^event {first + n}^".encode(),
                timestamp=now,
            )
        )
        for n in range(count)
    ]


class Sender(asyncio.Protocol):
    """One panel. Answers end with CR, also pysiaalarm's."""

    def __init__(self, messages: list[bytes], answered: "asyncio.Queue[float] | None", pause_s: float = 0.0) -> None:
        self._messages = iter(messages)
        self._pause_s = pause_s
        self.done = asyncio.get_running_loop().create_future()
        self.acknowledged = 0
        self.refused = 0
        self.waits: list[float] = []
        self._sent_at = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def start(self) -> None:
        self._next()

    def _next(self) -> None:
        message = next(self._messages, None)
        if message is None:
            if not self.done.done():
                self.done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r" in self._buffer:
            answer, _, self._buffer = self._buffer.partition(b"\r")
            self.waits.append(time.perf_counter() - self._sent_at)
            if b'"ACK"' in answer:
                self.acknowledged += 1
            else:
                self.refused += 1
            if self._pause_s:
                asyncio.get_running_loop().call_later(max(0.0, self._pause_s - self.waits[-1]), self._next)
            else:
                self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed by the other side"))


async def send(port: int, connections: int, count: int, rate: float, first: int = 0) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    each = count // connections
    pause_s = connections / rate if rate else 0.0
    senders = []
    for n in range(connections):
        messages = frames(account_of(n), each, first)
        _, sender = await loop.create_connection(
            lambda messages=messages: Sender(messages, None, pause_s), "127.0.0.1", port
        )
        senders.append(sender)
    began = time.perf_counter()
    for n, sender in enumerate(senders):
        loop.call_later(pause_s * n / connections, sender.start)
    await asyncio.gather(*(sender.done for sender in senders))
    seconds = time.perf_counter() - began
    waits = sorted(wait for sender in senders for wait in sender.waits)
    return {
        "seconds": seconds,
        "sent": each * connections,
        "acknowledged": sum(sender.acknowledged for sender in senders),
        "refused": sum(sender.refused for sender in senders),
        "per_second": each * connections / seconds,
        "p50_ms": waits[len(waits) // 2] * 1000,
        "p99_ms": waits[int(len(waits) * 0.99)] * 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(send(given.port, given.connections, given.count, given.rate, given.first))))


if __name__ == "__main__":
    main()
