"""Hangs the console onto the REST application."""

from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from tocsin.api.problems import Problem, problem_for
from tocsin.api.views import API
from tocsin.console import acts, commands, devices, door, evidence, link, live, pages, systems
from tocsin.console.looks import bare_page
from tocsin.console.visitor import ConsoleParts, LoginNeeded, login_address
from tocsin.engine.contracts import IntakeClosed, Refused
from tocsin.store.contract import StoreUnavailable


class _Files(StaticFiles):
    """Files whose names change with their content may be kept; ours are asked for again by their ETag."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"
        response.headers["x-content-type-options"] = "nosniff"
        return response


def attach(app: FastAPI, parts: ConsoleParts) -> None:
    """Serve the console at `/` of an application made by `create_app`."""
    app.state.console = parts
    for module in (pages, devices, systems, evidence, commands, live, acts, door, link):
        app.include_router(module.router)
    app.mount("/static", _Files(directory=str(files("tocsin.console") / "static")), "static")
    for kind in (Problem, Refused, IntakeClosed, StoreUnavailable, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _shown)
    app.add_exception_handler(LoginNeeded, _login)


async def _shown(request: Request, error: Exception) -> Response:
    """An error as a page for people, as a sentence for htmx, as a problem document for programs."""
    problem = problem_for(request, error)
    if "hx-request" in request.headers:
        return Response(problem.detail, problem.status, {"cache-control": "no-store"}, "text/plain")
    if request.url.path.startswith(f"{API}/") or "text/html" not in request.headers.get("accept", ""):
        return problem.response()
    return bare_page(request, "error.html", problem.status, problem=_for_people(problem, error))


def _for_people(problem: Problem, error: Exception) -> Problem:
    """They came by a link, and with a name instead of a token."""
    if problem.status == 404 and isinstance(error, HTTPException):
        return Problem(404, "There is no such page.")
    return Problem(problem.status, problem.detail.replace("this token may", "you may"))


async def _login(request: Request, error: Exception) -> Response:
    if "hx-request" in request.headers:
        return Response("Log in again.", 401, {"hx-redirect": "/login", "cache-control": "no-store"}, "text/plain")
    if "text/html" not in request.headers.get("accept", ""):
        return Problem(401, "Log in at the console first.").response()
    return RedirectResponse(login_address(request), 303)
