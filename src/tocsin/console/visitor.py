"""Who looks at the console: recognised on every request, before anything is shown."""

from typing import Annotated
from urllib.parse import parse_qs, quote

from fastapi import Depends, Request
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.access import Rights, local_problem
from tocsin.api.problems import Problem
from tocsin.api.room import Room, caller_of, came_by_https, room_of
from tocsin.api.settings import Scope
from tocsin.console.people import People
from tocsin.console.sessions import COOKIE, Session, Sessions

_SOMEONE_HERE = Rights("console", frozenset({"read", "operate"}))


class ConsoleParts(Struct, frozen=True):
    people: People
    sessions: Sessions


class Visitor(Struct, frozen=True):
    rights: Rights
    session: Session
    csrf: str
    logged_in: bool
    renew: bool


class LoginNeeded(Exception):
    """Shown as the login page."""


def parts_of(request: Request) -> ConsoleParts:
    parts: ConsoleParts = request.app.state.console
    return parts


async def _visitor(request: Request) -> Visitor:
    parts = parts_of(request)
    session = parts.sessions.read(request.cookies.get(COOKIE, ""))
    if not parts.people.anybody:
        return _someone_here(request, parts, session)
    rights = parts.people.rights(session.name) if session else None
    if session is None or rights is None or not rights.may("read"):
        raise LoginNeeded
    return Visitor(rights, session, parts.sessions.csrf(session), True, parts.sessions.stale(session))


def _someone_here(request: Request, parts: ConsoleParts, session: Session | None) -> Visitor:
    problem = local_problem(caller_of(request), request.headers)
    if problem:
        raise Problem(403, f"No console user is configured, so only this machine is served, and {problem}.")
    renew = session is None or session.name != "" or parts.sessions.stale(session)
    known = session if session is not None and session.name == "" else parts.sessions.fresh("")
    return Visitor(_SOMEONE_HERE, known, parts.sessions.csrf(known), False, renew)


async def _operator(request: Request, visitor: Annotated[Visitor, Depends(_visitor)]) -> Visitor:
    """A visitor whose post came from our own page and who may operate."""
    await require_csrf(request, visitor.session)
    require_scope(visitor, "operate")
    return visitor


AVisitor = Annotated[Visitor, Depends(_visitor)]
AnOperator = Annotated[Visitor, Depends(_operator)]


def require_scope(visitor: Visitor, scope: Scope) -> None:
    if not visitor.rights.may(scope):
        raise Problem(403, f"{visitor.rights.name} may look but not act: the scope {scope} is missing.")


async def require_csrf(request: Request, session: Session) -> None:
    """Raises Problem 403 unless the form or the header carries the session's token."""
    given = request.headers.get("x-csrf-token") or (await form_of(request)).get("csrf", "")
    if not parts_of(request).sessions.is_csrf(session, given):
        raise Problem(403, "This page is out of date: load it again, then repeat what you did.")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a small urlencoded form."""
    room: Room = room_of(request)
    async with room.buffers.body(request, 10_000) as body:
        fields = parse_qs(body.decode("latin-1"), keep_blank_values=True, max_num_fields=20)
    return {name: values[-1].encode("latin-1").decode("utf-8", "replace") for name, values in fields.items()}


def keep_session(response: Response, request: Request, session: Session) -> None:
    """A cookie got by https never travels without."""
    cookie, secure = parts_of(request).sessions.cookie(session), came_by_https(request)
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="lax", secure=secure, path="/")


def login_address(request: Request) -> str:
    """Where to log in, and back to from there."""
    back = request.url.path if request.method == "GET" and "hx-request" not in request.headers else "/"
    return "/login" if back == "/" else f"/login?next={quote(back)}"


def safe_next(text: str) -> str:
    """Only a path of ours: never another site."""
    fine = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if fine else "/"
