"""Read a SIA data block by event-codes.md 2.1 to 2.4. Nothing in a block makes this raise."""

import re

import msgspec

from tocsin.protocols.codes import inbound_sia
from tocsin.protocols.sia.data import SiaData, SiaEvent
from tocsin.protocols.text import decoded, printable

_DIGIT_MODIFIERS = "ri|id|pi|ai|ph|lv|va|pt|rg|ss"
_MODIFIER = re.compile(
    r"(?:(?P<date>da)(?P<day>\d{1,2}-\d{1,2}-\d{2,4})|(?P<clock>ti)(?P<time>\d{1,2}:\d{2}(?::\d{2})?)"
    rf"|(?P<name>{_DIGIT_MODIFIERS})(?P<digits>\d+)"
    rf"|(?P<other>(?!da|ti|{_DIGIT_MODIFIERS})[a-z]{{2}})(?P<value>[0-9:.,-]+))",
    re.ASCII,
)
_EVENT = re.compile(
    r"(?P<code>[A-Z]{2})(?P<number>[0-9A-Fa-f]+(?:[:-][0-9A-Fa-f]+)*(?![0-9A-Za-z])|[0-9]*)"
    r"(?:\*(?:\"(?P<quoted>[^\"^]*)\"?(?P<unit>[^^]*)|(?P<units>[^^]*)))?"
    r"(?:\^(?P<text>[^^]*)\^?)?(?P<rest>.*)\Z",
    re.ASCII | re.DOTALL,
)
_BARE_EVENT = re.compile(r"(?P<code>[A-Z]{2})[0-9]*(?:[*^].*)?\Z", re.ASCII | re.DOTALL)
_NEW_OR_OLD = re.compile(r"[NO](?:[a-z]{2}|[A-Z]{2})", re.ASCII)
_ENVIRONMENT = re.compile(r"E(?:DA|DB|DI|DM)", re.ASCII)
_PACKETS = re.compile(r"((?:\^[^^]*\^|[^/^]|\^)*)(?:/|\Z)", re.DOTALL)
# Nearly all messages: one new event, its commonest modifiers in the usual order.
_PLAIN = re.compile(
    r"#([0-9A-Za-z]+)\|N(?:ti(\d{1,2}:\d{2}(?::\d{2})?)/)?(?:id(\d+)/)?(?:ri(\d+)/?)?"
    r"([A-Z]{2})([0-9]*)(?:\^([^^|]*)\^)?\Z",
    re.ASCII,
)
_BLOCK_LETTERS = frozenset("CPXLVI")


def read(data: bytes | str) -> SiaData:
    """Read `#acct|block|block…`, also without account, and in all the levels of event-codes.md 2.3."""
    text = decoded(data)
    return _plain(text) or _general(text)


def plain(text: str) -> tuple[str, ...] | None:
    """The parts of a block of the plain shape, empty where absent: account, time, user, area, code, number, text. None
    for every other block.
    """
    found = _PLAIN.match(text)
    return None if found is None else found.groups("")


def _plain(text: str) -> SiaData | None:
    """What `_general` makes of a block of the plain shape, in one step; None for every other block."""
    found = plain(text)
    if found is None:
        return None
    account, clock, user, area, code, number, told = found
    modifiers = (("ti", clock), ("id", user), ("ri", area))
    event = SiaEvent(
        code=code,
        number=number,
        area=area,
        user=user,
        text=printable(told).strip(),
        time=clock,
        known=inbound_sia(code).known,
        modifiers=tuple([each for each in modifiers if each[1]]),
    )
    return SiaData(account, (event,))


def _general(text: str) -> SiaData:
    reader = _Reader()
    for index, block in enumerate(text.split("|")):
        reader.block(block, first=index == 0)
    return reader.finish()


