"""Read one record. Total: any bytes give a record, of kind `unknown` where nothing can be read."""

import re
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.protocols.surgard.records import Record, RecordKind

_CLOCK = re.compile(r"(\d\d:\d\d:\d\d-\d\d/\d\d)\Z", re.ASCII)
_HEADER = r"(?P<receiver>[0-9A-F]{2})(?P<line>[0-9A-Z]{3}|[0-9A-Z])"
_HEARTBEAT = re.compile(f"1{_HEADER} +@ *\\Z", re.ASCII)
_HEARTBEAT_LENGTHS = (20, 22)
_REPORT = r"(?P<q>[ERP136])(?P<code>[0-9A-F]{3})(?P<group>[0-9A-F]{2})(?P<zone>[0-9A-F]{3})\Z"
_TYPE = "(?:18|98|58)"
_ACCOUNT = "(?P<account> *[0-9A-F]+)"
_CONTACT_ID = re.compile(f"5{_HEADER} +{_TYPE}{_ACCOUNT}{_REPORT}", re.ASCII)
# Home-made senders write small letters, leave out the space, or put the account before the type (surgard.md 5.1).
_LOOSE_CONTACT_ID = (
    _CONTACT_ID,
    re.compile(f"5(?P<receiver>[0-9A-F]{{2}})(?P<line>[0-9A-Z]){_TYPE}{_ACCOUNT}{_REPORT}", re.ASCII),
    re.compile(f"5(?P<receiver>[0-9A-F]{{2}})(?P<line>[0-9A-Z]{{3}}){_TYPE}{_ACCOUNT}{_REPORT}", re.ASCII),
    re.compile(f"5{_HEADER} +{_ACCOUNT} ?{_TYPE}{_REPORT}", re.ASCII),
    re.compile(f"5(?P<receiver>[0-9A-F]{{2}})(?P<line>[0-9A-Z]){_ACCOUNT} ?{_TYPE}{_REPORT}", re.ASCII),
)
_QUALIFIERS = {"E": "1", "R": "3", "P": "6"}
_SIA2 = re.compile(f"[S0]{_HEADER}\\[(?P<block>#(?P<account>[0-9A-Za-z]{{1,16}})\\|.+)\\]\\Z", re.ASCII | re.DOTALL)
_LOOSE_SIA2 = re.compile(
    f"[S0](?:{_HEADER})? *\\[(?P<block>(?:#?(?P<account>[ -\\\\^-{{}}~]{{1,32}})\\|)?.+?)\\]? *\\Z",
    re.ASCII | re.DOTALL,
)
_STATUS = re.compile(rb"#0+\|N([A-Z]{2})([0-9A-Z]*)\Z", re.ASCII)
_FIELDS = {"R": "receiver", "L": "line", "A": "account", "X": "code", "G": "group", "Y": "zone"}
_CLASSES = {"R": "[0-9A-F]", "L": "[0-9A-Z]", "A": "[ 0-9A-Z]", "X": "[ -~]", "G": "[ 0-9A-F]", "Y": "[ 0-9A-F]"}


class Layout(NamedTuple):
    """A record of fixed width: `s` is a space, R L A X G Y are the fields of `Record`."""

    kind: RecordKind
    form: str


# The data fields of 7, 8 and 9 are not explained anywhere: all of them are X here.
LAYOUTS = (
    Layout("basic", "1RRLssssAAAAAAsXGYYY"),
    Layout("sia1", "3RRLssssAAAAAAXXYYYY"),
    Layout("caller", "4RRLAAAAAAXXXXXXXXXX"),
    Layout("other", "6RRLssssssAAAAXXYYYY"),
    Layout("other", "7RRLssssssXXXXXXXXXX"),
    Layout("other", "8RRLAAAAAAsXXXXXXXXXX"),
    Layout("other", "8RRLAAAAsXXXXXXXXXXX"),
    Layout("other", "9RRLssssAAAAXXXXXXXX"),
    Layout("caller", "ARRLssssssXXXXXXXXXX"),
    Layout("caller", "URRLAAAAAAXXXXXXXXXXXXXXXXXX"),
)


def _pattern(form: str, line_digits: int) -> re.Pattern[str]:
    parts = [re.escape(form[0])]
    for run in re.finditer(r"(.)\1*", form[1:]):
        letter, width = run[1], line_digits if run[1] == "L" else len(run[0])
        one = " " if letter == "s" else f"(?P<{_FIELDS[letter]}>{_CLASSES[letter]}{{{width}}})"
        parts.append(one * width if letter == "s" else one)
    return re.compile("".join(parts) + r"\Z", re.ASCII)


# The older header first: with it a record is as long as its layout, with the newer one two characters longer.
_FIXED = [(layout.kind, layout.form[0], _pattern(layout.form, digits)) for digits in (1, 3) for layout in LAYOUTS]


def read(raw: bytes, line_digits: int | None = None) -> Record:
    """What the record says. `line_digits`, where the connection's header width is known, marks others as loose."""
    text = raw.decode("latin-1")
    clock = _CLOCK.search(text)
    body = text[: clock.start()] if clock else text
    record = _by_first(body, raw)
    if line_digits and record.line and len(record.line) != line_digits:
        record = replace(record, loose=True)
    return replace(record, clock=clock[1]) if clock else record


def _by_first(body: str, raw: bytes) -> Record:
    match body[:1]:
        case "5":
            return _contact_id(body, raw)
        case "S" | "0":
            return _sia2(body, raw)
        case _:
            return _heartbeat(body, raw) or _fixed(body, raw)


def _heartbeat(body: str, raw: bytes) -> Record | None:
    found = _HEARTBEAT.match(body)
    if found is None:
        return None
    return Record("heartbeat", raw, found["receiver"], found["line"], loose=len(body) not in _HEARTBEAT_LENGTHS)


def _contact_id(body: str, raw: bytes) -> Record:
    strict = _CONTACT_ID.match(body)
    found = strict or next((match for form in _LOOSE_CONTACT_ID if (match := form.match(body.upper()))), None)
    if found is None:
        return Record("unknown", raw)
    return Record(
        kind="contact-id",
        raw=raw,
        receiver=found["receiver"],
        line=found["line"],
        account=found["account"].strip(),
        code=_QUALIFIERS.get(found["q"], found["q"]) + found["code"],
        group=found["group"],
        zone=found["zone"],
        loose=strict is None or found["q"] not in _QUALIFIERS,
    )


def _sia2(body: str, raw: bytes) -> Record:
    strict = _SIA2.match(body)
    found = strict or _LOOSE_SIA2.match(body)
    if found is None:
        return Record("unknown", raw)
    record = Record(
        kind="sia2",
        raw=raw,
        receiver=found["receiver"] or "",
        line=found["line"] or "",
        account=(found["account"] or "").strip(),
        block=found["block"].encode("latin-1"),
        loose=strict is None,
    )
    status = _STATUS.match(record.block)
    # Some receivers write S for their own status too (surgard.md 5.3): then the address is the header.
    if status and (body[0] == "0" or status[2].decode() == record.receiver + record.line):
        return replace(record, kind="status", code=status[1].decode(), zone=status[2].decode())
    return record if body[0] == "S" else replace(record, kind="status", loose=True)


def _fixed(body: str, raw: bytes) -> Record:
    for kind, first, pattern in _FIXED:
        found = pattern.match(body) if body[:1] == first else None
        if found is not None:
            fields = {name: value.strip() for name, value in found.groupdict("").items()}
            return replace(Record(kind, raw), **fields)
    return Record("unknown", raw)
