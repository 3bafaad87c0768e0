"""What an answer over HTTP means when it is not what was asked for. Pure."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tocsin.engine.systems import Misconfigured, NotSupported, ProtocolFault, SystemFault, Unreachable
from tocsin.transports.http import HttpAnswer

_TITLE = re.compile(rb"<title[^>]*>([^<]{1,100})", re.IGNORECASE)


class AccessDenied(SystemFault):
    """This resource is not for this user; the rest may be."""

    status = "degraded"


class TooMany(SystemFault):
    """The server wants fewer requests; it is no less healthy for it."""

    status = "ok"


def said(error: Exception) -> str:
    """A connection's failure, whose remedies speak of stations, told of a system."""
    text = str(error).replace("The station", "Its administrator").replace("the station", "its administrator")
    return text.replace("the receiver is running", "the service is running")


def json_of(answer: HttpAnswer, what: str) -> Any:
    """The answer's JSON. Raises ProtocolFault: also for a web page, such as a login page, in its place."""
    if not answer.complete:
        raise ProtocolFault(f"{what} is longer than 64 MiB, which is not read")
    if answer.body.lstrip()[:1] == b"<":
        title = _TITLE.search(answer.body[:4096])
        name = f" (“{title[1].decode('utf-8', 'replace').strip()}”)" if title else ""
        raise ProtocolFault(
            f"{what} was answered with a web page{name} instead of JSON: something else than XProtect's API Gateway "
            "answers there. Check url, and any proxy or portal on the way"
        )
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProtocolFault(f"{what} was answered with something that is no JSON") from None


def fault_of(answer: HttpAnswer, what: str) -> SystemFault:
    """Why an answer of another status than 200 was given; by classes of connectors.md 3.3 and 4.10."""
    status = answer.status
    if 300 <= status < 400:
        return _elsewhere(answer, what)
    if status == 403:
        return AccessDenied(f"{what} is not for this user (403); give its role the right to read it")
    if status in (400, 404, 405, 501):
        return NotSupported(f"{what} does not exist on this server ({status} {answer.reason})")
    if status == 429:
        return TooMany(f"{what}: the server asks for fewer requests (429)")
    if status in (502, 503, 504):
        return Unreachable(
            f"{what}: the API Gateway answers {status}, so what is behind it does not run. Check the Management Server "
            "and its Identity Provider"
        )
    return ProtocolFault(f"{what} was answered with {status} {answer.reason}")


def _elsewhere(answer: HttpAnswer, what: str) -> SystemFault:
    aim = urlsplit(answer.header("Location"))
    where = f"{aim.scheme}://{aim.netloc}" if aim.netloc else aim.path[:100] or "nowhere"
    return Misconfigured(
        f"{what} is sent on to {where}. Nothing is sent there, because it would carry the login with it; if that is "
        "the API Gateway, set url to it"
    )