class _Reader:
    """Collects while the blocks go by: an N or O block stays open for what belongs to it."""

    def __init__(self) -> None:
        self.account: str | None = None
        self.events: list[SiaEvent] = []
        self.texts: list[str] = []
        self.environment: list[str] = []
        self.raw: list[str] = []
        self._open_from = 0
        self._old = False
        self._modifiers: list[tuple[str, str]] = []
        self._late_text: list[str] = []

    def block(self, block: str, first: bool) -> None:
        """One piece between bars (event-codes.md 2.1). A piece that is no block of its own belongs to the open one."""
        if first and block.startswith("#"):
            self.account = printable(block[1:]).strip() or None
        elif _NEW_OR_OLD.match(block):
            self._open(old=block[0] == "O")
            self._packets(block[1:])
        elif block.startswith("A") and not self._is_event(block):
            self._text_block(block[1:])
        elif _ENVIRONMENT.match(block):
            self.environment.append(printable(block[1:]))
        elif block[:1] in _BLOCK_LETTERS and not _is_known_event(block):
            self._unread(block)
        else:
            self._packets(block)

    def finish(self) -> SiaData:
        self._close()
        return SiaData(self.account, tuple(self.events), tuple(self.texts), tuple(self.environment), tuple(self.raw))

    def _is_event(self, block: str) -> bool:
        """Whether a block that begins with A is a code such as AT: only while the open block still lacks its event."""
        return len(self.events) == self._open_from and _is_known_event(block)

    def _open(self, old: bool) -> None:
        self._close()
        self._old, self._modifiers = old, []

    def _close(self) -> None:
        if self._late_text:
            text, late = " ".join(self._late_text), self.events[self._open_from :]
            self.events[self._open_from :] = [e if e.text else msgspec.structs.replace(e, text=text) for e in late]
            self._late_text = []
        self._open_from = len(self.events)

    def _text_block(self, text: str) -> None:
        shown = printable(text).strip()
        self.texts.append(shown)
        if len(self.events) > self._open_from and shown:
            self._late_text.append(shown)

    def _packets(self, block: str) -> None:
        for packet in _split(block):
            self._packet(packet)

    def _packet(self, packet: str) -> None:
        rest = self._leading_modifiers(packet)
        if rest.startswith("A") and len(self.events) > self._open_from and not _is_known_event(rest):
            self._text_block(rest[1:])  # extended SIA3
            return
        if not rest:
            return
        found = _EVENT.match(rest)
        if found is None:
            self._unread(rest)
            return
        self.events.append(self._event(found))

    def _leading_modifiers(self, packet: str) -> str:
        """Take modifiers off the front; one may be followed directly by the next or by the event (dc09.md 16)."""
        position = 0
        while (found := _MODIFIER.match(packet, position)) is not None:
            name = found["date"] or found["clock"] or found["name"] or found["other"]
            value = found["day"] or found["time"] or found["digits"] or found["value"]
            self._modifiers.append((name, value))
            position = found.end()
        return packet[position:]

    def _event(self, found: re.Match[str]) -> SiaEvent:
        held = dict(self._modifiers)
        pieces = (found["text"], found["quoted"], found["rest"])
        return SiaEvent(
            code=found["code"],
            number=found["number"],
            area=held.get("ri", ""),
            user=held.get("id", ""),
            text=" ".join(shown for piece in pieces if piece and (shown := printable(piece).strip())),
            time=held.get("ti", ""),
            date=held.get("da", ""),
            units=printable(found["units"] or found["unit"] or "").strip(),
            old=self._old,
            known=inbound_sia(found["code"]).known,
            modifiers=tuple(self._modifiers),
        )

    def _unread(self, text: str) -> None:
        shown = printable(text).strip()
        if shown:
            self.raw.append(shown)


def _is_known_event(text: str) -> bool:
    found = _BARE_EVENT.match(text)
    return found is not None and inbound_sia(found["code"]).known


def _split(block: str) -> list[str]:
    """At every `/` outside `^…^` (event-codes.md 2.4)."""
    return [found[1] for found in _PACKETS.finditer(block)] if "^" in block else block.split("/")
