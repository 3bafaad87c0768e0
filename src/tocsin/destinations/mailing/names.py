"""What an event is called at a station: a table per type, with the engineer's own names before it. Pure."""

import csv
from collections.abc import Iterator, Mapping
from importlib.resources import files

from msgspec import Struct

from tocsin.model.event import Event
from tocsin.model.kinds import KINDS
from tocsin.model.wording import seen

_RESTORE = ".restore"
_MOTIONS = frozenset({"motion.person", "motion.vehicle"})


class Names(Struct, frozen=True):
    """`table` by kind, `motion.person`, `motion.vehicle`, and each of these with `.restore`."""

    table: Mapping[str, str]

    def of(self, event: Event) -> str:
        """The event's name; empty when the table has none. A restore without its own has its alarm's."""
        return next((self.table[key] for key in _keys(event) if key in self.table), "")

    def own_restore(self, event: Event) -> str:
        """The same, but a restore has only a name of its own."""
        restored = event.state == "restore"
        keys = (key for key in _keys(event) if key.endswith(_RESTORE) or not restored)
        return next((self.table[key] for key in keys if key in self.table), "")

    def with_own(self, codes: Mapping[str, str]) -> "Names":
        """The engineer's names before the table's. One for `motion` counts for every motion that has none itself."""
        replaced = dict.fromkeys(_MOTIONS & self.table.keys(), codes["motion"]) if "motion" in codes else {}
        return Names({**self.table, **replaced, **codes})


def read_names(package: str, file: str) -> Names:
    """A table beside a type's modules: `event,code,restore`, the last empty where a restore has no name of its own."""
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    table: dict[str, str] = {}
    for row in csv.DictReader(text.splitlines()):
        table[row["event"]] = row["code"]
        if row["restore"]:
            table[row["event"] + _RESTORE] = row["restore"]
    return Names(table)


def check_names(codes: Mapping[str, str]) -> None:
    """Raises ValueError when something is named that is no event."""
    for key in codes:
        subject = key.removesuffix(_RESTORE)
        if subject not in KINDS and subject not in _MOTIONS:
            raise ValueError(f"{key!r} is no event kind, nor motion.person or motion.vehicle, nor one with .restore")


def is_number(text: str, largest: int) -> bool:
    """ASCII digits, without sign, up to `largest`."""
    return text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= largest


def _keys(event: Event) -> Iterator[str]:
    """The most particular first."""
    suffixes = (_RESTORE, "") if event.state == "restore" else ("",)
    kind = event.kind
    subjects = (f"motion.{seen(event)}", kind) if kind == "motion" and seen(event) else (kind,)
    return (subject + suffix for suffix in suffixes for subject in subjects)
