"""How kinds are called in OSAP. Categories and qualifiers are published; of the codes only VDS-1100 is a published
sample, those beginning with X- are ours, to be replaced by the site's.
"""

import csv
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

from tocsin.model.event import Event
from tocsin.model.kinds import Kind

Category = Literal["intrusion", "fire", "system", "tamper", "safety", "aux"]
Qualifier = Literal["ALARM", "RESTORE", "TEST", "TROUBLE", "INFO", "SUPERVISORY"]
_RESTORE_SEVERITY = 2


class Coded(Struct, frozen=True):
    """One row of codes.csv. `severity` is 0 to 10."""

    kind: Kind
    category: Category
    code: str
    qualifier: Qualifier
    severity: int


def _rows() -> dict[str, Coded]:
    text = files(__package__).joinpath("codes.csv").read_text(encoding="utf-8")
    rows = msgspec.convert(list(csv.DictReader(text.splitlines())), list[Coded], strict=False)
    return {row.kind: row for row in rows}


CODES = _rows()


def coded(event: Event) -> Coded:
    """The row of the event's kind, as its state and a test demand."""
    row = CODES[event.kind]
    if event.state == "restore":
        row = msgspec.structs.replace(row, qualifier="RESTORE", severity=_RESTORE_SEVERITY)
    return msgspec.structs.replace(row, qualifier="TEST", severity=0) if event.is_test else row


def status_of(event: Event, row: Coded) -> Literal["NEW", "UPDATED"]:
    """A restore comes as UPDATED, as in the publisher's example; CLOSED is left to the control room."""
    return "NEW" if event.state == "new" and row.qualifier != "RESTORE" else "UPDATED"
