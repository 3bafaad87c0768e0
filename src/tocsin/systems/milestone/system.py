"""Joins login, configuration, states and photos of one XProtect site."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import msgspec

from tocsin.engine.contracts import CheckStep, Intake
from tocsin.engine.systems import Capability, Frame, NotSupported, Span
from tocsin.model.inventory import FoundDevice, FoundState, Marker, Note
from tocsin.systems.milestone.alarms import Alarms
from tocsin.systems.milestone.checking import Checks
from tocsin.systems.milestone.driver_settings import DriverSettingsCache
from tocsin.systems.milestone.exports import Exports
from tocsin.systems.milestone.extents import Extents
from tocsin.systems.milestone.joining import Reading, Topology, joined, kinds_of, topology_of
from tocsin.systems.milestone.ntlm import WindowsLogin
from tocsin.systems.milestone.orders import Orders
from tocsin.systems.milestone.photos import Photos
from tocsin.systems.milestone.reading import read_configuration
from tocsin.systems.milestone.recorders import Recorders
from tocsin.systems.milestone.resources import RecordingServer
from tocsin.systems.milestone.rest import Rest
from tocsin.systems.milestone.sequences import Recordings
from tocsin.systems.milestone.session import FORM, Asking, Session
from tocsin.systems.milestone.settings import MilestoneSettings
from tocsin.systems.milestone.stored_events import StoredEvents
from tocsin.systems.milestone.stream import StateStream
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.telemetry.occurrences import Trouble
from tocsin.transports.http import HttpAnswer
from tocsin.transports.web import WebServer

CONNECTIONS = 15
"""Four requests, eight for driver settings, two WebSockets and one to spare."""
CLOSE_DEADLINE_S = 2.0


class MilestoneSystem:
    """See engine.systems.System."""

    type = "milestone"

    def __init__(self, settings: MilestoneSettings, surroundings: SystemSurroundings) -> None:
        self.name = settings.name
        self.capabilities: frozenset[Capability] = _capabilities(settings)
        self._settings = settings
        self._around = surroundings
        self._tls = settings.tls.options()
        self._server = WebServer(settings.url, self._tls, CONNECTIONS)
        self._management = WebServer(settings.management_url or settings.url, self._tls, 2)
        self._session = _session(settings, self._server, surroundings)
        self._rest = Rest(self._server, self._session, settings.timeout, settings.list_timeout)
        zone, kinds = settings.time_zone or "UTC", kinds_of(settings.inventory.include_types)
        self._stream = StateStream(self._server, self._session, self._rest, surroundings.clock, zone, kinds)
        self._stream.state_timeout_s = settings.list_timeout
        self._stored = StoredEvents(self._rest, surroundings.clock, zone, settings.health.every, kinds)
        self._following_stored = False
        self._drivers = DriverSettingsCache(self._rest, surroundings.clock)
        recorders = Recorders(settings, surroundings, self._management, self._session, self._rest)
        self._photos = Photos(recorders, settings.photo_timeout)
        self._recordings = Recordings(recorders, settings.timeout)
        self._extents = Extents(recorders, surroundings.clock, settings.timeout)
        self._orders = Orders(settings.orders, self._rest)
        self._alarms = Alarms(settings, surroundings, self._stream, self._stored, self._rest, self.photo)
        self._exports = Exports(recorders, surroundings.clock, settings.export_timeout)

    async def check(self) -> Sequence[CheckStep]:
        checks = Checks(
            self._around.network, self._server, self._tls, self._session, self._rest, self._stream,
            self._around.clock, self._settings.timeout,
        )  # fmt: skip
        return [step async for step in checks.steps()]

    async def devices(self) -> AsyncIterator[FoundDevice | Note]:
        types = frozenset(self._settings.inventory.include_types)
        read = await read_configuration(self._rest, types, self._settings.location == "groups")
        for note in read.notes:
            yield note
        reading = read.reading
        if self._settings.macs:
            for note in await self._drivers.fill(reading.hardware, self._settings.mac_wait):
                yield note
            reading = msgspec.structs.replace(reading, driver=self._drivers.known())
        self._stream.topology, found = await asyncio.to_thread(self._join, reading, types)
        for device in found:
            yield device

    def _join(self, reading: Reading, types: frozenset[str]) -> tuple[Topology, list[FoundDevice]]:
        """Long where there are many devices."""
        found = [self._with_orders(device) for device in joined(reading, types)]
        return topology_of(reading), found

    def _with_orders(self, device: FoundDevice) -> FoundDevice:
        orders = self._orders.of(device.native_key)
        return msgspec.structs.replace(device, orders=orders) if orders else device

    async def baseline(self) -> AsyncIterator[FoundState]:
        """While stored events are followed there is none, and the states they gave stand."""
        for state in () if self._following_stored else await self._stream.baseline():
            yield state

    async def states(self) -> AsyncIterator[FoundState | Marker]:
        while True:
            try:
                async for one in self._stream.states():
                    yield one
            except NotSupported as missing:
                text = (
                    f"{missing}; only stored events tell of changes, asked for every {self._settings.health.every:g} s"
                )
                self._around.record(Trouble(f"system {self.name}", text))
            self._following_stored = True
            try:
                async for one in self._stored.states(self._stream.topology):
                    yield one
            finally:
                self._following_stored = False

    async def alarms(self, intake: Intake) -> None:
        await self._alarms.run(intake)

    async def photo(self, native_key: str, at: datetime | None = None) -> bytes:
        return await self._photos.photo(native_key, at, self._recorder_of(native_key))

    async def recordings(self, native_key: str, span: Span) -> Sequence[Span]:
        return await self._recordings.of(native_key, span, self._recorder_of(native_key))

    def extents(self, native_keys: Sequence[str]) -> AsyncIterator[tuple[str, Span]]:
        return self._extents.of(native_keys, self._recorder_of)

    def export(self, native_key: str, span: Span) -> AsyncIterator[Frame]:
        return self._exports.frames(native_key, span, self._recorder_of(native_key))

    def _recorder_of(self, camera: str) -> RecordingServer | None:
        """As the last inventory found it."""
        return self._stream.topology.recorder_of(camera)

    async def command(self, kind: str, native_key: str, order: str) -> str:
        return await self._orders.carry_out(kind, native_key, order)

    async def aclose(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await self._stream.aclose()
                await self._drivers.aclose()
                await self._server.aclose()
                await self._management.aclose()


def _capabilities(settings: MilestoneSettings) -> frozenset[Capability]:
    able: set[Capability] = {"inventory", "baseline", "events", "photo", "recordings", "export"}
    able |= {"alarms"} if settings.heeds_events() else set()
    able |= {"commands"} if settings.orders else set()
    return frozenset(able)


def build(settings: MilestoneSettings, surroundings: SystemSurroundings) -> MilestoneSystem:
    return MilestoneSystem(settings, surroundings)


def _session(settings: MilestoneSettings, server: WebServer, surroundings: SystemSurroundings) -> Session:
    """A Windows user logs in at the Management Server itself: the gateway cannot pass NTLM on (connectors.md 4.3)."""
    password = settings.password.reveal()
    if settings.auth == "ntlm":
        origin = settings.management_url or settings.url
        windows = WindowsLogin(origin, settings.tls.options(), settings.username, password, settings.timeout)
        return Session(windows, {"grant_type": "windows_credentials"}, ("/IDP/connect/token",), surroundings.clock)
    form = {"grant_type": "password", "username": settings.username, "password": password}
    paths = ("/API/IDP/connect/token", "/IDP/connect/token")
    return Session(_posting(server, settings.timeout), form, paths, surroundings.clock)


def _posting(server: WebServer, timeout_s: float) -> Asking:
    async def ask(path: str, form: bytes) -> HttpAnswer:
        return await server.ask("POST", path, (FORM,), form, timeout_s)

    return ask
