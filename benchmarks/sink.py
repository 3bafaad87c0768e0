"""A station that checks every frame (checksum, length, header, payload) and acknowledges it at once.

As a process: `python -m benchmarks.sink --port P`; prints `{"port"}`, and on SIGTERM what it saw.
"""

import argparse
import asyncio
import json
import signal
import time
from datetime import UTC, datetime
from typing import cast

import uvloop

from tocsin.protocols.dc09.frames import Dropped, FrameReader
from tocsin.protocols.dc09.message import read
from tocsin.protocols.dc09.replies import ack


class Seen:
    def __init__(self) -> None:
        self.events = 0
        self.bad = 0
        self.first = 0.0
        self.last = 0.0
        self.connected = 0.0
        self.words: dict[str, float] = {}
        self.watch = b""
        self.watched_at = 0.0


class Station(asyncio.Protocol):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._reader = FrameReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if not self._seen.connected:
            self._seen.connected = time.time()

    def data_received(self, data: bytes) -> None:
        seen = self._seen
        for found in self._reader.feed(data):
            if isinstance(found, Dropped):
                seen.bad += 1
                continue
            message = read(found)
            if message.token != "NULL":
                seen.events += 1
                seen.last = time.time()
                seen.first = seen.first or seen.last
                if seen.watch and not seen.watched_at and seen.watch in found.body:
                    seen.watched_at = seen.last
            self._transport.write(ack(message, datetime.now(UTC)))


async def serve(port: int, watch: str) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    seen = Seen()
    seen.watch = watch.encode()
    server = await loop.create_server(lambda: Station(seen), "127.0.0.1", port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    return {
        "events": seen.events,
        "bad": seen.bad,
        "first": seen.first,
        "last": seen.last,
        "seconds": seen.last - seen.first,
        "connected": seen.connected,
        "watched_at": seen.watched_at,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--watch", default="")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(serve(given.port, given.watch))), flush=True)


if __name__ == "__main__":
    main()
