"""Templates of a site tried on sample events when the configuration is read: what they make of every event. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from tocsin.destinations.templates import LONGEST_OUTPUT, Template, TemplateProblem
from tocsin.destinations.words import words
from tocsin.model.event import Actor, Address, Event, Location, Place
from tocsin.protocols.text import one_line
from tocsin.protocols.xml import NotXml, read

NOTHING: Mapping[str, object] = MappingProxyType({})
_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
_WHERE = Address("9280", "1", "3")
_FULL = Event(
    "01J9ZC3E1V", "motion", _AT, _AT, "sample", device_id="01AD2DD41C0000C1", place=Place("Gate", "North depot"),
    text="at the fence", url="https://gw.example.net/e/7Q2M", actors=(Actor("person", 0.93),), battery=87,
    signal_asu=19, location=Location(59.437, 24.752),
)  # fmt: skip
_BARE = Event("01J9ZC3E1W", "tamper", _AT, _AT, "sample", state="restore")


def tried(template: Template, more: Mapping[str, object] = NOTHING, number: int = 1) -> tuple[str, ...]:
    """The messages of an event with all there can be, and of one with next to nothing; without those too long to be
    made. `more` has what only this place's templates know.
    """
    full, bare = words(_FULL, _WHERE, "BA", _FULL.url, number, "3"), words(_BARE, _WHERE, "TR", "", number, "")
    texts = (_made(template, {**values, **more}) for values in (full, bare))
    return tuple(text for text in texts if text is not None)


def _made(template: Template, values: dict[str, object]) -> str | None:
    try:
        return template.render(values)
    except TemplateProblem:
        return None


def no_xml(texts: Sequence[str]) -> str:
    """Why one of the messages is no XML document; empty when all are, or declare a type that only the station reads."""
    for text in texts:
        try:
            read(text.encode("utf-8", "replace"), 4 * LONGEST_OUTPUT)
        except NotXml as error:
            return "" if "<!DOCTYPE" in text else _plainly(error)
    return ""


def _plainly(error: NotXml) -> str:
    said = str(error).removeprefix("it is no XML: ").partition(" (<string>")[0]
    return one_line(said, 160)
