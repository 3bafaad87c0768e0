"""From OnGuard's rows to devices (connectors.md 5.5). Pure."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.model.command import Order
from tocsin.model.inventory import DeviceType, FoundDevice
from tocsin.systems.onguard.addresses import ByteOrder, address_text
from tocsin.systems.onguard.listing import Row, key_of

_ALARM_PANELS = {129: "input_panel", 130: "output_panel"}
"""By ControlType."""
SEGMENT = "Lnl_Segment"


class ParentRule(Struct, frozen=True):
    kind: str
    keys: tuple[str, ...]


class TypeRow(Struct, frozen=True):
    """One row of types.toml. Empty `keys` are to be asked for."""

    name: str
    kind: str
    type: DeviceType
    keys: tuple[str, ...]
    subtype: str = ""
    title: str = "Name"
    filter: str = ""
    parent: ParentRule | None = None
    needed: bool = False
    address: str = ""
    hostname: str = ""
    channel: str = ""
    attributes: dict[str, str] = {}
    orders: tuple[Order, ...] = ()

    def properties(self) -> list[str]:
        """Those that are used."""
        named = (*self.keys, self.title, self.address, self.hostname, self.channel, *self.attributes.values())
        return [name for name in named if name]


TYPES = msgspec.convert(
    tomllib.loads(files(__package__).joinpath("types.toml").read_text(encoding="utf-8"))["types"], tuple[TypeRow, ...]
)
BY_KIND = {row.kind: row for row in TYPES}


class Read(Struct, frozen=True):
    """The rows of one type, and the keys by which they are told apart."""

    row: TypeRow
    keys: tuple[str, ...]
    rows: tuple[Row, ...]


class Making(Struct, frozen=True):
    """What is needed besides the rows. `segments` are names by id, `panel_types` as configured."""

    order: ByteOrder
    segments: Mapping[str, str]
    panel_types: Mapping[str, DeviceType]


def addresses_in(read: Iterable[Read]) -> list[Any]:
    """All values that may be integer addresses."""
    return [row.get(one.row.address) for one in read if one.row.address for row in one.rows]


def segments_of(rows: Iterable[Row]) -> dict[str, str]:
    return {key: str(row.get("Name", "")) for row in rows if (key := key_of(row, ["ID"]))}


def devices(read: Sequence[Read], making: Making) -> list[FoundDevice]:
    """Parents first. A device takes the segment of what it hangs on where it names none itself."""
    made: dict[tuple[str, str], FoundDevice] = {}
    for one in read:
        for row in one.rows:
            device = _device(one, row, making, made)
            made[device.kind, device.native_key] = device
    return list(made.values())


def _device(one: Read, row: Row, making: Making, made: Mapping[tuple[str, str], FoundDevice]) -> FoundDevice:
    table, key = one.row, key_of(row, one.keys)
    parent = _parent(table, row, made)
    above = made[parent] if parent else None
    attributes = {name: value for name, source in table.attributes.items() if (value := _scalar(row.get(source))) != ""}
    segment = str(attributes.get("segment_id", "")) or (above.site_id if above else "")
    attributes |= {"segment_id": segment} if segment else {}
    attributes |= {above.kind: above.name} if above else {}
    return FoundDevice(
        kind=table.kind,
        native_key=key,
        name=str(row.get(table.title) or ""),
        type=_type(table, row, making),
        subtype=_subtype(table, row),
        address=address_text(row.get(table.address), making.order) if table.address else "",
        hostname=str(row.get(table.hostname) or "") if table.hostname else "",
        location=making.segments.get(segment, ""),
        site_id=segment,
        parent=parent,
        channel=_channel(row.get(table.channel)),
        attributes=attributes,
        orders=table.orders,
    )


def _parent(table: TypeRow, row: Row, made: Mapping[tuple[str, str], FoundDevice]) -> tuple[str, str] | None:
    """A recorder's cameras may name it by the panel's number, and inputs their panel, where no board is between."""
    if table.parent is None:
        return None
    first = (table.parent.kind, key_of(row, table.parent.keys))
    panel = ("panel", key_of(row, ["PanelID"]))
    return first if first in made else panel if panel in made else None


def _type(table: TypeRow, row: Row, making: Making) -> DeviceType:
    if table.kind == "panel":
        return making.panel_types.get(str(row.get("PanelType", "")), table.type)
    return table.type


def _subtype(table: TypeRow, row: Row) -> str:
    if table.kind == "alarm_panel":
        return _ALARM_PANELS.get(row.get("ControlType", 0), table.subtype)
    return table.subtype


def _channel(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _scalar(value: Any) -> str | int | float | bool:
    return value[:256] if isinstance(value, str) else value if isinstance(value, int | float) else ""
