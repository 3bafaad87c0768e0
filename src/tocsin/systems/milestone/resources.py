"""The resources of the Configuration API we read, and only the fields we use (connectors.md 4.5). Pure."""

from collections.abc import Mapping, Sequence
from functools import cache
from string import whitespace
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tocsin.engine.systems import ProtocolFault
from tocsin.systems.milestone.answers import json_of
from tocsin.transports.http import HttpAnswer


class Reference(Struct, frozen=True, gc=False):
    type: str = ""
    id: str = ""


class Relations(Struct, frozen=True, gc=False):
    parent: Reference = Reference()


class Item(Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """What all have in common. Fields not listed, `userName` of hardware among them, are never looked at."""

    id: str
    name: str = ""
    display_name: str = ""
    enabled: bool = True
    last_modified: str = ""
    relations: Relations = Relations()

    @property
    def key(self) -> str:
        return guid(self.id)

    @property
    def parent(self) -> str:
        """The GUID of what it belongs to; empty if the server does not say."""
        return guid(self.relations.parent.id)

    @property
    def label(self) -> str:
        return self.display_name or self.name


class Site(Item, frozen=True, rename="camel", kw_only=True, gc=False):
    computer_name: str = ""
    version: str = ""


class RecordingServer(Item, frozen=True, rename="camel", kw_only=True, gc=False):
    host_name: str = ""
    port_number: int = 7563
    web_server_uri: str = ""
    active_web_server_uri: str = ""


class Hardware(Item, frozen=True, rename="camel", kw_only=True, gc=False):
    """A box with one or more channels. `address` is a URL."""

    address: str = ""
    model: str = ""


class Channel(Item, frozen=True, rename="camel", kw_only=True, gc=False):
    """What hangs on a box: camera, microphone, speaker, metadata, input, output."""

    channel: int | None = None
    gis_point: str = ""
    ptz_enabled: bool = False
    recording_enabled: bool | None = None


class CameraGroup(Item, frozen=True, rename="camel", kw_only=True, gc=False):
    pass


class EventType(Item, frozen=True, rename="camel", kw_only=True, gc=False):
    """`counter` is the GUID of the type that ends what this one begins, or the other way round."""

    counter: str = msgspec.field(default="", name="counterEventID")


class DriverSettings(Struct, frozen=True):
    """What a box says of itself; empty where it does not."""

    mac: str = ""
    serial: str = ""
    firmware: str = ""
    model: str = ""


class Unread(Struct, frozen=True, gc=False):
    """An item that is not what it should be."""

    id: str


ItemT = TypeVar("ItemT", bound=Item)
_AROUND = "{}" + whitespace


def guid(text: str) -> str:
    """As identities are written: lower case, no braces (connectors.md 1.4). The same text where it is so already."""
    bare = text.strip(_AROUND)
    return bare if bare.islower() else bare.lower()


def listed(body: object, what: str) -> list[Any]:
    """The items of `{"array": […]}`. Raises ProtocolFault."""
    items = body.get("array") if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise ProtocolFault(f"the list of {what} is not what XProtect answers: there is no “array” in it")
    return items


def page_of(answer: HttpAnswer, what: str, form: type[ItemT]) -> Sequence[ItemT | Unread | None]:
    """One page of a listing, as what it is: what XProtect writes takes ten times the memory. None: no item at all.
    Raises ProtocolFault.
    """
    if answer.complete:
        try:
            page: Sequence[ItemT] = _pages(form).decode(answer.body).array
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            if all(one.key for one in page):
                return page
    return [_read_or_not(item, form) for item in listed(json_of(answer, what), what)]


@cache
def _pages(form: type[ItemT]) -> "msgspec.json.Decoder[Any]":
    page = msgspec.defstruct("Page", [("array", list[form])], gc=False)  # type: ignore[valid-type]
    return msgspec.json.Decoder(page, strict=False)


def _read_or_not(item: object, form: type[ItemT]) -> ItemT | Unread | None:
    if not isinstance(item, dict):
        return None
    return read_item(item, form) or Unread(str(item.get("id", "")))


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
