"""Logging in and out."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.room import caller_of
from tocsin.console.looks import bare_page
from tocsin.console.people import TooManyTries
from tocsin.console.sessions import COOKIE
from tocsin.console.visitor import (
    AVisitor,
    form_of,
    keep_session,
    parts_of,
    require_csrf,
    safe_next,
)

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002
    if not parts_of(request).people.anybody:
        return RedirectResponse("/", 303)
    return bare_page(request, "login.html", next=safe_next(next), user="", problem="")


@router.post("/login")
async def log_in(request: Request) -> Response:
    """A foreign page cannot make anyone log in here: the cookie is Lax and the Origin, where sent, must be ours."""
    form = await form_of(request)
    name, back = form.get("name", "")[:100], safe_next(form.get("next", "/"))
    if _foreign(request):
        return _again(request, name, back, "This form was sent by another site.", 403)
    try:
        rights = await parts_of(request).people.log_in(name, form.get("password", "")[:1000], caller_of(request))
    except TooManyTries as error:
        response = _again(request, name, back, _wait(error), 429)
        response.headers["retry-after"] = str(error.wait_s)
        return response
    if rights is None:
        return _again(request, name, back, "Name or password is wrong.", 401)
    response = RedirectResponse(back, 303)
    keep_session(response, request, parts_of(request).sessions.fresh(rights.name))
    return response


def _wait(error: TooManyTries) -> str:
    seconds = "1 second" if error.wait_s == 1 else f"{error.wait_s} seconds"
    if error.elsewhere:
        return (
            f"Many wrong passwords were sent for this name from other addresses. Wait {seconds}, then try again. Where "
            "you have logged in before since the gateway started, you need not wait."
        )
    return (
        f"Too many wrong tries from your address. Wait {seconds}, then try again; until then not even the right "
        "password is looked at."
    )


def _foreign(request: Request) -> bool:
    origin = request.headers.get("origin", "")
    return bool(origin) and origin.partition("://")[2] != request.headers.get("host", "")


def _again(request: Request, name: str, back: str, problem: str, status: int) -> Response:
    return bare_page(request, "login.html", status, next=back, user=name, problem=problem)


@router.post("/logout")
async def log_out(request: Request, visitor: AVisitor) -> Response:
    await require_csrf(request, visitor.session)
    parts_of(request).sessions.revoke(visitor.session)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response
