"""Orders (connectors.md 5.2): methods that the vendor's earlier automation interface has. OpenAccess must list the
method for the type, or it is not called.
"""

from typing import Any

from msgspec import Struct

from tocsin.engine.systems import NotSupported
from tocsin.systems.onguard.devices import BY_KIND
from tocsin.systems.onguard.reading import Reader

AREA = "intrusion_area"
"""Not in the inventory: an area is no device. Its native key is its ID."""


class Method(Struct, frozen=True):
    type_name: str
    name: str
    keys: tuple[str, ...]


_OUTPUTS = {"siren": "Activate", "stop_siren": "Deactivate", "trigger": "Pulse"}
_AREAS = {"arm": "Arm", "disarm": "Disarm"}


def method_of(kind: str, order: str) -> Method:
    """What an order is for a kind of device. Raises NotSupported."""
    if kind in ("output", "reader_output1", "reader_output2") and order in _OUTPUTS:
        row = BY_KIND[kind]
        return Method(row.name, _OUTPUTS[order], row.keys)
    if kind == AREA and order in _AREAS:
        return Method("Lnl_IntrusionArea", _AREAS[order], ("ID",))
    raise NotSupported(
        f"OnGuard has no {order} for a {kind}; outputs take siren, stop_siren, trigger; areas arm, disarm"
    )


class Commands:
    """Calls methods, once each: an order whose answer is lost is not repeated."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._methods: dict[str, set[str]] = {}

    async def carry_out(self, kind: str, native_key: str, order: str) -> str:
        """What happened, as a sentence. Raises SystemFault."""
        method = method_of(kind, order)
        values = native_key.split("-")
        if len(values) != len(method.keys) or not all(value.isdecimal() for value in values):
            raise NotSupported(f"{kind} {native_key!r} is no device of OnGuard: expected {'-'.join(method.keys)}")
        if method.name not in await self._known(method.type_name):
            raise NotSupported(f"this OnGuard lists no method {method.name} for {method.type_name}")
        keys = dict(zip(method.keys, values, strict=True))
        await self._reader.execute_on(method.type_name, keys, method.name, once=True)
        return f"OnGuard has taken {method.name} for {kind} {native_key}"

    async def _known(self, type_name: str) -> set[str]:
        if type_name not in self._methods:
            self._methods[type_name] = names_in(await self._reader.described(type_name), "methods")
        return self._methods[type_name]


def names_in(described: dict[str, Any], part: str) -> set[str]:
    """Names of a type's `methods` or `properties`."""
    rows = described.get(part, [])
    found = [row.get("name") if isinstance(row, dict) else row for row in rows] if isinstance(rows, list) else []
    return {name for name in found if isinstance(name, str)}
