"""A stand-in Stages signal service: strict about order and required elements, and fails on command."""

import hmac
import re
import ssl
from collections.abc import Sequence
from typing import Any, Literal
from xml.sax.saxutils import escape

from aiohttp import web
from lxml import etree
from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.standins.web_service import Examined, Out, Reply, WebService

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ORDER = (
    "PollMessageFlag", "UserName", "UserPassword", "Receiver", "Line", "Account", "SignalFormat", "SignalCode",
    "Area", "Point", "Date", "Longitude", "Latitude", "TestSignalFlag",
)  # fmt: skip
REQUIRED = ("PollMessageFlag", "Line", "Account", "SignalFormat", "SignalCode", "TestSignalFlag")
_FLAG, _DIGITS = re.compile("true|false"), re.compile("[0-9]+")
_DEGREES = re.compile(r"-?[0-9]{1,3}(\.[0-9]+)?")
_FORMS = {
    "PollMessageFlag": _FLAG,
    "TestSignalFlag": _FLAG,
    "Receiver": _DIGITS,
    "Line": _DIGITS,
    "Account": _DIGITS,
    "Area": _DIGITS,
    "Point": _DIGITS,
    "SignalFormat": re.compile("CID"),
    "SignalCode": re.compile("[ERP][0-9A-F]{3}([0-9A-F]{5})?"),
    "Date": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d\d/\d\d/\d{4} \d\d:\d\d:\d\d"),
    "Longitude": _DEGREES,
    "Latitude": _DEGREES,
}


class Demands(Struct, frozen=True):
    """What is assumed of the service, each a switch. `accounts` empty: every account is known."""

    order: Sequence[str] = ORDER
    required: Sequence[str] = REQUIRED
    namespace: str = "http://tempuri.org/"
    user: str = ""
    password: str = ""
    accounts: Sequence[str] = ()
    result: str = ""


NOTHING_MORE = Demands()


class StagesStandin:
    """The service, with its checks; `web` holds its listening and its misbehaviour."""

    def __init__(
        self,
        listen: str,
        out: Out,
        clock: Clock,
        demands: Demands = NOTHING_MORE,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._clock = clock
        self._demands = demands
        self.web = WebService(listen, out, self._examined, tls)

    def _examined(self, request: web.Request, body: bytes) -> Examined:
        values, problems = read_signal(body, self._demands)
        kind = request.headers.get("Content-Type", "").lower()
        if not re.fullmatch(r"(text/xml|application/soap\+xml); ?charset=utf-8", kind):
            problems.append(f"Content-Type is {kind or 'missing'}")
        if request.method != "POST":
            problems.append(f"{request.method} instead of POST")
        told: dict[str, Any] = {
            "station": "stages",
            "at": self._clock.now().isoformat(timespec="milliseconds"),
            "peer": request.remote or "",
            "path": request.path,
            "signal": {name: value for name, value in values.items() if name != "UserPassword"},
            "problems": problems,
        }
        return Examined(told, fault("Sender", "; ".join(problems)) if problems else accepted(self._demands))


def read_signal(body: bytes, demands: Demands = NOTHING_MORE) -> tuple[dict[str, str], list[str]]:
    """The elements of a signal in the order they came, and what is wrong with it."""
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        return {}, [f"no XML: {error}"]
    signals = root.findall(f"{{{SOAP}}}Body/{{{demands.namespace}}}Signal")
    if root.tag != f"{{{SOAP}}}Envelope" or len(signals) != 1:
        return {}, ["no SOAP 1.2 envelope with one Signal"]
    names = [etree.QName(child).localname for child in signals[0]]
    values = {name: child.text or "" for name, child in zip(names, signals[0], strict=True)}
    strangers = [etree.QName(one).localname for one in signals[0] if etree.QName(one).namespace != demands.namespace]
    problems = [f"{name} is of another namespace" for name in strangers]
    return values, problems + _order_problems(names, demands) + _value_problems(values, demands)


def _order_problems(names: Sequence[str], demands: Demands) -> list[str]:
    problems = [f"{name} is not known" for name in names if name not in demands.order]
    problems += [f"{name} comes twice" for name in set(names) if names.count(name) > 1]
    known = [name for name in names if name in demands.order]
    if known != sorted(known, key=list(demands.order).index):
        problems.append(f"the order is {', '.join(known)}; expected {', '.join(demands.order)}")
    return problems + [f"{name} is missing" for name in demands.required if name not in names]


def _value_problems(values: dict[str, str], demands: Demands) -> list[str]:
    problems = [f"{name} is empty" for name, value in values.items() if not value]
    for name, value in values.items():
        if value and name in _FORMS and not _FORMS[name].fullmatch(value):
            problems.append(f"{name} is {value!r}")
    if demands.user and not (
        hmac.compare_digest(values.get("UserName", "").encode(), demands.user.encode())
        and hmac.compare_digest(values.get("UserPassword", "").encode(), demands.password.encode())
    ):
        problems.append("user or password is wrong")
    if demands.accounts and values.get("Account") not in demands.accounts:
        problems.append(f"account {values.get('Account')} is not known")
    return problems


def accepted(demands: Demands = NOTHING_MORE) -> Reply:
    result = f"<SignalResult>{escape(demands.result)}</SignalResult>" if demands.result else ""
    return _soap(200, f'<SignalResponse xmlns="{escape(demands.namespace)}">{result}</SignalResponse>')


def fault(code: Literal["Sender", "Receiver"], reason: str) -> Reply:
    """A SOAP 1.2 fault with the HTTP status that belongs to it."""
    text = f'<soap:Reason><soap:Text xml:lang="en">{escape(reason)}</soap:Text></soap:Reason>'
    body = f"<soap:Fault><soap:Code><soap:Value>soap:{code}</soap:Value></soap:Code>{text}</soap:Fault>"
    return _soap(400 if code == "Sender" else 500, body)


def _soap(status: int, content: str) -> Reply:
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP}"><soap:Body>{content}</soap:Body>'
        "</soap:Envelope>"
    )
    return Reply(status, text.encode(), (("Content-Type", "text/xml; charset=utf-8"),))
