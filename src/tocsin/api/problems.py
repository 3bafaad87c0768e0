"""Errors as problem documents (RFC 9457): plain English, with the place where the request went wrong."""

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from tocsin.engine.contracts import IntakeClosed, Refused
from tocsin.store.contract import StoreUnavailable
from tocsin.telemetry.occurrences import TaskFailed
from tocsin.telemetry.record import Recorder

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error. `field` is the place in the body or the parameter, `line` the line of the body, both from 1."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    field: str = ""
    line: int = 0


class Problem(Exception):
    """An answer other than success: its status, and a sentence that says what to do."""

    def __init__(
        self, status: int, detail: str, *, field: str = "", line: int = 0, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.line = line
        self.headers = dict(headers or {})

    def response(self) -> Response:
        document = ProblemDocument(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            field=self.field,
            line=self.line,
        )
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **self.headers}
        return Response(msgspec.json.encode(document), self.status, headers, MEDIA_TYPE)


def not_found(what: str) -> Problem:
    return Problem(404, f"There is no {what} here, or this token may not see it.")


def unavailable(reason: str) -> Problem:
    why = (reason or "nothing can be kept at the moment").rstrip(".")
    detail = f"{why}. Nothing of this request was kept: send it again."
    return Problem(503, detail, headers={"retry-after": str(RETRY_AFTER_S)})


def problem_of(error: Exception) -> Problem:
    """The problem an expected exception stands for."""
    match error:
        case Problem():
            return error
        case Refused():
            return Problem(422, str(error))
        case IntakeClosed() | StoreUnavailable():
            return unavailable(str(error))
        case RequestValidationError():
            return _parameter_problem(error.errors())
        case HTTPException():
            return Problem(error.status_code, _http_detail(error), headers=error.headers)
    raise error


def _parameter_problem(errors: Any) -> Problem:
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return Problem(422, f"The parameter {field} cannot be used: {first['msg']}.", field=field)


def _http_detail(error: HTTPException) -> str:
    if error.status_code == 404:
        return "There is nothing at this path. /openapi.json lists what there is."
    if error.status_code == 405:
        return "This path does not know this method."
    return str(error.detail)


def problem_for(request: Request, error: Exception) -> Problem:
    """`problem_of` with what only the request knows: a path of several routes allows the methods of all of them."""
    problem = problem_of(error)
    if problem.status == 405:
        problem.headers = {"allow": ", ".join(_methods(request))}
    return problem


def _methods(request: Request) -> list[str]:
    asked = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    routes = request.app.routes
    return [name for name in _METHODS if any(_knows(route, {**asked, "method": name}) for route in routes)]


def _knows(route: BaseRoute, asked: Scope) -> bool:
    return route.matches(asked)[0] is Match.FULL


def install(app: FastAPI, record: Recorder) -> None:
    """Make every error of `app` a problem document; an unexpected one is recorded with its trace."""

    async def expected(request: Request, error: Exception) -> Response:
        return problem_for(request, error).response()

    async def unexpected(request: Request, error: Exception) -> Response:
        where = f"{request.method} {request.url.path}"
        trace = "".join(traceback.format_exception(error))
        record(TaskFailed(task=f"api {where}", error=repr(error), trace=trace, restart_in_s=0.0))
        return Problem(500, "The gateway failed to answer this request; its log has the details.").response()

    for kind in (Problem, Refused, IntakeClosed, StoreUnavailable, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, expected)
    app.add_exception_handler(Exception, unexpected)
