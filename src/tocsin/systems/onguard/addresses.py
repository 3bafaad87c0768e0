"""OnGuard's integer addresses (connectors.md 5.6). Pure."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, Literal

ByteOrder = Literal["little", "big"]
_NUMBER = re.compile(r"-?\d{1,10}\Z", re.ASCII)


def address_text(value: Any, order: ByteOrder) -> str:
    """The address a property holds: a signed or unsigned 32-bit integer, or text, which is taken as it is."""
    number = _integer(value)
    if number is None:
        return value.strip()[:253] if isinstance(value, str) else ""
    number &= 0xFFFFFFFF
    return str(ipaddress.IPv4Address(number.to_bytes(4, order))) if number else ""


def byte_order(values: Iterable[Any]) -> tuple[ByteOrder, int, int]:
    """The order in which more of the values are private addresses; how many with it; how many numbers there were."""
    numbers = [value for value in values if _integer(value)]
    little, big = (sum(_private(address_text(value, order)) for value in numbers) for order in ("little", "big"))
    return ("big", big, len(numbers)) if big > little else ("little", little, len(numbers))


_PRIVATE = [ipaddress.IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


def _private(text: str) -> bool:
    address = ipaddress.IPv4Address(text) if text else None
    return address is not None and any(address in network for network in _PRIVATE)


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and _NUMBER.match(value.strip()) else None
