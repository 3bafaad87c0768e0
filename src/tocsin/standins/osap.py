"""A stand-in OSAP server: checks each message by the published draft's schema, asks for a login, fails on command."""

import base64
import binascii
import hmac
import re
import ssl
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

import msgspec
from aiohttp import web
from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.standins.web_service import Examined, Out, Reply, WebService

MEDIA_TYPE = "application/vnd.osap+json;v=1"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class _Producer(Struct, frozen=True, forbid_unknown_fields=True):
    vendor: str
    product: str
    version: str = ""
    instance_id: str = ""


class _Correlation(Struct, frozen=True, forbid_unknown_fields=True):
    site_id: str = ""
    account_id: str = ""
    area_id: str = ""
    device_id: str = ""
    sensor_id: str = ""
    session_id: str = ""


class _Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    ts: str
    producer: _Producer
    correlation: _Correlation = _Correlation()


class _Event(Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    category: Literal["intrusion", "fire", "system", "tamper", "safety", "aux"]
    code: str
    severity: int
    status: Literal["NEW", "UPDATED", "CLOSED"]
    occurrence_ts: str
    qualifier: Literal["", "ALARM", "RESTORE", "TEST", "TROUBLE", "INFO", "SUPERVISORY"] = ""
    text: str = ""
    vendor_ext: dict[str, Any] = {}


class _Attachment(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    kind: Literal["image", "video", "audio", "document", "metadata"]
    mime_type: str
    encoding: Literal["base64", "none"] = "base64"
    data: str = ""
    url: str = ""
    captured_ts: str = ""
    meta: dict[str, Any] = {}


class _Retry(Struct, frozen=True, forbid_unknown_fields=True):
    attempts: int = 0
    last_error: str = ""


class _Delivery(Struct, frozen=True, forbid_unknown_fields=True):
    retry: _Retry = _Retry()


class _Message(Struct, frozen=True, forbid_unknown_fields=True):
    """The draft's schema allows no members of one's own, anywhere."""

    envelope: _Envelope
    event: _Event
    attachments: list[_Attachment] = []
    delivery: _Delivery = _Delivery()


class Demands(Struct, frozen=True):
    """How clients must log in; all empty: anybody may (or the TLS certificate decides). `sites` empty: all known."""

    api_key: str = ""
    client_id: str = ""
    client_secret: str = ""
    token_life_s: int = 3600
    sites: tuple[str, ...] = ()


NOBODY_ASKED = Demands()


class OsapStandin:
    """The server, with its checks; `web` holds its listening and its misbehaviour. Tokens are given out at /token."""

    def __init__(
        self, listen: str, out: Out, clock: Clock, demands: Demands = NOBODY_ASKED, tls: ssl.SSLContext | None = None
    ) -> None:
        self._clock = clock
        self._demands = demands
        self._tokens: set[str] = set()
        self._known: set[str] = set()
        self.tokens_given = 0
        self.web = WebService(listen, out, self._examined, tls)

    def revoke(self) -> None:
        """No token given out so far is taken any more."""
        self._tokens.clear()

    def _examined(self, request: web.Request, body: bytes) -> Examined:
        told: dict[str, Any] = {
            "station": "osap",
            "at": self._clock.now().isoformat(timespec="milliseconds"),
            "peer": request.remote or "",
            "request": f"{request.method} {request.path}",
        }
        match request.method, request.path:
            case "GET", "/v1/health":
                return Examined(told, _json(200, {"status": "ok", "version": "v1alpha"}))
            case "POST", "/token":
                return Examined(told, self._token(request, body))
            case "POST", "/v1/events":
                return self._event(request, body, told)
        return Examined(told, error(404, "not_found", "no such path"))

    def _event(self, request: web.Request, body: bytes, told: dict[str, Any]) -> Examined:
        if not self._logged_in(request):
            return Examined(told, error(401, "unauthorized", "the login is wrong or missing"))
        if request.headers.get("Content-Type", "") != MEDIA_TYPE:
            return Examined(told, error(415, "unsupported_media_type", f"expected {MEDIA_TYPE}"))
        found, problems = read_message(body)
        told |= found
        name = found.get("id", "")
        if self._demands.sites and found.get("correlation", {}).get("site_id") not in self._demands.sites:
            problems.append("the site is not known")
        if problems:
            return Examined(told | {"problems": problems}, error(400, "bad_request", "; ".join(problems)))
        told |= {"problems": [], "repeat": name in self._known}
        self._known.add(name)
        return Examined(told, accepted(name))

    def _logged_in(self, request: web.Request) -> bool:
        if self._demands.api_key:
            return _same(request.headers.get("X-API-Key", ""), self._demands.api_key)
        if self._demands.client_id:
            return request.headers.get("Authorization", "").removeprefix("Bearer ") in self._tokens
        return True

    def _token(self, request: web.Request, body: bytes) -> Reply:
        """RFC 6749, 4.4: name and secret as HTTP Basic or in the form."""
        form = {name: values[0] for name, values in parse_qs(body.decode("ascii", "replace")).items()}
        name, secret = _basic(request.headers.get("Authorization", ""))
        name, secret = name or form.get("client_id", ""), secret or form.get("client_secret", "")
        if form.get("grant_type") != "client_credentials" or "osap.write" not in form.get("scope", ""):
            return error(400, "invalid_request", "expected client_credentials for osap.write")
        if not (_same(name, self._demands.client_id) and _same(secret, self._demands.client_secret)):
            return error(401, "invalid_client", "name or secret is wrong")
        self.tokens_given += 1
        token = f"token-{self.tokens_given}-of-the-stand-in"
        self._tokens.add(token)
        life = self._demands.token_life_s
        return _json(200, {"access_token": token, "token_type": "Bearer", "expires_in": life})


def read_message(body: bytes) -> tuple[dict[str, Any], list[str]]:
    """What a message says, and what is wrong with it by the draft's schema."""
    try:
        message = msgspec.json.decode(body, type=_Message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return {}, [str(problem)]
    pictures, problems = _pictures(message.attachments)
    times = (message.envelope.ts, message.event.occurrence_ts, *(one.captured_ts for one in message.attachments))
    problems += [f"{one!r} is no time" for one in times if one and not _INSTANT.fullmatch(one)]
    problems += [] if 0 <= message.event.severity <= 10 else ["severity is not 0 to 10"]
    problems += [] if len(message.event.text) <= 2048 else ["text is too long"]
    found: dict[str, Any] = {
        "id": message.envelope.id,
        "producer": msgspec.to_builtins(message.envelope.producer),
        "correlation": msgspec.to_builtins(message.envelope.correlation),
        "event": msgspec.to_builtins(message.event),
        "attempts": message.delivery.retry.attempts,
        "pictures": pictures,
    }
    return found, problems


def _pictures(attachments: list[_Attachment]) -> tuple[list[dict[str, Any]], list[str]]:
    found: list[dict[str, Any]] = []
    problems = []
    for one in attachments:
        if one.encoding == "none":
            problems += [] if one.url else [f"attachment {one.id} has neither data nor url"]
            continue
        try:
            data = base64.b64decode(one.data, validate=True)
        except (binascii.Error, ValueError):
            problems.append(f"attachment {one.id} is no base64")
            continue
        facts = jpeg_facts(data)
        size = {"width": facts.width, "height": facts.height} if isinstance(facts, JpegFacts) else {}
        found.append({"kind": one.kind, "mime_type": one.mime_type, "bytes": len(data), **size})
    return found, problems


def accepted(name: str, **members: Any) -> Reply:
    return _json(202, {"accepted": True, "id": name, **members}, (("OSAP-Accepted-Id", name),))


def error(status: int, word: str, message: str) -> Reply:
    return _json(status, {"error": word, "message": message})


def _json(status: int, members: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, msgspec.json.encode(members), (("Content-Type", "application/json"), *headers))


def _basic(header: str) -> tuple[str, str]:
    try:
        pair = base64.b64decode(header.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    name, _, secret = pair.partition(":")
    return unquote(name), unquote(secret)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
