"""From what a device says about itself to the devices the inventory gets. Pure."""

import re

from msgspec import Struct

from tocsin.model.command import Order
from tocsin.model.inventory import FoundDevice
from tocsin.systems.onvif.facts import Profile
from tocsin.systems.onvif.identity import Identity, chosen_mac, plain_mac
from tocsin.systems.onvif.reading import Facts

Attributes = dict[str, str | int | float | bool]
_SIREN: tuple[Order, ...] = ("siren", "stop_siren")
_NO_TOKEN = re.compile(r"[^A-Za-z0-9._-]+")


class Camera(Struct, frozen=True):
    """One video source: its name in ids, and the first profile that shows it."""

    native_key: str
    source: str
    profile: str
    name: str = ""


def cameras(identity: Identity, facts: Facts) -> tuple[Camera, ...]:
    """One for each video source, whatever the number of profiles; a device that lists none is one camera all the same
    (connectors.md 6.7).
    """
    first: dict[str, Profile] = {}
    for profile in facts.profiles:
        first.setdefault(profile.source, profile)
    if len(first) < 2:
        only = next(iter(first.values()), Profile("", ""))
        return (Camera(identity.key, only.source, only.token),)
    return tuple(
        Camera(f"{identity.key}:{_NO_TOKEN.sub('-', source)}", source, one.token, one.name)
        for source, one in first.items()
    )


def found(identity: Identity, facts: Facts, host: str, siren: str = "") -> list[FoundDevice]:
    """The box, its cameras, its relay outputs. `siren`: the output that sounds the siren of box and cameras."""
    name = facts.scopes.name or facts.information.model or identity.key
    mac = chosen_mac(facts.interfaces, host)
    own = next((one for one in facts.interfaces if plain_mac(one.mac) and one.mac == mac), None)
    address = host if own is None or not own.addresses or host in own.addresses else own.addresses[0]
    seen = cameras(identity, facts)
    several = len(seen) > 1
    box = FoundDevice(
        kind="device",
        native_key=identity.key,
        name=name,
        type="hardware",
        subtype="multisensor_host" if several else "camera_box",
        macs=(mac,) if mac else (),
        address=address,
        hostname=facts.hostname,
        location=facts.scopes.location,
        attributes=_attributes(identity, facts),
        orders=_SIREN if siren else (),
    )
    parent = ("device", identity.key)
    return [
        box,
        *(_camera(box, one, number, several, parent) for number, one in enumerate(seen)),
        *(_output(box, token, parent) for token in facts.outputs),
    ]


def _camera(box: FoundDevice, one: Camera, number: int, several: bool, parent: tuple[str, str]) -> FoundDevice:
    return FoundDevice(
        kind="camera",
        native_key=one.native_key,
        name=f"{box.name} {one.name or one.source}" if several else box.name,
        type="camera",
        subtype="multisensor" if several else "fixed",
        macs=box.macs,
        address=box.address,
        hostname=box.hostname,
        location=box.location,
        parent=parent,
        channel=number if several else None,
        attributes=box.attributes,
        orders=box.orders,
    )


def _output(box: FoundDevice, token: str, parent: tuple[str, str]) -> FoundDevice:
    return FoundDevice(
        kind="output",
        native_key=output_key(box.native_key, token),
        name=f"{box.name} relay {token}",
        type="io",
        subtype="output",
        location=box.location,
        parent=parent,
        orders=_SIREN,
    )


def output_key(key: str, token: str) -> str:
    return f"{key}:{_NO_TOKEN.sub('-', token)}"


def _attributes(identity: Identity, facts: Facts) -> Attributes:
    information = facts.information
    said = {
        "vendor": information.manufacturer,
        "model": information.model,
        "firmware": information.firmware,
        "serial": information.serial,
        "identity": identity.step,
    }
    made: Attributes = {name: value for name, value in said.items() if value}
    if identity.step == "address":
        made["weak_identity"] = True
    if any(trouble.startswith("profiles:") for trouble in facts.troubles):
        made["profiles_failed"] = True
    if any(trouble.startswith("clock:") for trouble in facts.troubles):
        made["clock_skew_s"] = facts.skew_s
    return made
