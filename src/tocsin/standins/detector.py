"""A stand-in detector: sends events with real JPEGs to a gateway, keeps each until it is acknowledged."""

import asyncio
import io
import itertools
import math
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct
from PIL import Image, ImageDraw

from tocsin.engine.contracts import Clock, Randomness
from tocsin.standins.armed import ArmedDevices

Out = Callable[[dict[str, Any]], None]
DEADLINE_S = 30.0
LONGEST_PAUSE_S = 30.0
_SIZE = (640, 480)
_SCENES: tuple[tuple[str, str], ...] = (
    ("motion", "person"),
    ("motion", "car"),
    ("motion", ""),
    ("tamper", ""),
    ("routine_check", ""),
    ("battery_low", ""),
)


class Plan(Struct, frozen=True):
    """What to send: events of the devices in turn, `every_s` seconds apart, `count` of them (None: for ever), none
    begun later than `duration_s`.
    """

    devices: tuple[str, ...] = ("detector-1",)
    every_s: float = 2.0
    count: int | None = None
    photos: int = 1
    retry_s: float = 1.0
    """The first pause before an unacknowledged event is sent again; it doubles up to 30 s."""
    duration_s: float = math.inf
    new_connections: bool = False
    """A connection for each event instead of one for all."""


class Shot(Struct, frozen=True):
    """One event with its pictures, as it will be sent until it is acknowledged."""

    event: dict[str, Any]
    photos: tuple[bytes, ...]


def picture(caption: str, actor: str, box: Sequence[float], randomness: Randomness) -> bytes:
    """A JPEG of about 20 kB: a night scene with what was seen in its box (fractions of the picture)."""
    width, height = _SIZE
    rough = bytes(randomness.getrandbits(5) + 20 for _ in range(80 * 60))
    image = Image.frombytes("L", (80, 60), rough).resize(_SIZE).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 0.7, width, height), fill=(48, 52, 44))
    if actor:
        left, top, wide, high = (part * side for part, side in zip(box, (width, height, width, height), strict=True))
        draw.rectangle((left, top, left + wide, top + high), outline=(240, 60, 40), width=3)
        draw.ellipse((left + wide * 0.2, top + high * 0.1, left + wide * 0.8, top + high * 0.9), fill=(150, 140, 120))
    draw.text((8, height - 18), caption, fill=(230, 230, 230))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=70)
    return stream.getvalue()


def shot(number: int, plan: Plan, now: datetime, randomness: Randomness) -> Shot:
    """The `number`-th event, from 0. Its id makes a repeat recognisable."""
    kind, actor = _SCENES[number % len(_SCENES)]
    device = plan.devices[number % len(plan.devices)]
    box = (round(0.1 + 0.5 * randomness.random(), 3), 0.35, 0.2, 0.4)
    event: dict[str, Any] = {
        "id": f"{device}-{randomness.getrandbits(48):012x}-{number}",
        "kind": kind,
        "device_id": device,
        "occurred_at": now.isoformat(),
        "battery": 87,
        "signal_asu": 19,
    }
    if actor:
        confidence = round(0.6 + 0.39 * randomness.random(), 2)
        event["actors"] = [{"class": actor, "confidence": confidence, "box": box}]
    wanted = plan.photos if kind in ("motion", "tamper") else 0
    caption = f"{device}  {now:%Y-%m-%d %H:%M:%S}  {kind} {actor}".rstrip()
    return Shot(event, tuple(picture(caption, actor, box, randomness) for _ in range(wanted)))


async def send(
    url: str,
    out: Out,
    clock: Clock,
    randomness: Randomness,
    plan: Plan | None = None,
    token: str = "",
    tls: ssl.SSLContext | None = None,
    armed: ArmedDevices | None = None,
) -> None:
    """Send the plan's events to the gateway at `url`, in order; each goes on until the gateway says 202.

    `out` gets one dict per try. An event the gateway refuses for good (4xx) is reported and left. A device that is not
    `armed` sees no motion.
    """
    plan = plan or Plan()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    connector = aiohttp.TCPConnector(ssl=tls if tls is not None else True, force_close=plan.new_connections)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:
        until = clock.monotonic() + plan.duration_s
        for number in itertools.count() if plan.count is None else range(plan.count):
            if number:
                await asyncio.sleep(plan.every_s)
            if clock.monotonic() >= until:
                return
            one = shot(number, plan, clock.now(), randomness)
            if armed is None or one.event["kind"] != "motion" or armed.is_armed(one.event["device_id"]):
                await _until_taken(session, url.rstrip("/"), one, out, plan.retry_s)


async def _until_taken(session: aiohttp.ClientSession, url: str, one: Shot, out: Out, pause_s: float) -> None:
    while True:
        report = await _post(session, url, one)
        out({"detector": one.event["device_id"], "id": one.event["id"], "kind": one.event["kind"], **report})
        if report["done"]:
            return
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


async def _post(session: aiohttp.ClientSession, url: str, one: Shot) -> dict[str, Any]:
    """One try: HTTP status (0: no answer) and the gateway's words. `done`: there is no point in another try."""
    try:
        async with session.post(f"{url}/api/v1/events", data=_form(one), allow_redirects=False) as response:
            answer = await response.content.read(65536)
            refused = 400 <= response.status < 500 and response.status not in (408, 429)
            return {
                "status": response.status,
                "photos": len(one.photos),
                "done": response.status == 202 or refused,
                "answer": _readable(answer),
            }
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return {"status": 0, "photos": len(one.photos), "done": False, "answer": str(error) or "no answer in time"}


def _form(one: Shot) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("event", msgspec.json.encode(one.event).decode(), content_type="application/json")
    for number, photo in enumerate(one.photos, start=1):
        form.add_field("photo", photo, filename=f"{number}.jpg", content_type="image/jpeg")
    return form


def _readable(answer: bytes) -> Any:
    try:
        return msgspec.json.decode(answer)
    except msgspec.DecodeError:
        return answer[:200].decode("utf-8", "replace")
