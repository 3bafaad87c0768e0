"""The stand-in put together: it listens, and does on command what happens at a real site."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tocsin.engine.contracts import Clock
from tocsin.standins.milestone.events import Events
from tocsin.standins.milestone.gateway import Gateway
from tocsin.standins.milestone.recorder import Recorder
from tocsin.standins.milestone.site import (
    ERROR,
    HARDWARE_ERROR,
    HARDWARE_STARTED,
    INPUT_ACTIVATED,
    INPUT_DEACTIVATED,
    MOTION_STARTED,
    MOTION_STOPPED,
    RECORDER_ERROR,
    RECORDER_STARTED,
    STARTED,
    Plan,
    Site,
    identity,
)
from tocsin.standins.milestone.switches import Assumptions, Login
from tocsin.standins.serving import until_cancelled
from tocsin.standins.web_service import WebListener

Out = Callable[[dict[str, Any]], None]
CONTROL = "/standin/"
BODY_LIMIT = 1024 * 1024


class MilestoneStandin:
    """Listens on `host:port` (port 0: any free one) and on another port as recording server.

    What happens at the site is commanded by `POST /standin/<order>/<number>`: unplug, plug, unplug-box, plug-box,
    unplug-recorder, plug-recorder, motion, still, input, input-off, remove, drop, forget, revoke; see `happens`.
    """

    def __init__(
        self,
        listen: str,
        out: Out,
        clock: Clock,
        plan: Plan = Plan(),  # noqa: B008  (frozen)
        login: Login = Login(),  # noqa: B008
        assumptions: Assumptions = Assumptions(),  # noqa: B008
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._out = out
        self.site = Site(plan)
        self.gateway = Gateway(self.site, login, assumptions, clock, out)
        self.events = Events(self.site, assumptions, clock, out)
        self.recorder = Recorder(self.gateway.opens, self.gateway.lasts, assumptions, out)
        self._listener = WebListener(listen, self._handle, tls, BODY_LIMIT, patience_s=0.2)

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError."""
        port = await self._listener.start()
        self.gateway.recorder = ("http", self._listener.host, await self.recorder.start(self._listener.host, 0))
        return port

    async def aclose(self) -> None:
        await self.recorder.aclose()
        await self.events.drop()
        await self._listener.aclose()

    async def serve(self, started: Callable[[int], None] | None = None) -> None:
        """Run until cancelled; `started` is told the port. Raises OSError if it cannot listen there."""
        await until_cancelled(self.start, self.aclose, started)

    async def happens(self, order: str, number: int) -> bool:
        """`unplug` and `plug` a camera, `unplug-box` and `plug-box` a box, `unplug-recorder` and `plug-recorder` the
        recording server, `motion` and `still` at a camera, `input` and `input-off` at a box, `remove` a camera, `drop`
        all WebSockets, `forget` their sessions too, `revoke` all tokens. False: there is no such order or number.
        """
        orders: dict[str, Callable[[], Any]] = {
            "revoke": self.gateway.revoke,
            "remove": lambda: self.site.remove(number),
        }
        changes = {
            "unplug": ("cameras", ERROR), "plug": ("cameras", STARTED),
            "unplug-recorder": ("recordingServers", RECORDER_ERROR),
            "plug-recorder": ("recordingServers", RECORDER_STARTED),
            "unplug-box": ("hardware", HARDWARE_ERROR), "plug-box": ("hardware", HARDWARE_STARTED),
        }  # fmt: skip
        events = {
            "motion": ("cameras", MOTION_STARTED), "still": ("cameras", MOTION_STOPPED),
            "input": ("inputEvents", INPUT_ACTIVATED), "input-off": ("inputEvents", INPUT_DEACTIVATED),
        }  # fmt: skip
        if order in changes:
            return await self._changes(*changes[order], number)
        if order in events:
            return await self._tells(*events[order], number)
        if order in ("drop", "forget"):
            await self.events.drop(forget=order == "forget")
        elif order in orders:
            orders[order]()
        else:
            return False
        return True

    async def _changes(self, resource: str, event_type: str, number: int) -> bool:
        keys = {"cameras": identity("camera", number), "hardware": identity("box", number)}
        key = keys.get(resource, self.site.recorder)
        if f"{resource}/{key}" not in self.site.states:
            return False
        event = self.site.happened(f"{resource}/{key}", event_type, datetime.now(UTC))
        self.gateway.stored.append(event)
        await self.events.push(event)
        return True

    async def _tells(self, resource: str, event_type: str, number: int) -> bool:
        items = {"cameras": self.site.cameras, "inputEvents": self.site.inputs}[resource]
        key = identity({"cameras": "camera", "inputEvents": "input"}[resource], number)
        if not any(item["id"] == key for item in items):
            return False
        event = self.site.told(f"{resource}/{key}", event_type, datetime.now(UTC))
        self.gateway.stored.append(event)
        await self.events.push(event)
        return True

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            order, _, number = request.path.removeprefix(CONTROL).partition("/")
            self._out({"order": order, "number": number})
            done = request.method == "POST" and await self.happens(order, int(number) if number.isdecimal() else 0)
            return web.Response(status=204 if done else 404)
        if request.path.lower() == "/api/ws/events/v1":
            if not self.gateway.admits(request):
                return web.Response(status=401)
            struck = self.gateway.struck(request)
            return (
                await self.events.handle(request) if struck is None else await self.gateway.fails(request, struck.how)
            )
        return await self.gateway.handle(request)
