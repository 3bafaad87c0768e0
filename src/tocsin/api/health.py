"""For supervisors, load balancers and Prometheus: alive, ready, healthy, metrics."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from tocsin import __version__
from tocsin.api.problems import Problem
from tocsin.api.room import Room, TheRoom, answer, rights_of

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ASKED = ["GET", "HEAD"]


def health_router(metrics: Callable[[], Awaitable[bytes]]) -> APIRouter:
    """Routes outside /api. `metrics` gives the exposition text."""
    router = APIRouter(tags=["health"], include_in_schema=False)

    @router.api_route("/livez", methods=_ASKED)
    async def livez() -> Response:
        return PlainTextResponse("alive\n")

    @router.api_route("/readyz", methods=_ASKED)
    async def readyz(room: TheRoom) -> Response:
        ready, reason = room.gateway.ready()
        return answer({"ready": ready, "reason": reason}, 200 if ready else 503)

    @router.api_route("/healthz", methods=_ASKED)
    async def healthz(request: Request, room: TheRoom) -> Response:
        ready, reason = room.gateway.ready()
        shown = _details_shown(request)
        return answer(_health(room, ready, reason if shown else "", shown), 200 if ready else 503)

    @router.api_route("/metrics", methods=_ASKED)
    async def metrics_text() -> Response:
        return Response(await metrics(), media_type=METRICS_TYPE)

    return router


def _details_shown(request: Request) -> bool:
    """Reasons name hosts and accounts: shown with a token that may read, or to this machine while there is none."""
    try:
        rights_of(request, "read")
    except Problem:
        return False
    return True


def _health(room: Room, ready: bool, reason: str, shown: bool) -> dict[str, object]:
    components = room.gateway.components()
    everything = all(component.ok for component in components)
    return {
        "status": ("ok" if everything else "degraded") if ready else "failing",
        "reason": reason,
        "gateway": room.gateway.name,
        "version": __version__,
        "access": "open on this machine only: no token is configured" if room.access.open else "tokens",
        "components": [
            {
                "name": component.name,
                "kind": component.kind,
                "ok": component.ok,
                "detail": component.detail if shown else "",
            }
            for component in components
        ],
    }
