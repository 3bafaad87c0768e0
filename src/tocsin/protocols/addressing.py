"""Station addresses in a device's description, as people type them there (stations.md section 2).

`NOTATIONS` has one entry per type of station; a new type is one more entry. Everything is pure: an address that cannot
be read becomes a sentence, never an exception.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from tocsin.model.event import Address

_SEPARATORS = re.compile(r"[\s,;]+")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}\Z", re.ASCII)
"""Also names of destinations (destinations/settings.py, Name)."""
_PLAIN = re.compile(r"[A-Za-z0-9]{1,32}\Z")
_PRINTED = re.compile(
    r"(?:R([0-9A-KM-Za-km-z]{1,32}))?(?:L([A-Za-z0-9]{1,32}))?"
    r"#([A-Za-z0-9]{1,32})(?:\|([A-Za-z0-9]{1,32}))?(?:-([A-Za-z0-9]{1,32}))?\Z"
)
_LONGEST_DESCRIPTION = 4096
_SHOWN = 80


class Token(Struct, frozen=True):
    """One `Prefix:rest` of a description. `prefix` is in lower case; `text` is what was typed."""

    prefix: str
    rest: str
    text: str


class Recipients(Struct, frozen=True):
    """Mail addresses of one token."""

    addresses: tuple[str, ...]

    def __str__(self) -> str:
        return "+".join(self.addresses)


class Invalid(Struct, frozen=True):
    """A token that looks like an address of this type but is none; `reason` is a sentence for a technician."""

    reason: str


Number = Address | Recipients
"""How a device is known to a station: digits, or the people who get mail."""
Parsed = Number | Invalid


class Notation(Struct, frozen=True):
    """How one type of station is addressed. `form` shows it to people; `read` takes what follows the colon and gives
    the address, or the reason why it is none.
    """

    prefix: str
    form: str
    read: Callable[[str], Number | str]

    @property
    def example(self) -> str:
        return self.form.partition(",")[0]


class Found(Struct, frozen=True):
    """What a description says for one type: the first valid address, and a sentence for every invalid token before or
    after it.
    """

    address: Number | None = None
    warnings: tuple[str, ...] = ()


def tokens(description: str) -> list[Token]:
    """Everything of the form `Prefix:rest` between blanks, commas and semicolons, in order."""
    found = []
    for text in _SEPARATORS.split(description[:_LONGEST_DESCRIPTION]):
        prefix, colon, rest = text.partition(":")
        if colon and _PREFIX.match(prefix):
            found.append(Token(prefix.lower(), rest, text))
    return found


def parse(token: Token) -> Parsed | None:
    """The address a token gives; None when its prefix is of no station type (`http:`, `Tel:`)."""
    notation = NOTATIONS.get(token.prefix)
    return None if notation is None else _parsed(token, notation)


def _parsed(token: Token, notation: Notation) -> Parsed:
    found = notation.read(token.rest)
    if isinstance(found, str):
        return Invalid(f"{token.text[:_SHOWN]!r} is not used: {found}; expected {notation.form}")
    return found


def find(description: str, prefix: str, name: str = "") -> Found:
    """The address a description holds for one type of station: the first valid token wins (stations.md 2.1).

    A token under the destination's own `name` goes before those of its type; a name that is a type's prefix is none.
    """
    notation = NOTATIONS.get(prefix.lower())
    if notation is None or not description:
        return Found()
    own = name.lower() if name.lower() not in NOTATIONS else ""
    named = [token for token in tokens(description) if token.prefix in (own, prefix.lower())]
    wanted = [_parsed(token, notation) for token in sorted(named, key=lambda token: token.prefix != own)]
    valid = [item for item in wanted if isinstance(item, Number)]
    invalid = [item.reason for item in wanted if isinstance(item, Invalid)]
    return Found(valid[0] if valid else None, tuple(invalid))


def listed(text: str) -> Address:
    """An address of a list as people write it: `#9280|00-001` in its parts, anything else whole, for `read`."""
    match = _PRINTED.match(text)
    if match is None:
        return Address(text)
    receiver, line, account, area, zone = match.groups()
    return Address(account, area, zone, receiver, line)


def written(address: Address) -> str:
    """The text from which `listed` makes this address."""
    return str(address) if address != Address(address.account) or _PLAIN.match(address.account) else address.account


def read(prefix: str, listed: Address) -> Number:
    """A number from an address list, as one type of station means it. One that is only an account may be written in
    the type's notation (`S12345`, `guard@example.net`); what the notation cannot read stays as it stands.
    """
    notation = NOTATIONS.get(prefix.lower())
    if notation is None or listed != Address(listed.account):
        return listed
    found = notation.read(listed.account)
    return listed if isinstance(found, str) else found


def _grammar(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern + r"\Z", re.ASCII | re.IGNORECASE)


_SIA_HEAD = _grammar(r"(?:R(?P<receiver>[0-9A-F]*))?(?:L(?P<prefix>[0-9A-F]*))?#(?P<account>[^|-]*)(?P<rest>.*)")
_SURGARD_HEAD = _grammar(r"(?:R(?P<receiver>[0-9A-F]*))?(?:L(?P<prefix>[^#|-]*))?#(?P<account>[^|-]*)(?P<rest>.*)")
_GROUP_ZONE = _grammar(r"(?:\|(?P<area>[^|-]*))?(?:-(?P<zone>[^|-]*))?")
_JSON = _grammar(r"#(?P<account>[^|-]*)(?P<rest>.*)")
_STAGES = _grammar(r"(?:R(?P<receiver>[^L#|-]*))?(?:L(?P<prefix>[^#|-]*))?#(?P<account>[^|-]*)(?P<rest>.*)")
_PATRIOT = _grammar(r"(?P<account>[^-]*)(?:-(?P<area>.*))?")
_HEX = "0123456789ABCDEFabcdef"
_DECIMAL = "0123456789"
_ALNUM = _DECIMAL + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FOLDER = _ALNUM + "_-"
_LONGEST_FOLDER = 64
_MAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*/=?^_`{|}~.-]{1,64}@(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*\Z",
    re.ASCII,
)
_MOST_RECIPIENTS = 20
_DIGITS_AT_MOST = 32


def _wrong(what: str, value: str | None, alphabet: str, least: int, most: int) -> str:
    """Why a part does not fit; empty when it does, or when it is missing altogether."""
    if value is None:
        return ""
    if not least <= len(value) <= most:
        count = f"{least}" if least == most else f"{least} to {most}"
        return f"the {what} has {len(value)} characters where {count} are allowed"
    if any(char not in alphabet for char in value):
        kind = {_HEX: "hexadecimal digits", _DECIMAL: "decimal digits", _FOLDER: "letters, digits, _ and -"}.get(
            alphabet, "letters and digits"
        )
        return f"the {what} {value!r} has other characters than {kind}"
    return ""


def _area_and_zone(rest: str) -> tuple[str | None, str | None] | None:
    found = _GROUP_ZONE.match(rest)
    return (found["area"], found["zone"]) if found is not None else None


def _sia(rest: str) -> Address | str:
    """SIA-DCS and ADM-CID alike: the group is taken in both (stations.md 2.3)."""
    head = _SIA_HEAD.match(rest)
    tail = _area_and_zone(head["rest"]) if head is not None else None
    if head is None or tail is None:
        return "its parts cannot be told apart"
    problem = (
        _wrong("receiver", head["receiver"], _HEX, 1, 6)
        or _wrong("prefix", head["prefix"], _HEX, 1, 6)
        or _wrong("account", head["account"], _HEX, 3, 16)
        or _wrong("group", tail[0], _DECIMAL, 1, 2)
        or _wrong("zone", tail[1], _DECIMAL, 1, 3)
    )
    return problem or Address(head["account"], tail[0], tail[1], head["receiver"], head["prefix"])


def _json(rest: str) -> Address | str:
    head = _JSON.match(rest)
    tail = _area_and_zone(head["rest"]) if head is not None else None
    if head is None or tail is None:
        return "its parts cannot be told apart"
    problem = (
        _wrong("site", head["account"], _ALNUM, 1, 32)
        or _wrong("area", tail[0], _ALNUM, 0, 3)
        or _wrong("zone", tail[1], _ALNUM, 0, 3)
    )
    return problem or Address(head["account"], tail[0] or None, tail[1] or None)


def _stages(rest: str) -> Address | str:
    """The line stands in `prefix`, the point in `zone`."""
    head = _STAGES.match(rest)
    tail = _area_and_zone(head["rest"]) if head is not None else None
    if head is None or tail is None:
        return "its parts cannot be told apart"
    if head["prefix"] is None:
        return "the line is missing"
    parts = {"receiver": head["receiver"], "line": head["prefix"], "account": head["account"]}
    parts |= {"area": tail[0], "point": tail[1]}
    for what, value in parts.items():
        problem = _wrong(what, value, _DECIMAL, 1, _DIGITS_AT_MOST)
        if problem:
            return problem
    return Address(head["account"], tail[0], tail[1], head["receiver"], head["prefix"])


def _manitou(rest: str) -> Address | str:
    """The transmitter's number (TXID) is the account."""
    head = _JSON.match(rest)
    tail = _area_and_zone(head["rest"]) if head is not None else None
    if head is None or tail is None:
        return "its parts cannot be told apart"
    problem = (
        _wrong("transmitter", head["account"], _ALNUM, 1, _DIGITS_AT_MOST)
        or _wrong("area", tail[0], _ALNUM, 1, 16)
        or _wrong("zone", tail[1], _ALNUM, 1, 16)
    )
    return problem or Address(head["account"], tail[0], tail[1])


