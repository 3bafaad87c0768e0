"""Templates, what they may call, and the headers every page carries."""

import re
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from tocsin.api.room import room_of
from tocsin.console.on_test import banners
from tocsin.console.visitor import Visitor, keep_session, parts_of

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
_NAMES = (
    "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS"
)
_CONTROL = re.compile(f"&lt;({'|'.join(_NAMES.split())}|US|DEL|[0-9A-F]{{2}})&gt;")
_LINE_END = re.compile(r'(?<=.)(<b class="ctl">LF</b>)(?=.)', re.DOTALL)


def wire(text: str) -> Markup:
    """Printable bytes with the control bytes set apart; a line feed also ends the line for the eye."""
    marked = _CONTROL.sub(r'<b class="ctl">\1</b>', str(escape(text)))
    return Markup(_LINE_END.sub(r"\1\n", marked))  # noqa: S704 - escaped above


def coded(text: str) -> Markup:
    """A sentence with what is to be typed set apart, as it stands between backticks."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped above


def clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def day(at: datetime) -> str:
    return f"{at.day} {at:%b %Y}"


def utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def exact(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S.%f}"[:-3] + " UTC"


def offset(at: datetime) -> str:
    """`UTC+03:00`."""
    hours = at.strftime("%z")
    return f"UTC{hours[:3]}:{hours[3:5]}"


def took(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else span(round(seconds, -1))


def instant(at: datetime) -> str:
    """For <time datetime>."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def percent(fraction: float) -> str:
    """A length of a drawing."""
    return f"{100 * fraction:.4g}%"


def sure(confidence: float) -> str:
    return f"{confidence:.0%}"


def many(number: int, word: str) -> str:
    """`1 device`, `1,204 devices`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def bytes_(count: int) -> str:
    """`12 kB`, `3.4 MB`."""
    for size, word in ((1_000_000_000, "GB"), (1_000_000, "MB")):
        if count >= size:
            return f"{count / size:.1f} {word}"
    return f"{count / 1000:.0f} kB"


def span(seconds: float) -> str:
    """`90 s`, `5 min`, `25 h`."""
    if seconds < 120:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 7200 else f"{seconds / 3600:g} h"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tocsin.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (wire, clock, day, utc, instant, percent, sure, span, exact, took, offset, many, coded):
        environment.filters[filter_.__name__] = filter_
    environment.filters["bytes"] = bytes_
    return environment


_templates = _environment()


def render(name: str, **values: Any) -> str:
    return _templates.get_template(name).render(values)


def page(request: Request, visitor: Visitor, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page or a fragment for a visitor; renews the session when its time has come."""
    room = room_of(request)
    tests = banners(room, visitor.rights)
    text = render(name, visitor=visitor, gateway=room.gateway.name, tests=tests, **values)
    response = HTMLResponse(text, status, HEADERS)
    if visitor.renew:
        keep_session(response, request, parts_of(request).sessions.renewed(visitor.session))
    return response


def bare_page(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for nobody in particular: login, errors."""
    return HTMLResponse(render(name, gateway=room_of(request).gateway.name, **values), status, HEADERS)
