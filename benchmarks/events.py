"""A sender of events by REST at a steady rate, every second one with a photo, whether earlier ones are answered or not.

As a process: `python -m benchmarks.events --port P --photo FILE --rate 20 --seconds 60`; prints one JSON line.
"""

import argparse
import asyncio
import base64
import json
import time
from pathlib import Path

import aiohttp
import uvloop

KIND = "motion"
DEVICES = 50
FIRST_NUMBER = 1000
"""Devices are `camera-1000` and on."""


def bodies(count: int, photo: bytes) -> list[bytes]:
    """Events as POSTed, the odd ones with the photo."""
    photos = [{"content_type": "image/jpeg", "data": base64.b64encode(photo).decode()}]
    return [
        json.dumps(
            {
                "id": f"bench-{n:08d}",
                "kind": KIND,
                "device_id": f"camera-{FIRST_NUMBER + n % DEVICES}",
                "actors": [{"class": "person", "confidence": 0.9}],
                "text": f"event {n}",
                "photos": photos if n % 2 else [],
            }
        ).encode()
        for n in range(count)
    ]


async def send(port: int, photo: bytes, rate: float, seconds: float) -> dict[str, float]:
    waiting = bodies(round(rate * seconds), photo)
    url = f"http://127.0.0.1:{port}/api/v1/events"
    waits: list[float] = []
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:

        async def post(body: bytes) -> None:
            began = time.perf_counter()
            async with session.post(url, data=body) as answer:
                await answer.read()
                answer.raise_for_status()
            waits.append(time.perf_counter() - began)

        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for n, body in enumerate(waiting):
                await asyncio.sleep(max(0.0, began + n / rate - loop.time()))
                group.create_task(post(body))
    waits.sort()
    return {"sent": len(waits), "seconds": loop.time() - began, "p99_ms": waits[int(len(waits) * 0.99)] * 1000}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(send(given.port, given.photo.read_bytes(), given.rate, given.seconds))))


if __name__ == "__main__":
    main()
