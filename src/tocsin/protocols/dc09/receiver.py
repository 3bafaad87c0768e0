"""The receiver's decision on one frame, in the order of dc09.md 12. Pure: the caller stores, then sends the reply."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import blake2b
from typing import Literal, Protocol

from msgspec import Struct

from tocsin.protocols.dc09.cipher import Randomness, make_pad
from tocsin.protocols.dc09.errors import KeyMissing, Unreadable, WrongKey
from tocsin.protocols.dc09.frames import RawFrame, wrap
from tocsin.protocols.dc09.message import Header, Message, extended_data, header, plain_parts, read_payload
from tocsin.protocols.dc09.replies import ACK_PAD, ack, duh, nak
from tocsin.protocols.dc09.timestamps import AHEAD, BEHIND, in_window, read_time

# dc09.md 4. Dialler formats other than SIA-DCS and ADM-CID are carried as opaque bytes.
LINK_TESTS = frozenset({"NULL", "XNM"})
REPLIES = frozenset({"ACK", "NAK", "DUH", "RSP"})
EVENTS = frozenset(
    {
        "SIA-DCS",
        "ADM-CID",
        "SIA-PUL",
        "ACR-SF",
        "ADM-41E",
        "ADM-42E",
        "ADM-HS",
        "DSC-43",
        "FBI-SF",
        "ITI-I",
        "SCN-S8",
        "SCN-S16",
        "SCN-S24",
        "SCT",
        "SES-SS",
        "SIA-S2K",
        "SK-FSK1",
        "SK-FSK2",
    }
)
_FAILURES_PER_MINUTE = 10
_MINUTE = timedelta(minutes=1)
_MOST_LINES = 4096
_SEQ_DIGITS = 4

AnswerReason = Literal[
    "unreadable", "unknown_token", "unknown_account", "plain_refused", "no_key", "wrong_key", "time_window"
]
SilenceReason = Literal["reply_token", "decrypt_limit"]
TakeFlag = Literal["time_unreadable", "account_differs"]


class AccountRule(Struct, frozen=True):
    """How one account is received. `account` is its name in the caller's tables.

    `zone` and `day_first` are for panels whose timestamps are not as the standard has them (dc09.md 16).
    """

    account: str
    key: bytes | None = None
    allow_plain: bool = False
    check_plain_time: bool = False
    repeat_window_s: float = 90.0
    zone: tzinfo = UTC
    day_first: bool = False
    ahead: timedelta = AHEAD
    behind: timedelta = BEHIND

    def __repr__(self) -> str:
        return f"AccountRule({self.account!r}, key={'…' if self.key else None})"


class Accounts(Protocol):
    def find(self, receiver: str | None, prefix: str | None, account: str) -> AccountRule | None:
        """The rule for an address as received (dc09.md 6); None: not configured."""


class AccountTable:
    """Accounts by (receiver, prefix, account), without regard to case; the first two may be left open.

    The most exact entry wins: receiver and prefix, receiver, prefix, account alone.
    """

    def __init__(self, entries: Iterable[tuple[str | None, str | None, str, AccountRule]]) -> None:
        self._rules = {
            (_folded(receiver), _folded(prefix), account.upper()): rule for receiver, prefix, account, rule in entries
        }

    def find(self, receiver: str | None, prefix: str | None, account: str) -> AccountRule | None:
        outer, inner, number = _folded(receiver), _folded(prefix), account.upper()
        for address in ((outer, inner, number), (outer, None, number), (None, inner, number), (None, None, number)):
            rule = self._rules.get(address)
            if rule is not None:
                return rule
        return None


def _folded(field: str | None) -> str | None:
    return None if field is None else field.upper()


class Take(Struct, frozen=True, gc=False):
    """Deliver this, and send `reply` once it is stored.

    `account` is the one the event belongs to: the data's own where it names one, else the frame's (dc09.md 7).
    `sent_at` is the message's time, corrected by the rule; None where there is none to be read.
    `repeat_key` recognises a retransmission within `rule.repeat_window_s`; empty: never a repeat.
    """

    message: Message
    rule: AccountRule
    reply: bytes
    repeat_key: bytes
    link_test: bool
    account: str
    sent_at: datetime | None = None
    flags: tuple[TakeFlag, ...] = ()


class Answer(Struct, frozen=True):
    """Send this at once and deliver nothing. `account` is as received, for the log."""

    reply: bytes
    reason: AnswerReason
    account: str = ""


class Silence(Struct, frozen=True):
    """Send and deliver nothing."""

    reason: SilenceReason
    account: str = ""


class _Line(Struct, frozen=True):
    """What all plain messages of one header have in common but their number. `tail` is the header behind the number;
    `inner` is how their data begins when it names the same account.
    """

    head: Header
    rule: AccountRule
    tail: bytes
    inner: bytes
    address: bytes


class Receiver:
    """Judges frames for a set of accounts, whose rules do not change while it lives. It remembers how often decryption
    failed of late, and the headers of plain messages it took.
    """

    def __init__(self, accounts: Accounts, failures_per_minute: int = _FAILURES_PER_MINUTE) -> None:
        self._accounts = accounts
        self._most_failures = failures_per_minute
        self._failures: dict[str, tuple[datetime, int]] = {}
        self._lines: dict[bytes, _Line] = {}

    def judge(self, raw: RawFrame, now: datetime, randomness: Randomness) -> Take | Answer | Silence:
        """`now` is aware. Whether the message repeats one that was taken is the store's to say."""
        body = raw.body
        quote, bracket = body.find(b'"', 1), body.find(b"[")
        after = quote + 1 + _SEQ_DIGITS
        seq = body[quote + 1 : after]
        known = body[: quote + 1] + body[after:bracket]
        line = self._lines.get(known)
        if line is not None and after <= bracket and seq.isdigit():
            take = _take_plain(line, seq, raw, bracket + 1)
            if take is not None:
                return take
        verdict = self._judge(raw, now, randomness)
        if line is None and isinstance(verdict, Take) and _is_plain(verdict):
            self._remember(known, raw, verdict.rule, body[after:bracket])
        return verdict

    def _remember(self, known: bytes, raw: RawFrame, rule: AccountRule, tail: bytes) -> None:
        if len(self._lines) >= _MOST_LINES:
            self._lines.clear()
        head = header(raw)
        inner = f"#{head.account}|".encode()
        self._lines[known] = _Line(head, rule, tail, inner, _address(head).encode())

    def _judge(self, raw: RawFrame, now: datetime, randomness: Randomness) -> Take | Answer | Silence:
        try:
            head = header(raw)
        except Unreadable:
            return Answer(_duh_to_nobody(raw), "unreadable")
        if head.token in REPLIES:
            return Silence("reply_token", head.account)
        rule = self._accounts.find(head.receiver, head.prefix, head.account)
        refusal = _refusal(head, rule)
        if refusal or rule is None:
            return Answer(duh(head, raw.binary_crc), refusal or "unknown_account", head.account)
        try:
            message = read_payload(head, raw, rule.key)
        except (WrongKey, KeyMissing):
            return self._wrong_key(head, raw, rule, now)
        return self._timely(message, raw, rule, now, randomness)

    def _timely(
        self, message: Message, raw: RawFrame, rule: AccountRule, now: datetime, randomness: Randomness
    ) -> Take | Answer | Silence:
        sent_at = _sent_at(message, rule)
        if message.encrypted and sent_at is None:  # dc09.md 8: not authentic
            return Answer(duh(message, raw.binary_crc), "wrong_key", message.account)
        checked = message.encrypted or rule.check_plain_time
        if checked and sent_at is not None and not in_window(sent_at, now, rule.ahead, rule.behind):
            return Answer(nak(now, raw.binary_crc), "time_window", message.account)
        pad = make_pad(ACK_PAD, randomness) if message.encrypted else b""
        reply = ack(message, now, rule.key, pad, raw.binary_crc)
        return _take(message, rule, reply, sent_at)

    def _wrong_key(self, head: Header, raw: RawFrame, rule: AccountRule, now: datetime) -> Answer | Silence:
        """DUH, but not without end. Decryption goes on: a limit there would let anybody lock the true panel out."""
        since, count = self._failures.get(rule.account, (now, 0))
        if not timedelta(0) <= now - since < _MINUTE:
            since, count = now, 0
        self._failures[rule.account] = since, count + 1
        if count >= self._most_failures:
            return Silence("decrypt_limit", head.account)
        return Answer(duh(head, raw.binary_crc), "wrong_key", head.account)


