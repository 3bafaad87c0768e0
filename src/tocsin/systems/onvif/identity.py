"""What a device is called for good (connectors.md 6.4): serial numbers and MACs both lie in the field. Pure."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from tocsin.systems.onvif.facts import Information, Interface

Step = Literal["key", "serial", "mac", "address"]
SHORTEST_SERIAL = 6
_NO_KEY = re.compile(r"[^a-z0-9._]+")
_RUNS = ("0123456789" * 2, "9876543210" * 2, "abcdefghijklmnopqrstuvwxyz", "1234567890abcdef")


class Identity(Struct, frozen=True):
    """`key` is the native key, `step` where it came from. From `address` it is weak: the next device there gets it."""

    key: str
    step: Step


class Claims(Struct, frozen=True):
    """What one device could be called by."""

    endpoint: str
    key: str | None = None
    serial: str = ""
    mac: str = ""


def claims(
    endpoint: str, key: str | None, information: Information, interfaces: Sequence[Interface], host: str
) -> Claims:
    return Claims(endpoint, key, serial_key(information), plain_mac(chosen_mac(interfaces, host)))


class Named(Struct, frozen=True):
    """A device that has its name, and what it could have been called by then."""

    claims: Claims
    identity: Identity


def identities(devices: Sequence[Claims], known: Sequence[Named] = ()) -> list[Named]:
    """In the order of `devices`. `known` are the names given before: a better value that comes later changes none,
    and a device that moved to another address keeps its own.
    """
    serials, macs = Counter(each.serial for each in devices), Counter(each.mac for each in devices)
    before = _Before(known)
    named = []
    for each in devices:
        serial = each.serial if serials[each.serial] == 1 else ""
        mac = each.mac if macs[each.mac] == 1 else ""
        named.append(Named(each, before.kept(each, serial, mac) or _first(each, serial, mac)))
    return named


class _Before:
    """The names given before; of those that claim the same, the first."""

    def __init__(self, known: Sequence[Named]) -> None:
        backwards = known[::-1]
        self._by_serial = {each.claims.serial: each.identity for each in backwards}
        self._by_mac = {each.claims.mac: each.identity for each in backwards}
        self._by_endpoint: dict[str, list[Named]] = {}
        for each in known:
            self._by_endpoint.setdefault(each.claims.endpoint, []).append(each)

    def kept(self, one: Claims, serial: str, mac: str) -> Identity | None:
        if one.key is not None:
            return None
        there = self._by_endpoint.get(one.endpoint, ())
        same = next((each.identity for each in there if _same(each.claims, one)), None)
        if same is not None or not (serial or mac):
            return same
        return self._by_serial.get(serial) if serial else self._by_mac.get(mac)


def _same(before: Claims, now: Claims) -> bool:
    """Nothing it said before is contradicted. Another serial number at an address is another device."""
    return all(was in ("", now_is) for was, now_is in ((before.serial, now.serial), (before.mac, now.mac)))


def _first(one: Claims, serial: str, mac: str) -> Identity:
    if one.key is not None:
        return Identity(one.key, "key")
    if serial:
        return Identity(serial, "serial")
    if mac:
        return Identity(mac, "mac")
    return Identity(f"addr-{_NO_KEY.sub('-', one.endpoint.lower()).strip('-')}", "address")


def serial_key(information: Information) -> str:
    """`maker-serial`; empty when the serial number is one that many devices have."""
    serial = _NO_KEY.sub("-", information.serial.lower()).strip("-")
    bare = re.sub(r"[^a-z0-9]", "", serial)
    dull = len(set(bare)) < 2 or any(bare in run for run in _RUNS)
    if len(bare) < SHORTEST_SERIAL or dull:
        return ""
    maker = _NO_KEY.sub("-", information.manufacturer.lower()).strip("-")
    return f"{maker or 'unknown'}-{serial}"[:120]


def chosen_mac(interfaces: Sequence[Interface], host: str) -> str:
    """As the device writes it: of the interface we are connected to, else of the first that has one."""
    usable = [one for one in interfaces if one.enabled and plain_mac(one.mac)]
    return next((one.mac for one in usable if host in one.addresses), usable[0].mac if usable else "")


def plain_mac(written: str) -> str:
    """Twelve digits; empty for what cannot be a device's own (connectors.md 1.8)."""
    digits = re.sub(r"[-:. ]", "", written).lower()
    if re.fullmatch(r"[0-9a-f]{12}", digits) is None or digits in ("0" * 12, "f" * 12) or int(digits[:2], 16) & 1:
        return ""
    return digits