def _surgard(rest: str) -> Address | str:
    """Sur-Gard records, for type microkey too. The line stands in `prefix`."""
    head = _SURGARD_HEAD.match(rest)
    tail = _area_and_zone(head["rest"]) if head is not None else None
    if head is None or tail is None:
        return "its parts cannot be told apart"
    problem = (
        _wrong("receiver", head["receiver"], _HEX, 1, 6)
        or _wrong("line", head["prefix"], _ALNUM, 1, 3)
        or _wrong("account", head["account"], _HEX, 3, 16)
        or _wrong("group", tail[0], _DECIMAL, 1, 2)
        or _wrong("zone", tail[1], _DECIMAL, 1, 3)
    )
    return problem or Address(head["account"], tail[0], tail[1], head["receiver"], head["prefix"])


def _immix(rest: str) -> Address | str:
    if rest[:1] not in ("S", "s"):
        return "the letter S is missing before the number"
    return _wrong("number", rest[1:], _DECIMAL, 1, _DIGITS_AT_MOST) or Address(rest[1:])


def _sentinel(rest: str) -> Address | str:
    return _wrong("number", rest, _DECIMAL, 1, _DIGITS_AT_MOST) or Address(rest)


def _patriot(rest: str) -> Address | str:
    found = _PATRIOT.match(rest)
    if found is None:
        return "its parts cannot be told apart"
    problem = _wrong("client", found["account"], _ALNUM, 1, _DIGITS_AT_MOST) or _wrong(
        "area", found["area"], _ALNUM, 1, _DIGITS_AT_MOST
    )
    return problem or Address(found["account"], found["area"])


