"""A fleet of ONVIF devices as one system."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime

from tocsin.engine.contracts import CheckStep, Intake
from tocsin.engine.systems import Capability, Frame, NotSupported, ProtocolFault, Span, SystemFault, UnknownDevice
from tocsin.model.inventory import FoundDevice, FoundState, Marker, Note
from tocsin.systems.onvif.archive import Archive
from tocsin.systems.onvif.checking import steps
from tocsin.systems.onvif.discovery import look_around, unlisted
from tocsin.systems.onvif.fleet import Fleet, Listed
from tocsin.systems.onvif.found import Camera, output_key
from tocsin.systems.onvif.listening import Listening
from tocsin.systems.onvif.pictures import PicturedIntake
from tocsin.systems.onvif.polling import Polling
from tocsin.systems.onvif.recorded import Recording, Stretch, extent, merged, of_camera, stretches
from tocsin.systems.onvif.replay import AFTER, SILENCE_S, cut, missing_packages, parts, replay
from tocsin.systems.onvif.settings import EVENT_KINDS, OnvifSettings
from tocsin.systems.onvif.soap import SoapFault
from tocsin.systems.surroundings import SystemSurroundings

EXTENT_LIMIT_S = 10.0
"""For the search of one device; the others are to have their turn."""
_ORDERS = {"siren": True, "stop_siren": False, "trigger": True}


class OnvifSystem:
    """See engine.systems.System."""

    type = "onvif"

    def __init__(self, settings: OnvifSettings, surroundings: SystemSurroundings) -> None:
        self.name = settings.name
        self.capabilities: frozenset[Capability] = _capabilities(settings)
        self._settings = settings
        self._randomness = surroundings.randomness
        self._record = surroundings.record
        self._fleet = Fleet(settings, surroundings)
        self._polling = Polling(settings, self._fleet, surroundings)
        self.listening = Listening(settings, self._fleet, surroundings)

    async def check(self) -> Sequence[CheckStep]:
        async with self._looking() as proposed:
            made = await steps(self._fleet)
            return [*made, *(CheckStep("discovery", True, line) for line in await proposed)]

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[asyncio.Task[list[str]]]:
        """Lines about devices in the network that are not listed, while the listed ones are read."""
        task = asyncio.create_task(self._proposed())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _proposed(self) -> list[str]:
        if not self._settings.discovery:
            return []
        hosts = {one.device.line.endpoint.host for one in self._fleet.listed}
        try:
            return unlisted(await look_around(self._randomness), hosts)
        except OSError as error:
            return [f"devices could not be looked for in the network: {error.strerror}"]

    async def devices(self) -> AsyncIterator[FoundDevice | Note]:
        async with self._looking() as proposed:
            async for one in self._fleet.read():
                yield one
            for line in await proposed:
                yield Note(line)

    def baseline(self) -> AsyncIterator[FoundState]:
        return self._polling.baseline()

    def states(self) -> AsyncIterator[FoundState | Marker]:
        return self._polling.states()

    async def alarms(self, intake: Intake) -> None:
        if not self._settings.alarm_photos:
            return await self.listening.run(intake)
        pictured = PicturedIntake(self, intake, self._record)
        try:
            await self.listening.run(pictured)
        finally:
            await pictured.aclose()

    async def photo(self, native_key: str, at: datetime | None = None) -> bytes:
        if at is not None:
            raise NotSupported("ONVIF devices give a picture of now only; what was recorded comes as video")
        one, camera = await self._camera(native_key)
        try:
            return await one.device.picture(camera.profile, self._settings.clear_login)
        except SoapFault as fault:
            raise ProtocolFault(f"{one.endpoint} gives no address for a picture: {fault}") from None

    async def stream_uri(self, native_key: str) -> str:
        """RTSP address of a camera, without a login. Raises SystemFault."""
        one, camera = await self._camera(native_key)
        try:
            return await one.device.stream_uri(camera.profile)
        except SoapFault as fault:
            raise ProtocolFault(f"{one.endpoint} gives no address for a stream: {fault}") from None

    async def recordings(self, native_key: str, span: Span) -> Sequence[Span]:
        return merged(await self._stretches(native_key, span))

    async def export(self, native_key: str, span: Span) -> AsyncIterator[Frame]:
        if missing := missing_packages():
            raise NotSupported(f"recordings are read through GStreamer: apt-get install {' '.join(missing)}")
        one, _ = await self._camera(native_key)
        login = self._settings.login(one.settings)
        for token, part in parts(await self._stretches(native_key, span)):
            uri = await Archive(one.device).replay_uri(token)
            wanted = Span(part.start, min(part.end, span.end) + AFTER)
            async with aclosing(replay(uri, login[0], login[1].reveal(), wanted, SILENCE_S)) as frames:
                async for frame in cut(frames, part.end):
                    yield frame

    async def extents(self, native_keys: Sequence[str]) -> AsyncIterator[tuple[str, Span]]:
        """One search for each device that was read before, whatever number of cameras it has."""
        asked = frozenset(native_keys)
        for one in self._fleet.listed:
            wanted = [camera for camera in one.cameras() if camera.native_key in asked and one.facts is not None]
            found = await _recorded(one) if wanted else []
            for camera in wanted:
                if (held := extent(_own(one, camera, found))) is not None:
                    yield camera.native_key, held

    async def _stretches(self, native_key: str, span: Span) -> list[Stretch]:
        one, camera = await self._camera(native_key)
        archive = Archive(one.device)
        own = _own(one, camera, await archive.recordings())
        if not own:
            return []
        return stretches(own, await archive.changes([each.token for each in own], span), span)

    async def command(self, kind: str, native_key: str, order: str) -> str:
        if order not in _ORDERS:
            raise NotSupported(f"ONVIF devices have no {order}; possible are {', '.join(_ORDERS)}")
        one, token = await self._relay(kind, native_key)
        active = _ORDERS[order]
        try:
            await one.device.switch_relay(token, active)
        except SoapFault as fault:
            raise ProtocolFault(f"{one.endpoint} does not switch its relay output {token}: {fault}") from None
        return f"{one.endpoint} has switched its relay output {token} {'on' if active else 'off'}"

    async def aclose(self) -> None:
        await self._fleet.aclose()

    async def _camera(self, native_key: str) -> tuple[Listed, Camera]:
        """Raises SystemFault. Devices not yet read are read now: any of them may be the one."""
        found = self._fleet.camera(native_key)
        if found is None or found[0].facts is None:
            await self._fleet.learn_all()
            found = self._fleet.camera(native_key)
        if found is None or found[0].facts is None:
            raise UnknownDevice(f"{self.name} has no camera {native_key} that could be read")
        return found

    async def _relay(self, kind: str, native_key: str) -> tuple[Listed, str]:
        """The device and the token of its relay: a relay output by itself, or the siren set for a camera's device."""
        await self._fleet.learn_all()
        for one in self._fleet.listed:
            identity, outputs = one.identity, () if one.facts is None else one.facts.outputs
            for token in outputs if kind == "output" and identity is not None else ():
                if identity is not None and output_key(identity.key, token) == native_key:
                    return one, token
            keys = [] if identity is None else [identity.key, *(each.native_key for each in one.cameras())]
            if kind != "output" and native_key in keys:
                if not one.settings.siren:
                    raise NotSupported(f"{one.endpoint} has no siren: set siren to the token of its relay output")
                return one, one.settings.siren
        raise NotSupported(f"{self.name} has no {kind} {native_key} that could be read")


async def _recorded(one: Listed) -> list[Recording]:
    """What the device says in good time, if anything."""
    with suppress(SystemFault, TimeoutError):
        async with asyncio.timeout(EXTENT_LIMIT_S):
            return await Archive(one.device).recordings()
    return []


def _own(one: Listed, camera: Camera, found: Sequence[Recording]) -> list[Recording]:
    facts = one.facts
    known = {camera.source, *(each.token for each in facts.profiles if each.source == camera.source)} if facts else {}
    return of_camera(found, known, len(one.cameras()) == 1)


def _capabilities(settings: OnvifSettings) -> frozenset[Capability]:
    able: set[Capability] = {"inventory", "photo", "commands", "recordings"}
    if not missing_packages():
        able.add("export")
    if settings.health.mode == "poll":
        able |= {"baseline", "events", "blindness"}
    if not set(EVENT_KINDS).isdisjoint(settings.alarms):
        able.add("alarms")
    return frozenset(able)


def build(settings: OnvifSettings, surroundings: SystemSurroundings) -> OnvifSystem:
    return OnvifSystem(settings, surroundings)
