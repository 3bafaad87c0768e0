"""What is asked of OpenAccess: types, instances, recorders, hardware status (connectors.md 5.4 to 5.7)."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tocsin.engine.systems import NotSupported, ProtocolFault, Unreachable
from tocsin.model.inventory import FoundDevice, Note
from tocsin.systems.onguard.addresses import byte_order
from tocsin.systems.onguard.answers import Denied
from tocsin.systems.onguard.devices import (
    BY_KIND,
    SEGMENT,
    TYPES,
    Making,
    Read,
    TypeRow,
    addresses_in,
    devices,
    segments_of,
)
from tocsin.systems.onguard.listing import Listing, Row, all_pages
from tocsin.systems.onguard.session import Session
from tocsin.systems.onguard.settings import OnGuardSettings

_AGAIN_S = 1.0


class Site(Struct, frozen=True):
    """All devices, and what there is to say about the reading."""

    devices: tuple[FoundDevice, ...] = ()
    notes: tuple[Note, ...] = ()


class Reader:
    """Asks. Everything raises SystemFault."""

    def __init__(self, session: Session, settings: OnGuardSettings) -> None:
        self._session = session
        self._settings = settings

    async def site(self) -> Site:
        """The whole inventory; what could not be read is a note with `partial`."""
        notes: list[Note] = []
        read = [one for row in TYPES if (one := await self._read(row, notes))]
        segments = await self._segments(notes)
        making = Making(self._order(read, notes), segments, self._settings.panel_types)
        found = devices(read, making)
        with contextlib.suppress(NotSupported):  # still there at the end as at the start (connectors.md 2.2)
            await self._session.ask("GET", "keepalive")
        return Site(tuple(found), tuple(notes))

    async def rows(self, row: TypeRow, keys: Sequence[str] = ()) -> Listing:
        """Every row of a type."""
        keys = keys or row.keys
        if row.name == "video_recorders":
            return await self._listing("video_recorders", {}, keys)
        query = {"type_name": row.name, **({"filter": row.filter} if row.filter else {})}
        return await self._listing("instances", query, keys, row.name)

    async def panels(self) -> tuple[Row, ...]:
        """As they are now, with `IsOnline`."""
        return (await self.rows(BY_KIND["panel"])).rows

    async def recorders(self) -> tuple[Row, ...]:
        """As they are now, with `is_online`; none where this OnGuard has no such request."""
        try:
            return (await self.rows(BY_KIND["recorder"])).rows
        except (NotSupported, Denied):
            return ()

    async def described(self, type_name: str) -> dict[str, Any]:
        """What OnGuard says a type has: `properties` and `methods`."""
        return await self._session.ask("GET", "type", {"type_name": type_name})

    async def execute(self, kind: str, key: str, method: str, once: bool = False) -> dict[str, Any]:
        """A method of one device."""
        row = BY_KIND[kind]
        return await self.execute_on(row.name, dict(zip(row.keys, key.split("-"), strict=True)), method, once)

    async def execute_on(self, type_name: str, keys: dict[str, str], method: str, once: bool) -> dict[str, Any]:
        body = {
            "type_name": type_name,
            "method_name": method,
            "property_value_map": {name: int(value) for name, value in keys.items()},
            "in_parameter_value_map": {},
        }
        return await self._session.ask("POST", "execute_method", body=body, once=once)

    async def word(self, kind: str, key: str) -> int:
        """The hardware status of one device; asked twice where there is no answer."""
        try:
            answer = await self.execute(kind, key, "GetHardwareStatus")
        except Unreachable:
            await asyncio.sleep(_AGAIN_S)
            answer = await self.execute(kind, key, "GetHardwareStatus")
        found = answer.get("out_parameter_value_map")
        word = found.get("Status") if isinstance(found, dict) else None
        if not isinstance(word, int) or isinstance(word, bool):
            raise ProtocolFault(f"the hardware status of {kind} {key} was answered without Status")
        return word & 0xFFFFFFFF

    async def _read(self, row: TypeRow, notes: list[Note]) -> Read | None:
        try:
            keys = row.keys or await self._keys(row)
            listing = await self.rows(row, keys)
        except (NotSupported, Denied) as fault:
            if row.kind == "panel":
                raise
            missing = row.needed or isinstance(fault, Denied)
            if missing:
                notes.append(Note(f"{row.name} could not be read: {fault}", partial=True))
            return None
        if listing.problem:
            notes.append(Note(listing.problem, partial=True))
        return Read(row, tuple(keys), listing.rows)

    async def _keys(self, row: TypeRow) -> tuple[str, ...]:
        properties = (await self.described(row.name)).get("properties", [])
        found = [one for one in properties if isinstance(one, dict)] if isinstance(properties, list) else []
        keys = tuple(str(one.get("name")) for one in found if one.get("is_key") is True)
        if not keys:
            raise NotSupported(f"OnGuard does not say what the keys of {row.name} are")
        return keys

    async def _segments(self, notes: list[Note]) -> dict[str, str]:
        try:
            listing = await self._listing("instances", {"type_name": SEGMENT}, ["ID"], SEGMENT)
        except (NotSupported, Denied):
            return {}
        if listing.problem:
            notes.append(Note(listing.problem))
        return segments_of(listing.rows)

    def _order(self, read: Sequence[Read], notes: list[Note]) -> Any:
        if self._settings.ip_byte_order != "auto":
            return self._settings.ip_byte_order
        order, private, of = byte_order(addresses_in(read))
        if of:
            notes.append(
                Note(f"integer addresses are read {order}-endian: {private} of {of} are private addresses then")
            )
        return order

    async def _listing(self, operation: str, query: dict[str, str], keys: Sequence[str], what: str = "") -> Listing:
        async def page(n: int, size: int) -> dict[str, Any]:
            return await self._session.page(operation, query, n, size, ",".join(keys))

        return await all_pages(what or operation, keys, page)
