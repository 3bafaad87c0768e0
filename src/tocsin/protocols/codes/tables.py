"""The code tables as typed rows, read once from the data files beside this module."""

import csv
import re
from importlib.resources import files
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from tocsin.model.kinds import Kind

Wire = Literal["sia", "contact_id"]
"""Which format a code belongs to: two letters, or qualifier and event code in four digits (`1130`)."""

Counts = Literal["zone", "user", "device", "path", "area", "receiver"]
"""What the number that comes with a code counts."""

SIA_CODE = re.compile(r"[A-Z]{2}\Z", re.ASCII)
CONTACT_ID_CODE = re.compile(r"[136][0-9A-F]{3}\Z", re.ASCII)


class EventClass(Struct, frozen=True):
    """One row of event-codes.md section 4.

    `…_on` is the code of the beginning, `…_off` of the end; empty: the format has none. For arming, on is armed
    (Contact ID 3EEE) and off disarmed (1EEE). `also_on` and `also_off` are further codes of either format that mean the
    same inbound, separated by blanks. `kind_off` is the kind of the end where the end has a kind of its own; where it
    is empty the end is `kind` with state restore.
    """

    name: str
    text: str
    sia_on: str
    sia_off: str
    cid_on: str
    cid_off: str
    also_on: str
    also_off: str
    counts: Counts
    kind: Kind
    kind_off: Kind | Literal[""]

    def code(self, wire: Wire, ends: bool) -> str:
        if wire == "sia":
            return self.sia_off if ends else self.sia_on
        return self.cid_off if ends else self.cid_on

    def beginnings(self) -> list[str]:
        return [code for code in (self.sia_on, self.cid_on, *self.also_on.split()) if code]

    def ends(self) -> list[str]:
        return [code for code in (self.sia_off, self.cid_off, *self.also_off.split()) if code]


class KindCodes(Struct, frozen=True):
    """The codes of one kind when the source brought none. `name` is the class it belongs to.

    A kind that has no end repeats its code as `…_off`. Empty: the format has no code, the event is not sent
    (system_stopped in SIA, stations.md 3.1).
    """

    kind: Kind
    name: str
    sia_on: str
    sia_off: str
    cid_on: str
    cid_off: str

    def code(self, wire: Wire, ends: bool) -> str:
        if wire == "sia":
            return self.sia_off if ends else self.sia_on
        return self.cid_off if ends else self.cid_on


class KindLetter(Struct, frozen=True):
    """The first letter of a built-up SIA code (event-codes.md 2.5)."""

    letter: str
    text: str


class Entry(Struct, frozen=True):
    """What one inbound code points to: its class, and whether it is the end of it."""

    row: EventClass
    ends: bool


Row = TypeVar("Row", bound=Struct)


def _rows(name: str, row: type[Row]) -> list[Row]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return msgspec.convert(list(csv.DictReader(text.splitlines())), list[row])  # type: ignore[valid-type]


def _by_code(classes: list[EventClass]) -> dict[str, Entry]:
    """Where several rows share a code, the first row of the file is what the code means inbound."""
    found: dict[str, Entry] = {}
    for row in classes:
        for code in row.beginnings():
            found.setdefault(code, Entry(row, False))
        for code in row.ends():
            found.setdefault(code, Entry(row, True))
    return found


_CLASSES = _rows("classes.csv", EventClass)
CLASSES: dict[str, EventClass] = {row.name: row for row in _CLASSES}
BY_CODE: dict[str, Entry] = _by_code(_CLASSES)
KIND_CODES: dict[str, KindCodes] = {row.kind: row for row in _rows("kinds.csv", KindCodes)}
LETTERS: dict[str, str] = {row.letter: row.text for row in _rows("letters.csv", KindLetter)}
