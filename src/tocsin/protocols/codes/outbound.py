"""From a kind, and the code the source brought, to the code that goes out."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from tocsin.model.event import Code
from tocsin.model.kinds import KINDS, Kind, State
from tocsin.protocols.codes.inbound import Meaning, inbound_contact_id, inbound_sia, meaning_of
from tocsin.protocols.codes.tables import (
    BY_CODE,
    CLASSES,
    CONTACT_ID_CODE,
    KIND_CODES,
    SIA_CODE,
    EventClass,
    KindCodes,
    Wire,
)

NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})
_SIA_LENGTH, _CONTACT_ID_LENGTH = 2, 4
_LETTER_QUALIFIERS = {"E": "1", "R": "3", "P": "6"}


def outbound_sia(
    kind: Kind, state: State, code: Code | None = None, overrides: Mapping[str, str] = NO_OVERRIDES
) -> str:
    """The SIA code of an event; `""` only for system_stopped, which SIA has no code for (stations.md 3.1).

    A source's own SIA code passes unchanged; a Contact ID code is translated through its class; else the kind decides.
    SIA has no "still present": such an event carries the code of its beginning. See `_looked_up` for the overrides.
    """
    return _chosen("sia", kind, state, code, overrides)


def outbound_contact_id(
    kind: Kind, state: State, code: Code | None = None, overrides: Mapping[str, str] = NO_OVERRIDES
) -> tuple[str, str]:
    """Qualifier and three-digit code, the same rules as `outbound_sia`; never empty."""
    full = _chosen("contact_id", kind, state, code, overrides)
    return full[0], full[1:]


def check_override(wire: Wire, name: str, value: str) -> str:
    """What is wrong with one entry of an override table, in words; empty when it can be used.

    `name` is a code of the same format, a class (`tamper.armed`) or a kind, the last two also with `.restore`.
    """
    subject = name.removesuffix(".restore")
    if not (subject in KINDS or subject in CLASSES or _own_pattern(wire, name)):
        return f"{name!r} is neither an event kind, nor an event class, nor a code of this format"
    if not _written(wire, value, "1"):
        form = "two capital letters, such as BA" if wire == "sia" else "a code such as 130, E130 or 1130"
        return f"{value!r} is no code of this format: expected {form}"
    return ""


def _chosen(wire: Wire, kind: Kind, state: State, code: Code | None, overrides: Mapping[str, str]) -> str:
    if overrides:
        return _looked_up(wire, kind, state, code, overrides)
    # A code of another length is none (tables.py): only short strings are kept.
    sia = code.sia if code and code.sia and len(code.sia) == _SIA_LENGTH else None
    contact_id = code.contact_id if code and code.contact_id and len(code.contact_id) == _CONTACT_ID_LENGTH else None
    return _usual(wire, kind, state, sia, contact_id)


@lru_cache(maxsize=4096)
def _usual(wire: Wire, kind: Kind, state: State, sia: str | None, contact_id: str | None) -> str:
    return _looked_up(wire, kind, state, Code(sia=sia, contact_id=contact_id), NO_OVERRIDES)


def _looked_up(wire: Wire, kind: Kind, state: State, code: Code | None, overrides: Mapping[str, str]) -> str:
    """An override of the very code wins over passing it on; then the class of the code, with its override; then the
    kind, with its override.
    """
    own = _own(wire, code)
    if own:
        replaced = _written(wire, overrides.get(own, ""), own[0])
        return replaced or _agreeing(wire, own, kind, state)
    meaning = meaning_of(code)
    if meaning is not None and meaning.event_class:
        found = _of_row(wire, CLASSES[meaning.event_class], meaning.event_class, _ends(meaning, kind, state), overrides)
        if found:
            return _still(wire, found, state)
    codes = KIND_CODES[kind]
    return _still(wire, _of_row(wire, codes, kind, state == "restore", overrides), state)


def _own_pattern(wire: Wire, text: str) -> bool:
    return bool((SIA_CODE if wire == "sia" else CONTACT_ID_CODE).match(text))


def _own(wire: Wire, code: Code | None) -> str:
    text = (code.sia if wire == "sia" else code.contact_id) if code is not None else None
    return text if text and _own_pattern(wire, text) else ""


def _agreeing(wire: Wire, own: str, kind: Kind, state: State) -> str:
    """The source's code, unless it says another state than the event: a restore never goes out as an alarm."""
    meaning = inbound_sia(own) if wire == "sia" else inbound_contact_id(own[0], own[1:])
    if not meaning.event_class or meaning.kind != kind or meaning.state == state:
        return own
    if wire == "contact_id":
        return {"new": "1", "restore": "3", "still": "6"}[state] + own[1:]
    if state == "still" and not meaning.ends:
        return own
    return CLASSES[meaning.event_class].code(wire, state == "restore") or own


def _ends(meaning: Meaning, kind: Kind, state: State) -> bool:
    return meaning.ends if meaning.kind != kind or meaning.state == state else state == "restore"


def _still(wire: Wire, full: str, state: State) -> str:
    """Contact ID's qualifier 6; an arming report (which begins with 3) has no such form."""
    return f"6{full[1:]}" if wire == "contact_id" and state == "still" and full[0] == "1" else full


def _of_row(wire: Wire, row: EventClass | KindCodes, name: str, ends: bool, overrides: Mapping[str, str]) -> str:
    usual = row.code(wire, ends)
    if ends:
        written = overrides.get(f"{name}.restore", "")
        return _written(wire, written, "3") or _end_of(wire, overrides.get(name, "")) or usual
    return _written(wire, overrides.get(name, ""), usual[:1] or "1") or usual


def _end_of(wire: Wire, begun: str) -> str:
    """The end that belongs to an overriding code; empty when there is none, never the beginning itself."""
    full = _written(wire, begun, "1")
    if not full:
        return ""
    if wire == "contact_id":
        return ("1" if full[0] == "3" else "3") + full[1:]
    entry = BY_CODE.get(full)
    return entry.row.sia_off if entry is not None and not entry.ends else ""


def _written(wire: Wire, value: str, qualifier: str) -> str:
    """An override as it goes out: `BA`; `1137`, `E137` or `137`, the last with the given qualifier. Empty: unusable."""
    text = value.upper()
    if wire == "contact_id":
        text = qualifier + text if len(text) == 3 else _LETTER_QUALIFIERS.get(text[:1], text[:1]) + text[1:]
    return text if _own_pattern(wire, text) else ""
