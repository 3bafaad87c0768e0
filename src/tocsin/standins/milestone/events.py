"""The stand-in's Events and State WebSocket: sessions, subscriptions, states; a malformed command ends it."""

import contextlib
import uuid
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from aiohttp import WSMsgType, web
from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.standins.milestone.site import STARTED, Site, state
from tocsin.standins.milestone.switches import Assumptions

RESUME_S = 30.0


class _Filter(Struct, frozen=True, forbid_unknown_fields=True):
    modifier: Literal["include", "exclude"]
    resourceTypes: list[str]
    sourceIds: list[str]
    eventTypes: list[str]


class _Command(Struct, frozen=True, forbid_unknown_fields=True):
    command: Literal["startSession", "addSubscription", "removeSubscription", "getState"]
    commandId: int
    sessionId: str | None = None
    eventId: str | None = None
    filters: list[_Filter] | None = None
    subscriptionId: str | None = None


class _Session:
    def __init__(self) -> None:
        self.id = str(uuid.uuid4())
        self.filters: list[_Filter] = []
        self.sent: list[dict[str, Any]] = []
        self.socket: web.WebSocketResponse | None = None
        self.left_at = 0.0

    def wants(self, event: dict[str, Any]) -> bool:
        resource = event["source"].partition("/")[0]
        return any(resource in one.resourceTypes and event["type"] in one.eventTypes for one in self.filters)

    def after(self, event_id: str) -> list[dict[str, Any]]:
        """Events that were not seen yet, given the last that was."""
        ids = [event["id"] for event in self.sent]
        return self.sent[ids.index(event_id) + 1 :] if event_id in ids else self.sent


class Events:
    """`padding` adds so many bytes to the answer of `getState`."""

    def __init__(
        self, site: Site, assumptions: Assumptions, clock: Clock, out: Callable[[dict[str, Any]], None]
    ) -> None:
        self.assumptions = assumptions
        self.padding = 0
        self._site = site
        self._clock = clock
        self._out = out
        self._sessions: dict[str, _Session] = {}

    def subscribed(self, resource: str) -> list[str]:
        """The sessions that are told events of such resources."""
        return [
            one.id for one in self._sessions.values() if any(resource in each.resourceTypes for each in one.filters)
        ]

    async def push(self, event: dict[str, Any]) -> None:
        """To every session that subscribed to it; kept for those that are away."""
        for session in list(self._sessions.values()):
            if session.wants(event):
                session.sent.append(event)
                if session.socket is not None and not session.socket.closed:
                    await _send(session.socket, {"events": [event]})

    async def drop(self, forget: bool = False) -> None:
        """Cut all sockets, as when the gateway's worker is recycled; `forget` loses the sessions too."""
        for session in list(self._sessions.values()):
            if session.socket is not None:
                await session.socket.close(code=1001)
        if forget:
            self._sessions.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """After the token was looked at."""
        if self.assumptions.events == "absent":
            return web.Response(status=404)
        if self.assumptions.events == "down":
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=False, max_msg_size=65536)
        await socket.prepare(request)
        session: _Session | None = None
        try:
            async for message in socket:
                if message.type is WSMsgType.PING:
                    await self._pong(socket, message.data)
                elif message.type is WSMsgType.TEXT:
                    session = await self._command(socket, session, message.data)
        except ValueError as error:
            self._out({"command": "", "why": f"malformed: {error}"})
            await socket.close(code=1008)
        finally:
            if session is not None and session.socket is socket:
                session.socket, session.left_at = None, self._clock.monotonic()
        return socket

    async def _pong(self, socket: web.WebSocketResponse, data: bytes) -> None:
        if self.assumptions.pongs:
            await socket.pong(data)

    async def _command(self, socket: web.WebSocketResponse, session: _Session | None, data: str) -> _Session:
        """Raises ValueError for a malformed command."""
        command = msgspec.json.decode(data, type=_Command)
        self._out({"command": command.command, "session": command.sessionId or ""})
        if command.command == "startSession":
            return await self._start(socket, command)
        if session is None:
            raise ValueError("startSession comes first")
        if self.assumptions.pushed_between:
            await _send(socket, {"events": [self._other_event(session)]})
        await _send(socket, {"commandId": command.commandId, **self._answer(session, command)})
        return session

    async def _start(self, socket: web.WebSocketResponse, command: _Command) -> _Session:
        if command.sessionId is None or command.eventId is None:
            raise ValueError("startSession needs sessionId and eventId")
        session = self._sessions.get(command.sessionId)
        known = session is not None and (
            session.socket is not None or self._clock.monotonic() - session.left_at < RESUME_S
        )
        if session is None or not known:
            session = _Session()
            self._sessions[session.id] = session
        session.socket = socket
        answer = {"commandId": command.commandId, "status": 200 if known else 201, "sessionId": session.id}
        await _send(socket, answer)
        if known:
            for event in session.after(command.eventId):
                await _send(socket, {"events": [event]})
        return session

    def _answer(self, session: _Session, command: _Command) -> dict[str, Any]:
        if command.command == "addSubscription":
            if not command.filters:
                return {"status": 400, "error": {"errorText": "Invalid filter"}}
            session.filters += command.filters
            return {"status": 200, "subscriptionId": str(uuid.uuid4())}
        if command.command == "removeSubscription":
            session.filters.clear()
            return {"status": 200}
        states = [one for one in self._site.current() if session.wants(one) and self._told_of(one)]
        if self.padding:
            states.append({**state("cameras/none", STARTED, ""), "filler": "x" * self.padding})
        return {"status": 200, "states": states}

    def _told_of(self, one: dict[str, Any]) -> bool:
        hidden = {
            "hardware": not self.assumptions.hardware_states,
            "recordingServers": not self.assumptions.recorder_states,
        }
        return not hidden.get(one["source"].partition("/")[0], False)

    def _other_event(self, session: _Session) -> dict[str, Any]:
        camera = self._site.cameras[0]["id"]
        event_type, at = self._site.states[f"cameras/{camera}"]
        event = {**state(f"cameras/{camera}", event_type, at), "id": str(uuid.uuid4())}
        session.sent.append(event)
        return event


async def _send(socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
    """A socket that is closing hears no more; what it missed is kept with its session."""
    with contextlib.suppress(ConnectionError, RuntimeError):
        await socket.send_str(msgspec.json.encode(message).decode())