def _refusal(head: Header, rule: AccountRule | None) -> AnswerReason | None:
    """dc09.md 12, rules 3 and 4, as far as the header tells."""
    if head.token not in EVENTS and head.token not in LINK_TESTS:
        return "unknown_token"
    if rule is None:
        return "unknown_account"
    if head.encrypted:
        return None if rule.key else "no_key"
    return "plain_refused" if rule.key and not rule.allow_plain else None


def _sent_at(message: Message, rule: AccountRule) -> datetime | None:
    if rule.zone is UTC and not rule.day_first:
        return message.timestamp
    return read_time(message.timestamp_raw, rule.zone, rule.day_first)


def _is_plain(take: Take) -> bool:
    """Whether messages with the same header can be taken by `_take_plain`."""
    message, rule = take.message, take.rule
    as_standard = rule.zone is UTC and not rule.day_first and not rule.check_plain_time
    return as_standard and not message.encrypted and message.token in ("SIA-DCS", "ADM-CID")


def _take_plain(line: _Line, seq: bytes, raw: RawFrame, start: int) -> Take | None:
    """What `_judge` makes of a message in a header it has taken before; None where there is more to look at."""
    head = line.head
    data, blocks, stamp = plain_parts(raw.body, start)
    sent_at = read_time(stamp) if stamp else None
    if not data.startswith(line.inner) or (stamp and sent_at is None):
        return None
    address = (head.account, head.prefix, head.receiver)
    extended = extended_data(blocks) if blocks else ()
    number = seq.decode()
    message = Message(head.token, number, *address, False, data, extended, sent_at, stamp, head.marked)
    if extended:
        key = repeat_key(message)
    else:
        said = b"%b/%b/%b" % (line.address, seq, head.token.encode())
        key = blake2b(b"%d:%b%d:%b" % (len(said), said, len(data), data), digest_size=16).digest()
    reply = wrap(b'"ACK"%b%b[]' % (seq, line.tail), raw.binary_crc)
    return Take(message, line.rule, reply, key, False, head.account, sent_at)


