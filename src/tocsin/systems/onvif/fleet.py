"""The devices of one system: asked side by side, within bounds, and known by what they said last."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from tocsin.engine.systems import LoginRefused, Misconfigured, NotSupported, ProtocolFault, SystemFault, Unreachable
from tocsin.model.inventory import FoundDevice, FoundState, Note
from tocsin.systems.onvif.device import OnvifDevice
from tocsin.systems.onvif.facts import Profile
from tocsin.systems.onvif.found import Camera, cameras, found
from tocsin.systems.onvif.health import Condition, Look
from tocsin.systems.onvif.identity import Identity, Named, claims, identities
from tocsin.systems.onvif.line import DeviceLine, Sessions, Silent
from tocsin.systems.onvif.reading import Facts, read_facts
from tocsin.systems.onvif.settings import OnvifDeviceSettings, OnvifSettings, service_url
from tocsin.systems.onvif.soap import SoapFault
from tocsin.systems.surroundings import SystemSurroundings


class Listed:
    """One device of the configuration. `facts` and `named` are set once it was read."""

    def __init__(self, settings: OnvifDeviceSettings, device: OnvifDevice) -> None:
        self.settings = settings
        self.device = device
        self.endpoint = str(device.line.endpoint)
        self.facts: Facts | None = None
        self.named: Named | None = None

    @property
    def identity(self) -> Identity | None:
        if self.settings.key is not None:
            return Identity(self.settings.key, "key")
        return None if self.named is None else self.named.identity

    def cameras(self) -> tuple[Camera, ...]:
        identity = self.identity
        if identity is None:
            return ()
        return (Camera(identity.key, "", ""),) if self.facts is None else cameras(identity, self.facts)

    def found(self) -> list[FoundDevice]:
        identity = self.identity
        if identity is None or self.facts is None:
            return []
        return found(identity, self.facts, self.device.line.endpoint.host, self.settings.siren)

    def states(self, condition: Condition) -> list[FoundState]:
        """Of the box and of its cameras, which are no healthier than it."""
        identity = self.identity
        if identity is None:
            return []
        of = [("device", identity.key), *(("camera", one.native_key) for one in self.cameras())]
        state, reason = condition.state, condition.reason
        return [FoundState(kind, key, state, reason, "poll", detail=condition.detail[:200]) for kind, key in of]


class Fleet:
    """`sessions` is closed with it."""

    def __init__(self, settings: OnvifSettings, surroundings: SystemSurroundings) -> None:
        self._sessions = Sessions(settings.tls.options())
        self._gate = asyncio.Semaphore(settings.in_flight)
        self.listed = tuple(_listed(settings, one, self._sessions, surroundings) for one in settings.devices)

    async def aclose(self) -> None:
        await self._sessions.aclose()

    async def read(self) -> AsyncIterator[FoundDevice | Note]:
        """All that the devices are. Raises SystemFault when none could be read."""
        outcomes = await asyncio.gather(*(self._read_one(one) for one in self.listed))
        faults = [fault for fault in outcomes if fault is not None]
        if len(faults) == len(self.listed):
            raise _of_all(faults)
        for one, fault in zip(self.listed, outcomes, strict=True):
            if fault is not None:
                yield Note(f"{one.endpoint} was not read: {fault}", partial=True)
                continue
            for device in one.found():
                yield device
            for trouble in () if one.facts is None else one.facts.troubles:
                yield Note(f"{one.endpoint}: {trouble}", partial=trouble.startswith("profiles:"))

    async def learn(self, one: Listed) -> None:
        """Read a device that was never read. Raises SystemFault."""
        if one.facts is None:
            fault = await self._read_one(one)
            if fault is not None:
                raise fault

    async def learn_all(self) -> None:
        """Read all that were never read. What cannot be read now is told by the inventory and by its state."""
        await asyncio.gather(*(self._read_one(one) for one in self.listed if one.facts is None))

    async def look(self, one: Listed) -> tuple[Listed, Look, str]:
        """Whether a device lives, and takes the login; the last part says what is wrong. Any answer is life."""
        try:
            async with self._gate:
                await one.device.probe()
        except ProtocolFault as fault:
            return one, "alive", str(fault)
        except SystemFault as fault:
            return one, "silent" if isinstance(fault, Silent) else "closed", str(fault)
        try:
            await self._log_in(one)
        except LoginRefused as refused:
            return one, "refused", str(refused)
        except (SystemFault, SoapFault) as fault:
            return one, "alive", str(fault)
        return one, "alive", ""

    async def _log_in(self, one: Listed) -> None:
        """Only a device that was never read, or has refused the login last, is asked for more than its time."""
        if one.facts is None:
            await self.learn(one)
        elif one.device.login.refused:
            async with self._gate:
                await one.device.information()

    def camera(self, native_key: str) -> tuple[Listed, Camera] | None:
        every = ((one, camera) for one in self.listed for camera in one.cameras())
        return next(((one, camera) for one, camera in every if camera.native_key == native_key), None)

    async def _read_one(self, one: Listed) -> SystemFault | None:
        async with self._gate:
            try:
                facts = await read_facts(one.device)
            except SystemFault as fault:
                return fault
        one.facts = replace(facts, profiles=facts.profiles or _profiles_before(one, facts))
        self._name()
        return None

    def _name(self) -> None:
        """Name all that have been read, together: a serial number only counts if no other device has it."""
        read = [one for one in self.listed if one.facts is not None]
        said = [
            claims(one.endpoint, one.settings.key, one.facts.information, one.facts.interfaces, _host(one))
            for one in read
            if one.facts is not None
        ]
        before = [one.named for one in self.listed if one.named is not None]
        for one, named in zip(read, identities(said, before), strict=True):
            one.named = named


def _host(one: Listed) -> str:
    return one.device.line.endpoint.host


def _profiles_before(one: Listed, facts: Facts) -> tuple[Profile, ...]:
    """A device that fails to list its profiles today has the cameras it had (connectors.md 6.7)."""
    failed = any(trouble.startswith("profiles:") for trouble in facts.troubles)
    same = one.facts is not None and one.facts.information.serial == facts.information.serial
    return one.facts.profiles if failed and same and one.facts is not None else ()


def _of_all(faults: Sequence[SystemFault]) -> SystemFault:
    """What to say of a system of which nothing could be read: that of the first device, as its kind of fault."""
    more = f"; likewise {len(faults) - 1} more" if len(faults) > 1 else ""
    first = next((fault for fault in faults if isinstance(fault, LoginRefused)), faults[0])
    for kind in (LoginRefused, Misconfigured, ProtocolFault, NotSupported):
        if isinstance(first, kind):
            return kind(f"{first}{more}")
    return Unreachable(f"{first}{more}")


def _listed(
    settings: OnvifSettings, one: OnvifDeviceSettings, sessions: Sessions, surroundings: SystemSurroundings
) -> Listed:
    user, password = settings.login(one)
    line = DeviceLine(sessions, service_url(one.address), user, password.reveal(), settings.timeout)
    return Listed(one, OnvifDevice(line, user, password.reveal(), surroundings.clock, surroundings.randomness))
