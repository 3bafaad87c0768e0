"""A stand-in receiver of webhooks: checks signature, content and repeats, and fails on command."""

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.standins.serving import until_cancelled
from tocsin.standins.web_service import WebListener

Out = Callable[[dict[str, Any]], None]
TIMESTAMP_TOLERANCE_S = 300.0
REMEMBERED = 100_000


class Answer(Struct, frozen=True):
    """One scripted answer. `fault`: close before answering, cut in the middle of the answer, or never answer.

    `status` 0: the one that is due, 200 to what is right.
    """

    status: int = 200
    body: str = ""
    retry_after: str = ""
    location: str = ""
    delay_s: float = 0.0
    fault: Literal["", "close", "cut", "silent"] = ""


class Expected(Struct, frozen=True):
    """What requests must prove. Empty fields are not asked for; any one of the keys is enough."""

    standard_keys: tuple[str, ...] = ()
    hmac_keys: tuple[str, ...] = ()
    token: str = ""


NOTHING_EXPECTED = Expected()


class _Device(Struct, frozen=True):
    guid: str
    name: str
    type: str
    area: str
    description: str
    battery_percentage: int | None
    signal_strength_asu: int | None
    signal_strength_dbm: int | None
    location: dict[str, float] | None


class _Detection(Struct, frozen=True):
    type: str
    probability: float | None


class _Binary(Struct, frozen=True):
    type: Literal["image"]
    format: Literal["jpg"]
    data: bytes


class _Message(Struct, frozen=True):
    """The body as stations.md 7.1 describes it."""

    schema: Literal[1]
    event_guid: UUID
    event_type: str
    event_name: str
    site: str | None
    area: str | None
    zone: str | None
    timestamp: datetime
    url: str
    device_info: _Device
    detections: list[_Detection]
    binary: list[_Binary]
    state: Literal["new", "restore", "still"] = "new"
    test: bool = False
    text: str = ""


