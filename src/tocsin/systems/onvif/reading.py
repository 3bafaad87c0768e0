"""Asks one device for all it says about itself, in the order of connectors.md 6.3."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Struct

from tocsin.engine.systems import NotSupported, ProtocolFault
from tocsin.systems.onvif.device import SKEW_TAKEN_S, OnvifDevice
from tocsin.systems.onvif.facts import Information, Interface, Profile, Scopes
from tocsin.systems.onvif.soap import SoapFault

Value = TypeVar("Value")


class Facts(Struct, frozen=True):
    """One device as it described itself. `skew_s`: how far its clock is ahead. `troubles`: what it could not say."""

    information: Information
    interfaces: tuple[Interface, ...]
    scopes: Scopes
    hostname: str
    profiles: tuple[Profile, ...]
    outputs: tuple[str, ...]
    services: tuple[str, ...]
    skew_s: float
    troubles: tuple[str, ...] = ()


async def read_facts(device: OnvifDevice) -> Facts:
    """Raises SystemFault when the device cannot be reached, refuses the login or does not say what it is."""
    troubles: list[str] = []

    async def optional(what: str, ask: Callable[[], Awaitable[Value]]) -> Value | None:
        """Not every device has everything; what it refuses is noted."""
        try:
            return await ask()
        except (SoapFault, NotSupported, ProtocolFault) as error:
            troubles.append(f"{what}: {error}")
            return None

    await device.probe()
    try:
        information = await device.information()
    except SoapFault as fault:
        raise ProtocolFault(f"{device.line.endpoint} does not say what it is: {fault}") from None
    services = await optional("services", device.services) or {}
    interfaces = await optional("network_interfaces", device.interfaces) or ()
    scopes = await optional("scopes", device.scopes) or Scopes()
    hostname = await optional("hostname", device.hostname) or ""
    profiles = await optional("profiles", device.profiles) or ()
    outputs = await optional("relay_outputs", device.relay_outputs) or ()
    skew_s = device.offset.total_seconds()
    if abs(skew_s) > SKEW_TAKEN_S:
        troubles.append(f"clock: {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the gateway's")
    return Facts(
        information, interfaces, scopes, hostname, profiles, outputs, tuple(services), round(skew_s, 1), tuple(troubles)
    )
