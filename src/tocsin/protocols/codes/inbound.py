"""From a code on the wire to what it means. Total: every string has a meaning, nothing is dropped."""

from functools import lru_cache

from msgspec import Struct

from tocsin.model.event import Code
from tocsin.model.kinds import Kind, State
from tocsin.protocols.codes.tables import BY_CODE, CLASSES, CONTACT_ID_CODE, LETTERS, SIA_CODE, Counts, EventClass

_LETTER_STATES = {
    "A": "alarm",
    "H": "alarm restored",
    "T": "trouble",
    "J": "trouble restored",
    "R": "restored",
    "S": "supervisory",
    "B": "bypassed",
    "U": "bypass removed",
}
_QUALIFIERS = {"1": "1", "3": "3", "6": "6", "E": "1", "R": "3", "P": "6"}
_ALARM_GROUPS = {"10": "medical.generic", "11": "fire.generic", "12": "panic.generic"}
_CODE_LIMIT = 8


class Meaning(Struct, frozen=True):
    """What a code means.

    The rule for kind and state: every class has one kind. Its end is the same kind with state `restore`, except where
    interface.md has a kind for the end itself (aux_power_found, battery_restored, connection_restored,
    battery_charging_normal, disarmed, destination_up): then the end is that kind with state `new`. `still` is Contact
    ID's qualifier 6: it refreshes an alarm and never opens one. A panel's motion, perimeter and outdoor alarms are
    `burglary`: `motion` is kept for detectors that classify, so that a filter on actors never hides a panel's alarm.

    `event_class` is the row of event-codes.md section 4, `""` for what is informational only; `ends` says that the code
    is the end of that class. `known` is false for a code outside the table and outside SIA's letter rule; `text` then
    shows the code. `counts` is what the number that comes with the code counts.
    """

    kind: Kind
    state: State
    event_class: str
    text: str
    known: bool
    counts: Counts
    ends: bool = False


@lru_cache(maxsize=2048)
def inbound_sia(code: str) -> Meaning:
    """The meaning of a two-letter SIA code. An unknown one is informational (event-codes.md 5)."""
    entry = BY_CODE.get(code) if len(code) == 2 else None
    if entry is not None:
        return _of_class(entry.row, entry.ends)
    return _by_letters(code) or _informational(f"unknown SIA code {_shown(code)}")


@lru_cache(maxsize=8192)
def inbound_contact_id(qualifier: str, code: str) -> Meaning:
    """The meaning of a Contact ID qualifier (1, 3, 6, or E, R, P) and three-digit code. Any other qualifier counts as
    a new event: nothing is dropped.
    """
    q, digits = _QUALIFIERS.get(qualifier.upper(), "1"), code.upper()
    if q == "6":
        return _still(digits)
    entry = BY_CODE.get(q + digits) if len(digits) == 3 else None
    if entry is not None:
        return _of_class(entry.row, entry.ends)
    return _other_qualifier(q, digits) or _by_group(q, digits)


def meaning_of(code: Code | None) -> Meaning | None:
    """The meaning of the code a source brought, of whichever format; None when it brought none of a proper form."""
    if code is not None and code.sia and SIA_CODE.match(code.sia):
        return inbound_sia(code.sia)
    if code is not None and code.contact_id and CONTACT_ID_CODE.match(code.contact_id):
        return inbound_contact_id(code.contact_id[:1], code.contact_id[1:])
    return None


def _of_class(row: EventClass, ends: bool, known: bool = True, text: str = "") -> Meaning:
    kind = row.kind_off if ends and row.kind_off else row.kind
    state: State = "restore" if ends and not row.kind_off else "new"
    return Meaning(kind, state, row.name, text or row.text, known, row.counts, ends)


def _informational(text: str, state: State = "new") -> Meaning:
    return Meaning("info", state, "", text, False, "zone")


def _shown(code: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in code[:_CODE_LIMIT])


def _by_letters(code: str) -> Meaning | None:
    """Kind letter and state letter, event-codes.md 2.5 and 5. Every xA and xR is in the table itself."""
    if len(code) != 2 or code[0] not in LETTERS or code[1] not in _LETTER_STATES:
        return None
    text = f"{LETTERS[code[0]]} {_LETTER_STATES[code[1]]}"
    if code[1] == "H":
        return _of_class(BY_CODE[code[0] + "A"].row, ends=True, text=text)
    if code[1] in "TSJ":
        return _of_class(CLASSES["other.trouble"], ends=code[1] == "J", text=text)
    return _of_class(CLASSES["bypass.zone"], ends=code[1] == "U", text=text)


def _still(digits: str) -> Meaning:
    begun = inbound_contact_id("1", digits)
    if begun.kind in ("armed", "disarmed"):  # a repeat says neither
        return Meaning("info", "still", begun.event_class, begun.text, begun.known, begun.counts)
    return Meaning(begun.kind, "still", begun.event_class, begun.text, begun.known, begun.counts)


def _other_qualifier(q: str, digits: str) -> Meaning | None:
    """A code of the table that has no end of its own (602, 305 …) with qualifier 3, or the reverse."""
    entry = BY_CODE.get(("3" if q == "1" else "1") + digits) if len(digits) == 3 else None
    if entry is None:
        return None
    return _of_class(entry.row, not entry.ends)


def _by_group(q: str, digits: str) -> Meaning:
    """A code that is not in the table, by its group (event-codes.md 3.3 and 5)."""
    shown, ends = f"unknown Contact ID code {_shown(digits)}", q == "3"
    if digits[:1] == "1":
        name = _ALARM_GROUPS.get(digits[:2], "other.alarm")
        return _of_class(CLASSES[name], ends, False, shown)
    if digits[:1] in ("2", "3"):
        return _of_class(CLASSES["other.trouble"], ends, False, shown)
    if digits[:1] == "5":
        return _of_class(CLASSES["bypass.zone"], ends, False, shown)
    if _is_open_or_close(digits):
        return _of_class(CLASSES["arm.user"], q == "1", False, shown)  # 1 = opening, event-codes.md 3.2
    return _informational(shown, "restore" if ends else "new")


def _is_open_or_close(digits: str) -> bool:
    return digits[:2] == "40" or digits in ("441", "442", "444", "456")