class WebhookStandin:
    """Listens on `host:port` (port 0: any free one; `start` returns it). Accepts what is right, answers 400 or 401
    with the reasons to what is not. Scripted `answers` are used up first, one per request; then `always`, if given.
    """

    def __init__(
        self,
        listen: str,
        out: Out,
        clock: Clock,
        expected: Expected = NOTHING_EXPECTED,
        answers: Sequence[Answer] = (),
        tls: ssl.SSLContext | None = None,
        always: Answer | None = None,
    ) -> None:
        self._always = always
        self._out = out
        self._expected = expected
        self.answers = list(answers)
        self._clock = clock
        self._known: dict[str, str] = {}
        self._stopping = asyncio.Event()
        self._listener = WebListener(listen, self._handle, tls)

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError."""
        return await self._listener.start()

    async def aclose(self) -> None:
        self._stopping.set()
        await self._listener.aclose()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        record = self._examined(request, body)
        planned = self._planned(record)
        record["status"] = 0 if planned.fault else planned.status
        self._out(record)
        if planned.delay_s:
            await asyncio.sleep(planned.delay_s)
        return await self._answered(request, planned)

    def _planned(self, record: dict[str, Any]) -> Answer:
        scripted = self.answers.pop(0) if self.answers else self._always
        due = _due_answer(record)
        if scripted is None:
            return due
        if scripted.status:
            return scripted
        return msgspec.structs.replace(scripted, status=due.status, body=due.body)

    async def _answered(self, request: web.Request, planned: Answer) -> web.StreamResponse:
        if planned.fault == "silent":
            await self._stopping.wait()
        if planned.fault == "cut":
            response = web.StreamResponse(status=planned.status, headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b"the beginning of")
        if planned.fault and request.transport is not None:
            request.transport.close()
        names = {"Retry-After": planned.retry_after, "Location": planned.location}
        return web.Response(
            status=planned.status, text=planned.body, headers={name: value for name, value in names.items() if value}
        )

    def _examined(self, request: web.Request, body: bytes) -> dict[str, Any]:
        record: dict[str, Any] = {
            "received_at": self._clock.now().isoformat(timespec="milliseconds"),
            "peer": request.remote or "",
            "path": request.path_qs,
            "bytes": len(body),
            "message_id": request.headers.get("webhook-id", ""),
        }
        problems = [*self._stranger(request, body)]
        record["trusted"] = not problems
        record["problems"] = problems + self._content(request, body, record)
        return record

    def _stranger(self, request: web.Request, body: bytes) -> list[str]:
        """Why the sender is not who it should be."""
        expected, headers, problems = self._expected, request.headers, []
        if expected.token and not _same(headers.get("Authorization", ""), f"Bearer {expected.token}"):
            problems.append("the bearer token is wrong or missing")
        if expected.hmac_keys:
            valid = {"sha256=" + _digest(key.encode(), body).hex() for key in expected.hmac_keys}
            if not valid & set(headers.get("X-Signature-256", "").split(",")):
                problems.append("X-Signature-256 fits none of the keys")
        if expected.standard_keys:
            problems.extend(_standard_problems(headers, body, expected.standard_keys, self._clock.now().timestamp()))
        return problems

    def _content(self, request: web.Request, body: bytes, record: dict[str, Any]) -> list[str]:
        problems = [] if request.method == "POST" else [f"{request.method} instead of POST"]
        if request.headers.get("Content-Type", "") != "application/json; charset=utf-8":
            problems.append("Content-Type is not application/json; charset=utf-8")
        if request.headers.get("Idempotency-Key", "") != record["message_id"] or not record["message_id"]:
            problems.append("Idempotency-Key and webhook-id are not the same")
        try:
            message = msgspec.json.decode(body, type=_Message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [*problems, f"the body is not as agreed: {error}"]
        record |= _told(message)
        return problems + self._repeat(message, record) + _picture_problems(message)

    def _repeat(self, message: _Message, record: dict[str, Any]) -> list[str]:
        guid, known = str(message.event_guid), self._known.get(record["message_id"])
        record["duplicate"] = known == guid
        if known is not None and known != guid:
            return ["another event_guid came under the same webhook-id"]
        if len(self._known) < REMEMBERED and record["trusted"]:
            self._known[record["message_id"]] = guid
        return []


def _due_answer(record: dict[str, Any]) -> Answer:
    if not record["problems"]:
        return Answer(200)
    return Answer(400 if record["trusted"] else 401, "; ".join(record["problems"]))


def _told(message: _Message) -> dict[str, Any]:
    facts = [jpeg_facts(one.data) for one in message.binary]
    return {
        "event_guid": str(message.event_guid),
        "event_type": message.event_type,
        "event_name": message.event_name,
        "site": message.site,
        "area": message.area,
        "zone": message.zone,
        "timestamp": message.timestamp.isoformat(),
        "device": message.device_info.guid,
        "device_name": message.device_info.name,
        "state": message.state,
        "test": message.test,
        "detections": [one.type for one in message.detections],
        "photos": [
            {"bytes": fact.size, "width": fact.width, "height": fact.height}
            for fact in facts
            if isinstance(fact, JpegFacts)
        ],
    }


def _picture_problems(message: _Message) -> list[str]:
    facts = (jpeg_facts(one.data) for one in message.binary)
    broken = [
        f"photo {n} is no JPEG: {fact.reason}" for n, fact in enumerate(facts, 1) if not isinstance(fact, JpegFacts)
    ]
    return broken + ([] if message.timestamp.tzinfo else ["timestamp has no zone"])


def _standard_problems(headers: Any, body: bytes, keys: Sequence[str], now: float) -> list[str]:
    """Standard Webhooks 1.0.0: identity, freshness, signature over the exact bytes."""
    name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not stamp.isascii() or not stamp.isdigit() or abs(now - int(stamp[:12])) > TIMESTAMP_TOLERANCE_S:
        return ["webhook-timestamp is missing or too far from the time here"]
    signed = f"{name}.{stamp}.".encode() + body
    secrets = (base64.b64decode(key.removeprefix("whsec_")) for key in keys)
    valid = {"v1," + base64.b64encode(_digest(secret, signed)).decode() for secret in secrets}
    shown = headers.get("webhook-signature", "").split(" ")
    return [] if valid & set(shown) else ["webhook-signature fits none of the keys"]


def _digest(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


async def serve(
    listen: str,
    out: Out,
    clock: Clock,
    expected: Expected = NOTHING_EXPECTED,
    answers: Sequence[Answer] = (),
    tls: ssl.SSLContext | None = None,
    started: Callable[[int], None] | None = None,
    always: Answer | None = None,
) -> None:
    """Run a stand-in until cancelled; `started` is told the port. Raises OSError if it cannot listen there."""
    standin = WebhookStandin(listen, out, clock, expected, answers, tls, always)
    await until_cancelled(standin.start, standin.aclose, started)