def _take(message: Message, rule: AccountRule, reply: bytes, sent_at: datetime | None) -> Take:
    link_test = message.token in LINK_TESTS
    inner = inner_account(message)
    flags: list[TakeFlag] = []
    if sent_at is None and message.timestamp_raw:
        flags.append("time_unreadable")
    if inner and inner.upper() != message.account.upper():
        flags.append("account_differs")
    return Take(
        message=message,
        rule=rule,
        reply=reply,
        repeat_key=b"" if link_test else repeat_key(message),
        link_test=link_test,
        account=inner or message.account,
        sent_at=sent_at,
        flags=tuple(flags),
    )


def inner_account(message: Message) -> str:
    """The account inside the data of a SIA-DCS or ADM-CID message, `#acct|…`; empty where there is none."""
    if message.token not in ("SIA-DCS", "ADM-CID"):
        return ""
    first, separator, _ = message.data.partition(b"|")
    if not separator or not first.startswith(b"#") or not first[1:].isascii():
        return ""
    return first[1:].decode()


def repeat_key(message: Message) -> bytes:
    """Equal for a message and its retransmissions, which have another pad and time (dc09.md 13.3)."""
    parts = [f"{_address(message)}/{message.seq}/{message.token}".encode(), message.data]
    if message.extended:
        parts += [each.letter.encode() + each.value for each in message.extended]
    return blake2b(b"".join([b"%d:%b" % (len(part), part) for part in parts]), digest_size=16).digest()


def _address(of: Message | Header) -> str:
    return f"{_folded(of.receiver)}/{_folded(of.prefix)}/{of.account.upper()}"


def _duh_to_nobody(raw: RawFrame) -> bytes:
    """DUH to a header that cannot be read has no address to repeat; it takes NAK's form."""
    return duh(Message("", "0000", "A0", prefix="0", receiver="0", marked=False), raw.binary_crc)
