"""OpenAPI made from the same msgspec types that read requests and write answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tocsin.api import views
from tocsin.api.bodies import JSON, MULTIPART, NDJSON
from tocsin.api.problems import MEDIA_TYPE, ProblemDocument
from tocsin.engine.submission import EventIn, EventPatch

_REF = "#/components/schemas/{name}"
_PROBLEMS = {
    400: "The body cannot be read.",
    401: "No token, or one that is not known.",
    403: "The token may not do this.",
    404: "Not there, or not visible for this token.",
    408: "The body did not arrive in time.",
    409: "Not possible in the present state.",
    413: "Too large.",
    415: "A content type that is not taken here.",
    422: "Readable, but it cannot be used; `field` or `line` names the place.",
    429: "Too much at once: come again after Retry-After seconds.",
    503: "Nothing can be kept at the moment: come again after Retry-After seconds.",
}
_READING = (401, 403, 404, 422, 429, 503)
_WRITING = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503)


def ref(kind: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def json_of(*kinds: type) -> dict[str, Any]:
    schema = ref(kinds[0]) if len(kinds) == 1 else {"anyOf": [ref(kind) for kind in kinds]}
    return {JSON: {"schema": schema}}


EVENT_BODIES: Mapping[str, Any] = {
    **json_of(EventIn),
    MULTIPART: {
        "schema": {
            "type": "object",
            "required": ["event"],
            "properties": {
                "event": ref(EventIn),
                "photo": {"type": "array", "items": {"type": "string", "format": "binary"}},
            },
        },
        "encoding": {"event": {"contentType": JSON}, "photo": {"contentType": "image/jpeg"}},
    },
    NDJSON: {"schema": {"type": "string", "description": "One event per line, without photos."}},
}
PHOTO_BODIES: Mapping[str, Any] = {
    MULTIPART: {
        "schema": {
            "type": "object",
            "required": ["photo"],
            "properties": {"photo": {"type": "array", "items": {"type": "string", "format": "binary"}}},
        },
        "encoding": {"photo": {"contentType": "image/jpeg"}},
    },
}


def described(
    summary: str,
    ok: Mapping[str, Any] | type | None,
    status: int = 200,
    bodies: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Arguments of a route: what it takes and answers, as OpenAPI. `ok`: the type of its JSON, or media types."""
    content = json_of(ok) if isinstance(ok, type) else ok
    good: dict[str, Any] = {"description": summary}
    if content:
        good["content"] = content
    responses: dict[int | str, Any] = {status: good}
    problems = _WRITING if bodies is not None else _READING
    responses.update({code: _problem(code) for code in problems})
    extra = {"requestBody": {"required": True, "content": dict(bodies)}} if bodies else {}
    return {
        "summary": summary,
        "status_code": status,
        "responses": responses,
        "openapi_extra": extra,
        "response_model": None,
    }


def _problem(code: int) -> dict[str, Any]:
    return {"description": _PROBLEMS[code], "content": {MEDIA_TYPE: {"schema": ref(ProblemDocument)}}}


def install(app: FastAPI, kinds: Sequence[type]) -> None:
    """Let /openapi.json tell what `described` said, with the schemas of all `kinds`."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, kinds)
        return app.openapi_schema

    app.openapi = made  # type: ignore[method-assign]


def _document(app: FastAPI, kinds: Sequence[type]) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _, schemas = msgspec.json.schema_components([*kinds, ProblemDocument], ref_template=_REF)
    components = document.setdefault("components", {})
    components["schemas"] = schemas
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    return document


VIEWS: tuple[type, ...] = (
    EventIn,
    EventPatch,
    views.TakenView,
    views.BulkView,
    views.EventView,
    views.EventPage,
    views.PhotosView,
    views.TraceView,
    views.DeliveryView,
    views.DeliveryPage,
    views.DestinationView,
    views.DestinationList,
)
