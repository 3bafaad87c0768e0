"""What a device's messages mean: a table for ONVIF's own topics, and onvif-parsers, which knows many makers' own.

Its parsers expect the objects of a SOAP library and get the few fields of them they read. They are coroutines that
wait for nothing.
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from tocsin.model.event import Actor
from tocsin.model.kinds import ActorClass, Kind
from tocsin.systems.onvif.facts import Notification

if TYPE_CHECKING:
    from onvif_parsers.model import EventEntity

_KINDS: Mapping[str | None, Kind] = {"motion": "motion", "tamper": "tamper", "safety": "alarm"}
"""By what onvif-parsers calls a device class."""
_ACTORS: Mapping[str, ActorClass] = {
    "Person Detection": "person",
    "Human Detection": "person",
    "Vehicle Detection": "vehicle",
}
_TRUE, _FALSE = frozenset({"true", "1", "active", "on"}), frozenset({"false", "0", "inactive", "off"})


class Meaning(Struct, frozen=True):
    """`active`: True as it begins, False as it ends, None for what has no end. `name` is for people."""

    kind: Kind
    active: bool | None
    name: str
    actors: tuple[Actor, ...] = ()


async def meaning(notification: Notification) -> Meaning | None:
    """None: nothing that could become an alarm."""
    entity = await _parsed(notification)
    kind = _listed(notification.topic) or (None if entity is None else _KINDS.get(entity.device_class))
    if kind is None:
        return None
    name = notification.topic.partition(":")[2] if entity is None else entity.name
    actor = None if entity is None else _ACTORS.get(entity.name)
    if entity is not None and isinstance(entity.value, bool):
        active: bool | None = entity.value
    else:
        active = _active(notification)
    return Meaning(kind, active, name, () if actor is None else (Actor(actor),))


def _active(notification: Notification) -> bool | None:
    """The first thing it says that is yes or no."""
    values = [value.lower() for _, value in notification.data]
    return next((value in _TRUE for value in values if value in _TRUE | _FALSE), None)


def _listed(topic: str) -> Kind | None:
    found = [(len(prefix), kind) for prefix, kind in _table() if topic == prefix or topic.startswith(f"{prefix}/")]
    return max(found)[1] if found else None


@cache
def _table() -> tuple[tuple[str, Kind], ...]:
    text = (files("tocsin.systems.onvif") / "topics.csv").read_text(encoding="utf-8")
    return tuple((row["topic"], cast("Kind", row["kind"])) for row in csv.DictReader(text.splitlines()))


async def _parsed(notification: Notification) -> "EventEntity | None":
    """The first entity the library makes of it; None when it does not know the topic or misses something in it."""
    from onvif_parsers import parse
    from onvif_parsers.errors import UnknownTopicError

    payload = SimpleNamespace(Source=_items(notification.source), Data=_items(notification.data))
    message = SimpleNamespace(
        Topic=SimpleNamespace(_value_1=notification.topic), Message=SimpleNamespace(_value_1=payload)
    )
    try:
        entities = await parse(notification.topic, "", message)
    except (UnknownTopicError, AttributeError, KeyError, IndexError, TypeError, ValueError, ArithmeticError):
        return None
    return next((entity for entity in entities if entity.platform == "binary_sensor"), None)


def _items(items: tuple[tuple[str, str], ...]) -> SimpleNamespace:
    """Values that are yes or no as the library compares them."""
    return SimpleNamespace(SimpleItem=[SimpleNamespace(Name=name, Value=_plain(value)) for name, value in items])


def _plain(value: str) -> str:
    return "true" if value in ("1", "True", "TRUE") else value
