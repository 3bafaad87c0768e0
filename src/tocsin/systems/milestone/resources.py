"""The resources of the Configuration API we read, and only the fields we use (connectors.md 4.5). Pure."""

from collections.abc import Mapping
from functools import cached_property
from string import whitespace
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tocsin.engine.systems import ProtocolFault


class Reference(Struct, frozen=True):
    type: str = ""
    id: str = ""


class Relations(Struct, frozen=True):
    parent: Reference = Reference()


class Item(Struct, frozen=True, rename="camel", kw_only=True, dict=True):
    """What all have in common. Fields not listed, `userName` of hardware among them, are never looked at.

    `key` and `parent` are asked for many times, and of a large site there are tens of thousands: they are kept.
    """

    id: str
    name: str = ""
    display_name: str = ""
    enabled: bool = True
    last_modified: str = ""
    relations: Relations = Relations()

    @cached_property
    def key(self) -> str:
        return guid(self.id)

    @cached_property
    def parent(self) -> str:
        """The GUID of what it belongs to; empty if the server does not say."""
        return guid(self.relations.parent.id)

    @property
    def label(self) -> str:
        return self.display_name or self.name


class Site(Item, frozen=True, rename="camel", kw_only=True):
    computer_name: str = ""
    version: str = ""


class RecordingServer(Item, frozen=True, rename="camel", kw_only=True):
    host_name: str = ""
    port_number: int = 7563
    web_server_uri: str = ""
    active_web_server_uri: str = ""


class Hardware(Item, frozen=True, rename="camel", kw_only=True):
    """A box with one or more channels. `address` is a URL."""

    address: str = ""
    model: str = ""


class Channel(Item, frozen=True, rename="camel", kw_only=True):
    """What hangs on a box: camera, microphone, speaker, metadata, input, output."""

    channel: int | None = None
    gis_point: str = ""
    ptz_enabled: bool = False
    recording_enabled: bool | None = None


class CameraGroup(Item, frozen=True, rename="camel", kw_only=True):
    pass


class EventType(Item, frozen=True, rename="camel", kw_only=True):
    """`counter` is the GUID of the type that ends what this one begins, or the other way round."""

    counter: str = msgspec.field(default="", name="counterEventID")


class DriverSettings(Struct, frozen=True):
    """What a box says of itself; empty where it does not."""

    mac: str = ""
    serial: str = ""
    firmware: str = ""
    model: str = ""


ItemT = TypeVar("ItemT", bound=Item)


_AROUND = "{}" + whitespace


def guid(text: str) -> str:
    """As identities are written: lower case, no braces (connectors.md 1.4)."""
    return text.strip(_AROUND).lower()


def listed(body: object, what: str) -> list[Any]:
    """The items of `{"array": […]}`. Raises ProtocolFault."""
    items = body.get("array") if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise ProtocolFault(f"the list of {what} is not what XProtect answers: there is no “array” in it")
    return items


def single(body: object, what: str) -> dict[str, Any]:
    """The object of `{"data": {…}}`. Raises ProtocolFault."""
    item = body.get("data") if isinstance(body, dict) else None
    if not isinstance(item, dict):
        raise ProtocolFault(f"{what} is not what XProtect answers: there is no “data” in it")
    return item


def read_item(item: object, form: type[ItemT]) -> ItemT | None:
    """One item; None if it has no id or a field of another type than it can have."""
    if not isinstance(item, dict):
        return None
    read = _converted(item, form)
    if read is None:
        read = _converted({name: value for name, value in item.items() if value is not None}, form)
    return read if read is not None and read.key else None


def _converted(item: Mapping[str, Any], form: type[ItemT]) -> ItemT | None:
    try:
        return msgspec.convert(item, form, strict=False)
    except (msgspec.ValidationError, ValueError):
        return None


_SETTINGS = ("hardwaredriversettings", "settings")


def read_driver_settings(body: object) -> DriverSettings:
    """Beneath `data`, the object stands under either of two names, or bare on older servers (connectors.md 4.5)."""
    data = _lowered(single(body, "the driver settings"))
    for name in _SETTINGS:
        inner = data.get(name)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(inner, dict):
            data = _lowered(inner)
            break
    return DriverSettings(
        _text(data, "macaddress"),
        _text(data, "serialnumber"),
        _text(data, "firmwareversion"),
        _text(data, "detectedmodelname"),
    )


def _lowered(item: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in item.items()}


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value.strip()[:200] if isinstance(value, str) else ""
