"""A fleet of ONVIF devices as one system."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from tocsin.engine.contracts import CheckStep, Intake
from tocsin.engine.systems import Capability, Frame, NotSupported, ProtocolFault, Span
from tocsin.model.inventory import FoundDevice, FoundState, Marker, Note
from tocsin.systems.onvif.checking import steps
from tocsin.systems.onvif.fleet import Fleet, Listed
from tocsin.systems.onvif.found import Camera, output_key
from tocsin.systems.onvif.listening import Listening
from tocsin.systems.onvif.polling import Polling
from tocsin.systems.onvif.settings import EVENT_KINDS, OnvifSettings
from tocsin.systems.onvif.soap import SoapFault
from tocsin.systems.surroundings import SystemSurroundings

_ORDERS = {"siren": True, "stop_siren": False, "trigger": True}


class OnvifSystem:
    """See engine.systems.System."""

    type = "onvif"

    def __init__(self, settings: OnvifSettings, surroundings: SystemSurroundings) -> None:
        self.name = settings.name
        self.capabilities: frozenset[Capability] = _capabilities(settings)
        self._settings = settings
        self._fleet = Fleet(settings, surroundings)
        self._polling = Polling(settings, self._fleet, surroundings)
        self.listening = Listening(settings, self._fleet, surroundings)

    async def check(self) -> Sequence[CheckStep]:
        return await steps(self._fleet)

    def devices(self) -> AsyncIterator[FoundDevice | Note]:
        return self._fleet.read()

    def baseline(self) -> AsyncIterator[FoundState]:
        return self._polling.baseline()

    def states(self) -> AsyncIterator[FoundState | Marker]:
        return self._polling.states()

    async def alarms(self, intake: Intake) -> None:
        await self.listening.run(intake)

    async def photo(self, native_key: str, at: datetime | None = None) -> bytes:
        if at is not None:
            raise NotSupported("recordings of ONVIF devices are not read yet: only a picture of now can be had")
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
        raise NotSupported("recordings of cameras are not read yet")

    def export(self, native_key: str, span: Span) -> AsyncIterator[Frame]:
        raise NotSupported("recordings of cameras are not read yet")

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
            raise NotSupported(f"{self.name} has no camera {native_key} that could be read")
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


def _capabilities(settings: OnvifSettings) -> frozenset[Capability]:
    able: set[Capability] = {"inventory", "photo", "commands"}
    if settings.health.mode == "poll":
        able |= {"baseline", "events", "blindness"}
    if not set(EVENT_KINDS).isdisjoint(settings.alarms):
        able.add("alarms")
    return frozenset(able)


def build(settings: OnvifSettings, surroundings: SystemSurroundings) -> OnvifSystem:
    return OnvifSystem(settings, surroundings)
