"""The session with the Events and State service: subscribe, follow, resume (connectors.md 4.6, 2.5)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import aiohttp

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import LoginRefused, NotSupported, ProtocolFault, SystemFault, Unreachable
from tocsin.model.inventory import FoundState, Marker
from tocsin.systems.milestone.answers import fault_of, said
from tocsin.systems.milestone.event_socket import PING_S, EventSocket, accepted
from tocsin.systems.milestone.joining import CHANNELS, Topology
from tocsin.systems.milestone.resources import EventType, read_item
from tocsin.systems.milestone.rest import Rest
from tocsin.systems.milestone.session import Session
from tocsin.systems.milestone.states import (
    MEANINGS,
    Meaning,
    Standing,
    heals,
    meanings_with,
    snapshot_of,
    states_of,
)
from tocsin.transports.contract import TransportError
from tocsin.transports.web import WebServer

PATH = "/api/ws/events/v1"
OPEN_DEADLINE_S = 15.0
COMMAND_DEADLINE_S = 30.0
PAUSES_S = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
HEAL_AFTER_S = 10.0
"""Boxes often come back many at once, and a baseline of a large site takes minutes."""
STEADY_S = 60.0
"""A socket that stood this long was no failure: one reconnects at once, as after the server's daily recycling."""


class StateStream:
    """Follows the states of devices of these kinds. `topology` is what the last inventory found."""

    def __init__(
        self, server: WebServer, session: Session, rest: Rest, clock: Clock, zone: str, kinds: Collection[str]
    ) -> None:
        self._server = server
        self._session = session
        self._rest = rest
        self._clock = clock
        self._zone = zone
        self._kinds = kinds
        self._meanings: Mapping[str, Meaning] | None = None
        self._session_id = ""
        self._last_event = ""
        self._socket: EventSocket | None = None
        self._failures = 0
        self.topology = Topology()
        self.state_timeout_s = 180.0

    async def states(self) -> AsyncIterator[FoundState | Marker]:
        """Until cancelled. Raises LoginRefused, and NotSupported where this server has no such service."""
        blind = False
        while True:
            try:
                marker = await self._begin()
                opened_at = self._clock.monotonic()
                blind = False
                yield marker
                yield "live"
                async for state in self._followed():
                    yield state
            except (LoginRefused, NotSupported):
                raise
            except SystemFault:
                if self._socket is None:
                    if not blind:
                        blind = True
                        yield "blind"
                elif self._clock.monotonic() - opened_at > STEADY_S:
                    self._failures = 0
            finally:
                await self.aclose()
            await asyncio.sleep(PAUSES_S[min(self._failures, len(PAUSES_S) - 1)])
            self._failures += 1

    async def baseline(self) -> Sequence[FoundState]:
        """What `getState` says now: over the socket that stands, otherwise over one of its own. Raises SystemFault."""
        if self._socket is not None:
            frame = await self._state_frame(self._socket)
        else:
            async with contextlib.aclosing(await self.open()) as own:
                await start_session(own, "", "")
                await self._subscribe(own)
                frame = await self._state_frame(own)
        meanings, topology = self._meanings or MEANINGS, self.topology
        return await asyncio.to_thread(snapshot_of, frame, meanings, topology, self._zone, self._kinds)

    async def probe(self) -> None:
        """Open the socket and a session, and leave again. Raises SystemFault."""
        async with contextlib.aclosing(await self.open()) as own:
            await start_session(own, "", "")

    async def _begin(self) -> Marker:
        """Resumed or new is what the server says, never what was asked for."""
        socket = await self.open()
        try:
            status, self._session_id = await start_session(socket, self._session_id, self._last_event)
            if status == 201:
                self._last_event = ""
                await self._subscribe(socket)
        except BaseException:
            await socket.aclose()
            raise
        self._socket = socket
        return "new_session" if status == 201 else "resumed"

    async def _followed(self) -> AsyncIterator[FoundState | Marker]:
        """Ends by raising Unreachable. Asks for a baseline some time after a box or recording server came back."""
        assert self._socket is not None
        heal_at: float | None = None
        while True:
            try:
                async with asyncio.timeout(None if heal_at is None else heal_at - self._clock.monotonic()):
                    events = await self._socket.next_events()
            except TimeoutError:
                heal_at = None
                yield "new_session"
                yield "live"
                continue
            for one in events:
                for state in states_of(one, self._meanings or MEANINGS, self.topology, self._zone, "event"):
                    if heal_at is None and heals(state):
                        heal_at = self._clock.monotonic() + HEAL_AFTER_S
                    if state.kind in self._kinds:
                        yield state
                self._last_event = one.id or self._last_event

    async def open(self) -> EventSocket:
        """A socket of its own. Raises SystemFault."""
        if self._meanings is None:
            self._meanings = await self._read_meanings()
        token = await self._session.token()
        opened = await self._upgraded(token)
        if opened == 401:
            opened = await self._upgraded(await self._session.token(token))
        if isinstance(opened, int):
            raise LoginRefused("the Events and State service refuses a new token (401); check the API Gateway's set-up")
        return EventSocket(opened, self._gateway_answers, PING_S)

    async def _upgraded(self, token: str) -> "aiohttp.ClientWebSocketResponse | int":
        """The socket, or 401. Raises SystemFault."""
        try:
            opened = await self._server.socket(PATH, (("Authorization", f"Bearer {token}"),), OPEN_DEADLINE_S)
        except TransportError as error:
            raise Unreachable(said(error)) from error
        if isinstance(opened, aiohttp.ClientWebSocketResponse):
            return opened
        if opened.status == 401:
            return 401
        if opened.status == 500:
            raise Unreachable("the Events and State service does not run (500); check the Event Server")
        raise fault_of(opened, "the Events and State service")

    async def _subscribe(self, socket: EventSocket) -> None:
        """Never without a filter: that is accepted and stays silent (4.6)."""
        channels = [name for name, (kind, _) in CHANNELS.items() if kind in self._kinds]
        include = {
            "modifier": "include",
            "resourceTypes": [*channels, "hardware", "recordingServers"],
            "sourceIds": ["*"],
            "eventTypes": sorted(self._meanings or MEANINGS),
        }
        accepted(await socket.command("addSubscription", COMMAND_DEADLINE_S, {"filters": [include]}), "addSubscription")

    async def _state_frame(self, socket: EventSocket) -> Sequence[Standing]:
        frame = accepted(await socket.command("getState", self.state_timeout_s), "getState")
        if frame.states is None:
            raise ProtocolFault("getState was answered without states")
        return frame.states

    async def _read_meanings(self) -> Mapping[str, Meaning]:
        """A server that does not list its event types has the fixed ones."""
        listing = await self._rest.listing("eventTypes", "")
        read = (read_item(item, EventType) for item in listing.items)
        return meanings_with(one for one in read if one is not None)

    async def _gateway_answers(self) -> bool:
        try:
            await self._rest.answer("sites")
        except Unreachable:
            return False
        except SystemFault:
            return True
        return True

    async def aclose(self) -> None:
        if self._socket is not None:
            socket, self._socket = self._socket, None
            await socket.aclose()


async def start_session(socket: EventSocket, session_id: str, event_id: str) -> tuple[int, str]:
    """200 or 201, and the session's id. Raises SystemFault."""
    asked = {"sessionId": session_id, "eventId": event_id}
    frame = accepted(await socket.command("startSession", COMMAND_DEADLINE_S, asked), "startSession", (200, 201))
    if not frame.session_id:
        raise ProtocolFault("startSession was answered without a sessionId")
    return frame.status or 0, frame.session_id