def _ebus(rest: str) -> Address | str:
    """The folder stands in `account`."""
    return _wrong("folder", rest, _FOLDER, 1, _LONGEST_FOLDER) or Address(rest)


def _sureview(rest: str) -> Recipients | str:
    """The alarm point's own mail address, or what stands before its @."""
    if _MAIL.match(rest if "@" in rest else f"{rest}@example.net"):
        return Recipients((rest,))
    return f"{rest[:_SHOWN]!r} is neither a mail address nor what stands before its @"


def _email(rest: str) -> Recipients | str:
    addresses = tuple(rest.split("+"))
    if len(addresses) > _MOST_RECIPIENTS:
        return f"it names {len(addresses)} recipients where {_MOST_RECIPIENTS} are allowed"
    for address in addresses:
        if not _MAIL.match(address):
            return f"{address[:_SHOWN]!r} is no mail address"
    return Recipients(addresses)


_ALL = (
    Notation("SIA", "SIA:R1L234#567890|00-001, of which only # and the account are required", _sia),
    Notation("Json", "Json:#1234567890|123-123, of which only # and the site are required", _json),
    Notation("Email", "Email:guard@example.net, several joined by +", _email),
    Notation("EBUS", "EBUS:depot-north, a folder of letters, digits, _ and -", _ebus),
    Notation("Immix", "Immix:S12345", _immix),
    Notation("Manitou", "Manitou:#123588|1-3, of which only # and the transmitter are required", _manitou),
    Notation("MicroKey", "MicroKey:R1L1#1234|01-001, of which only # and the account are required", _surgard),
    Notation("Patriot", "Patriot:0011-01, of which the area may be absent", _patriot),
    Notation("Sentinel", "Sentinel:12345", _sentinel),
    Notation("SureView", "SureView:xk72mnp4ab, or with @ and the domain behind it", _sureview),
    Notation("Surgard", "Surgard:R1L1#1234|01-001, of which only # and the account are required", _surgard),
    Notation("Stages", "Stages:R1L2#4711|1-1, of which only line and account are required", _stages),
)
NOTATIONS: dict[str, Notation] = {notation.prefix.lower(): notation for notation in _ALL}
"""The types of station that can be addressed from a description, by lower-case prefix."""
