"""The `<Alarm>` document that senders for Immix put into the mail's text (receivers.md 2.2), read. Pure."""

import csv
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import cast

from lxml import etree
from msgspec import Struct

from tocsin.model.event import Location
from tocsin.model.kinds import ActorClass, Kind
from tocsin.protocols.text import printable

LONGEST_DOCUMENT = 16_000
_BEGINS, _ENDS = re.compile(r"<Alarm[\s>]"), "</Alarm>"
_DECIMAL = re.compile(r"\s*([-+]?\d{1,3}(?:\.\d{1,10})?)\s*,\s*([-+]?\d{1,3}(?:\.\d{1,10})?)\s*\Z", re.ASCII)
_LONGEST_VALUE = 2000


class AlarmXml(Struct, frozen=True):
    """`name` is the event type as written; `kind` what it means here, None when the name is not known."""

    name: str = ""
    kind: Kind | None = None
    actor: ActorClass | None = None
    number: str = ""
    text: str = ""
    occurred: datetime | None = None
    location: Location | None = None
    url: str = ""


def read_alarm(text: str) -> AlarmXml | None:
    """The document somewhere in the text; None when there is none that can be read."""
    text = text[:LONGEST_DOCUMENT]
    begins = _BEGINS.search(text)
    end = -1 if begins is None else text.find(_ENDS, begins.start())
    if begins is None or end < 0:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text[begins.start() : end + len(_ENDS)].encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    values = {str(child.tag): _value(child.text) for child in root if isinstance(child.tag, str)}
    kind, actor = _kinds().get(values.get("EventType", "").lower(), (None, None))
    return AlarmXml(
        name=values.get("EventType", ""),
        kind=kind,
        actor=actor,
        number=values.get("Input1", ""),
        text=values.get("ExtraText", ""),
        occurred=_instant(values.get("DateTime", "")),
        location=_location(values.get("Location", "")),
        url=_link(values.get("URL", "")),
    )


def _value(text: str | None) -> str:
    return printable((text or "")[:_LONGEST_VALUE]).strip()


def _instant(text: str) -> datetime | None:
    """Only a time that says its zone: without one it is not known which clock is meant (receivers.md 2.5)."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _location(text: str) -> Location | None:
    found = _DECIMAL.match(text)
    if found is None:
        return None
    lat, lon = float(found[1]), float(found[2])
    return Location(lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else None


def _link(text: str) -> str:
    return text if re.match(r"https?://[^\s]+\Z", text) else ""


@cache
def _kinds() -> dict[str, tuple[Kind, ActorClass | None]]:
    table = files(__package__).joinpath("event_types.csv").read_text("utf-8").splitlines()
    return {
        row["name"].lower(): (cast("Kind", row["kind"]), cast("ActorClass", row["actor"]) if row["actor"] else None)
        for row in csv.DictReader(table)
    }
