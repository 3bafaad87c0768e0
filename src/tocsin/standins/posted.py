"""Stand-ins of stations that take one POST per event: Patriot's JSON service, SureView Ops, Sentinel's XML Event
Processor. Each checks what is published or assumed of it and fails on command.
"""

import base64
import hmac
import re
import ssl
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from aiohttp import web
from lxml import etree
from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.standins.web_service import Examined, Out, Reply, WebService

Kind = Literal["patriot-api", "sureview-http", "sentinel-xml"]
_SENTINEL_ORDER = ("DeviceID", "Code", "Area", "Zone", "DateTime", "Text", "URL")
_SENTINEL_FORMS = {
    "DeviceID": re.compile("[0-9A-Za-z]{1,32}"),
    "Code": re.compile("[ERP][0-9A-F]{3}"),
    "DateTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
}


class _Signal(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """receivers.md 4.2; names are unconfirmed."""

    client_no: str
    raw_data: str
    type_no: int | None = None
    zone_user: int | None = None
    media: str = "url:"


class _Alarm(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """receivers.md 5.2, published."""

    system_identifier: str
    text: str = ""
    location: str = "0,0"
    response_code: str = ""
    event_code: str = ""


class Demands(Struct, frozen=True):
    """`user` and `password` by HTTP Basic, `key` as SureView takes it; empty: not asked for. `accounts` empty: all."""

    user: str = ""
    password: str = ""
    key: str = ""
    accounts: tuple[str, ...] = ()


NOTHING_ASKED = Demands()


class PostedStandin:
    """One of them, with its checks; `web` holds its listening and its misbehaviour."""

    def __init__(
        self,
        kind: Kind,
        listen: str,
        out: Out,
        clock: Clock,
        demands: Demands = NOTHING_ASKED,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._kind = kind
        self._clock = clock
        self._demands = demands
        self.web = WebService(listen, out, self._examined, tls)

    def _examined(self, request: web.Request, body: bytes) -> Examined:
        told: dict[str, Any] = {
            "station": self._kind,
            "at": self._clock.now().isoformat(timespec="milliseconds"),
            "peer": request.remote or "",
            "request": f"{request.method} {request.path}",
        }
        if not self._logged_in(request):
            return Examined(told | {"problems": ["the login is wrong or missing"]}, Reply(401))
        account, said, problems = READERS[self._kind](body)
        wanted = "text/xml; charset=utf-8" if self._kind == "sentinel-xml" else "application/json"
        if not request.headers.get("Content-Type", "").startswith(wanted):
            problems.append(f"Content-Type is not {wanted}")
        if self._demands.accounts and account not in self._demands.accounts:
            problems.append(f"{account} is not known")
        text = "; ".join(problems).encode("utf-8", "replace")
        return Examined(
            told | {"said": said, "problems": problems}, Reply(400, text) if problems else Reply(200, b"ok")
        )

    def _logged_in(self, request: web.Request) -> bool:
        given, demands = request.headers.get("Authorization", ""), self._demands
        wanted = ""
        if demands.user:
            wanted = "Basic " + base64.b64encode(f"{demands.user}:{demands.password}".encode()).decode()
        elif demands.key:
            wanted = base64.b64encode(demands.key.encode()).decode()
        return not wanted or hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


Read = tuple[str, dict[str, Any], list[str]]
"""The account, what was said, and what is wrong with it."""


def read_patriot(body: bytes) -> Read:
    try:
        signal = msgspec.json.decode(body, type=_Signal)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return "", {}, [str(error)]
    client = re.fullmatch(r"([0-9A-Za-z]{1,16})(-[0-9A-Za-z]+)?", signal.client_no)
    problems = [] if client else [f"clientNo is {signal.client_no!r}"]
    for name, number in (("typeNo", signal.type_no), ("zoneUser", signal.zone_user)):
        if number is not None and not 0 <= number <= 65_000:
            problems.append(f"{name} is {number}")
    if not re.fullmatch(r"url:[\x21-\x7e]*", signal.media):
        problems.append(f"media is {signal.media!r}")
    return client[1] if client else "", msgspec.json.decode(body), problems


def read_sureview(body: bytes) -> Read:
    try:
        alarm = msgspec.json.decode(body, type=_Alarm)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return "", {}, [str(error)]
    problems = [] if alarm.system_identifier else ["systemIdentifier is empty"]
    if not re.fullmatch(r"-?\d+(\.\d+)?,-?\d+(\.\d+)?", alarm.location):
        problems.append(f"location is {alarm.location!r}")
    return alarm.system_identifier, msgspec.json.decode(body), problems


def read_sentinel(body: bytes) -> Read:
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        return "", {}, [f"no XML: {error}"]
    names = [str(child.tag) for child in root]
    values = {str(child.tag): child.text or "" for child in root}
    problems = [] if root.tag == "Event" else ["no Event"]
    known = [name for name in _SENTINEL_ORDER if name in names]
    if names != known:
        problems.append(f"the elements are {', '.join(names)}")
    problems += [f"{name} is missing" for name in ("DeviceID", "Code", "DateTime", "Text") if name not in names]
    forms = ((name, value) for name, value in values.items() if name in _SENTINEL_FORMS)
    problems += [f"{name} is {value!r}" for name, value in forms if not _SENTINEL_FORMS[name].fullmatch(value)]
    return values.get("DeviceID", ""), values, problems


READERS: dict[Kind, Callable[[bytes], Read]] = {
    "patriot-api": read_patriot,
    "sureview-http": read_sureview,
    "sentinel-xml": read_sentinel,
}
