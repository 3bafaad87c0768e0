"""How the stations' software reads a mail's text: what it would understand, and what it could not. Pure.

Strict where a form is published (Immix, Patriot, SureView Ops); Sentinel's is unconfirmed, its stand-in reads what
Tocsin's page about it says.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any, Literal

from lxml import etree
from msgspec import Struct

Reads = Literal["", "immix", "sentinel", "patriot", "sureview"]

IMMIX_NAMES = frozenset(files("tocsin.destinations.immix").joinpath("names.txt").read_text(encoding="utf-8").split())
_IMMIX = ("VersionInfo", "Input1", "EventType", "ExtraText", "DateTime", "Location", "URL")
_IMMIX_MUST = ("VersionInfo", "Input1", "EventType")
_IMMIX_ADDRESS = re.compile(r"S[0-9]+@[A-Za-z0-9.-]+\Z")
_SENTINEL = frozenset({"SiteID", "CameraNo", "EventType", "Event", "CameraName", "DateTime", "Text", "URL"})
_CLIENT = re.compile(r"[A-Za-z0-9]{1,16}(?:-[0-9]{1,2})?\Z")
_POSITION = re.compile(r"(-?[0-9]{1,2}\.[0-9]+), ?(-?[0-9]{1,3}\.[0-9]+)")
_LARGEST_NUMBER = 65_000


class Letter(Struct, frozen=True):
    """What of a mail is read. `text` has LF between its lines and none at its end."""

    recipients: tuple[str, ...]
    subject: str
    text: str
    pictures: int


class Assumed(Struct, frozen=True):
    """What a site sets for itself: Immix's date form (strptime) and further names; Patriot's media per mail."""

    time_format: str = "%Y-%m-%dT%H:%M:%S%z"
    names: tuple[str, ...] = ()
    media: int = 1


class Understood(Struct, frozen=True):
    """`facts` as the operator would see them; with `problems` the station would have lost the event."""

    facts: Mapping[str, Any]
    problems: tuple[str, ...] = ()


def understood(reads: Reads, letter: Letter, assumed: Assumed) -> Understood:
    """The mail as one station's software reads it; "" reads nothing."""
    return _READERS[reads](letter, assumed)


def _nothing(letter: Letter, assumed: Assumed) -> Understood:
    return Understood({})


def _immix(letter: Letter, assumed: Assumed) -> Understood:
    """receivers.md 2.2: one Alarm element with known elements, each once, nothing around it."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        alarm = etree.fromstring(letter.text.encode(), parser)
    except etree.XMLSyntaxError as error:
        return Understood({}, (f"Immix: the text is no XML: {error.msg}",))
    facts = {str(part.tag): part.text or "" for part in alarm}
    tags = [str(part.tag) for part in alarm]
    problems = [f"{tag} is no element of an alarm" for tag in tags if tag not in _IMMIX]
    problems += [f"{tag} is there {tags.count(tag)} times" for tag in sorted(set(tags)) if tags.count(tag) > 1]
    problems += [f"{tag} is missing" for tag in _IMMIX_MUST if tag not in tags]
    problems += [f"{part.tag} holds more than text" for part in alarm if len(part)]
    problems += [] if alarm.tag == "Alarm" else [f"the root is {alarm.tag}, not Alarm"]
    return Understood(facts, tuple(f"Immix: {one}" for one in [*problems, *_immix_values(facts, letter, assumed)]))


def _immix_values(facts: Mapping[str, str], letter: Letter, assumed: Assumed) -> list[str]:
    problems = [f"{to} is no S-address" for to in letter.recipients if not _IMMIX_ADDRESS.match(to)]
    if facts.get("VersionInfo", "1") != "1":
        problems.append("VersionInfo is not 1")
    if not _is_number(facts.get("Input1", "1"), 999_999):
        problems.append("Input1 is no number")
    if facts.get("EventType", "") not in IMMIX_NAMES | set(assumed.names):
        problems.append(f"{facts.get('EventType', '')!r} is no event type")
    if "DateTime" in facts and not _is_time(facts["DateTime"], assumed.time_format):
        problems.append(f"DateTime {facts['DateTime']!r} is not of the form {assumed.time_format}")
    return problems


def _sentinel(letter: Letter, assumed: Assumed) -> Understood:
    """receivers.md 3.2: name=value, in one line by |, or one per line."""
    parts = letter.text.split("\n") if "\n" in letter.text else letter.text.split("|")
    pairs = [part.partition("=") for part in parts]
    problems = [f"{name!r} has no value" for name, _, value in pairs if not value]
    names = [name for name, _, _ in pairs]
    problems += [f"{name!r} is no known name" for name in names if name not in _SENTINEL]
    problems += [f"{name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    problems += [f"{name} is missing" for name in ("SiteID", "Event") if name not in names]
    return Understood({name: value for name, _, value in pairs}, tuple(f"Sentinel: {one}" for one in problems))


def _patriot(letter: Letter, assumed: Assumed) -> Understood:
    """receivers.md 4.1: exactly one line, pairs divided by blanks, only client mandatory."""
    pairs = [part.partition("=") for part in letter.text.split(" ")]
    facts = {name: value for name, _, value in pairs}
    problems = [] if "\n" not in letter.text else ["the text has more than one line"]
    problems += [f"{name!r} is no known name" for name in facts if name not in ("client", "zone", "type", "url")]
    problems += [] if len(facts) == len(pairs) else ["a name is there twice"]
    problems += [] if _CLIENT.match(facts.get("client", "")) else ["client is missing, or no client number"]
    problems += [
        f"{name} is no number from 0 to {_LARGEST_NUMBER}"
        for name in ("zone", "type")
        if not _is_number(facts.get(name, "0"), _LARGEST_NUMBER)
    ]
    if letter.pictures > assumed.media:
        problems.append(f"{letter.pictures} files where {assumed.media} are taken")
    return Understood(facts, tuple(f"Patriot: {one}" for one in problems))


def _sureview(letter: Letter, assumed: Assumed) -> Understood:
    """receivers.md 5.1: the subject is what the operator reads, decimal lat,lon of the text goes to the map."""
    position = _POSITION.search(letter.text)
    facts = {"shown": letter.subject, "position": f"{position[1]},{position[2]}" if position else ""}
    problems = [] if letter.subject else ["the subject is empty"]
    problems += [] if len(letter.recipients) == 1 else ["an alarm point has one address"]
    return Understood(facts, tuple(f"SureView: {one}" for one in problems))


def _is_number(text: str, largest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= largest


def _is_time(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


_READERS: Mapping[Reads, Callable[[Letter, Assumed], Understood]] = {
    "": _nothing, "immix": _immix, "sentinel": _sentinel, "patriot": _patriot, "sureview": _sureview,
}  # fmt: skip
