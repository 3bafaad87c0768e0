"""DC-09 messages: from the body of a frame to meaning and back (dc09.md 3 to 10)."""

import re
from datetime import datetime

from msgspec import Struct

from tocsin.protocols.dc09.cipher import BLOCK, decrypt, encrypt, pad_length
from tocsin.protocols.dc09.errors import KeyMissing, Unreadable, Unwritable, WrongKey
from tocsin.protocols.dc09.frames import RawFrame, wrap
from tocsin.protocols.dc09.timestamps import format_time, read_time

_ACCOUNT = rb"(#)([!$-Z^-{}~]{0,40})|(A[0-9A-Fa-f]{0,16})"
_HEADER = re.compile(
    rb'"(\*?)([A-Za-z0-9_.+-]{1,20})"([0-9]{4})'
    rb"(?:R([0-9A-Fa-f]{0,16}?))?(?:L([0-9A-Fa-f]{0,16}?))?(?:" + _ACCOUNT + rb")?\["
)
# Receivers put odd things between number and account of a reply: the fields in another order, the word None.
_REPLY_HEADER = re.compile(rb'"(\*?)(ACK|NAK|DUH|RSP)"([0-9]{4})[0-9A-Za-z]{0,40}?(?:' + _ACCOUNT + rb")\[")
_PLAIN = re.compile(rb"([^\]]*)\]((?:\[[^\]]*\])*)(_[0-9:,-]{19})?\Z")
# dc09.md 9: what has to hold of a decrypted text before the key counts as right.
_CLEAR = re.compile(
    rb"[^|\[\]]*(?:\|([^\[\]]*))?\]((?:\[[^\[\]]*\])*)(_[0-9]{2}(?::[0-9]{2}){2},[0-9]{2}-[0-9]{2}-[0-9]{4})\Z"
)
_NOT_A_MESSAGE = "the decrypted text is not a message; the key is another one than the sender's"
_STAMP_LENGTH = len("_HH:MM:SS,MM-DD-YYYY")
_FORBIDDEN_IN_PAD = re.compile(rb"[|\[\]]")
_LINE_END = re.compile(rb"[\r\n]")


class Extended(Struct, frozen=True, gc=False):
    """One block of extended data, `[LNorth gate]`: letter `L`, value `North gate`, as the bytes on the wire."""

    letter: str
    value: bytes

    def __repr__(self) -> str:
        return f"Extended({self.letter!r}, {'…' if self.letter == 'K' else self.value!r})"  # K carries a key


class Header(Struct, frozen=True, gc=False):
    """What stands in clear before the data. The strings are as received, without their marks R, L and #.

    None: the field is not there at all; empty: its mark stands alone. `marked` is False for the `A0` that NAK has in
    place of an account. `start` is where the data begins in the body.
    """

    token: str
    seq: str
    account: str
    prefix: str | None
    receiver: str | None
    encrypted: bool
    marked: bool
    start: int


class Message(Struct, frozen=True, gc=False):
    """One message, decrypted. `data` is what stands between `[` and `]`, without the pad.

    The address fields are strings exactly as on the wire (dc09.md 6; see Header). `timestamp` is aware UTC;
    `timestamp_raw` is whatever follows the last block, kept where no time could be read from it.
    """

    token: str
    seq: str
    account: str
    prefix: str | None = "0"
    receiver: str | None = None
    encrypted: bool = False
    data: bytes = b""
    extended: tuple[Extended, ...] = ()
    timestamp: datetime | None = None
    timestamp_raw: bytes = b""
    marked: bool = True


def header(raw: RawFrame) -> Header:
    """The clear part, so that the account can be looked up before its key is needed. Raises Unreadable."""
    match = _HEADER.match(raw.body)
    if match is None:
        return _reply_header(raw.body)
    star, token, seq, receiver, prefix, mark, account, unmarked = match.groups()
    return Header(
        token.decode(),
        seq.decode(),
        (account or unmarked or b"").decode(),
        None if prefix is None else prefix.decode(),
        None if receiver is None else receiver.decode(),
        star == b"*",
        mark is not None,
        match.end(),
    )


def _reply_header(body: bytes) -> Header:
    match = _REPLY_HEADER.match(body)
    if match is None:
        raise Unreadable(f"the header {body[:40]!r} is not that of a DC-09 message")
    star, token, seq, mark, account, unmarked = match.groups()
    number = (account or unmarked or b"").decode()
    return Header(token.decode(), seq.decode(), number, None, None, star == b"*", mark is not None, match.end())


def read(raw: RawFrame, key: bytes | None = None) -> Message:
    """The whole message. Raises Unreadable, KeyMissing, WrongKey."""
    return read_payload(header(raw), raw, key)


def read_payload(head: Header, raw: RawFrame, key: bytes | None = None) -> Message:
    """The rest of a message whose header is known. Raises KeyMissing, WrongKey."""
    if head.encrypted:
        data, blocks, stamp = _clear_parts(raw.body[head.start :], key)
    else:
        data, blocks, stamp = plain_parts(raw.body, head.start)
    timestamp = read_time(stamp) if stamp else None
    if head.encrypted and timestamp is None and read_time(stamp, day_first=True) is None:
        raise WrongKey(_NOT_A_MESSAGE)
    return Message(
        head.token,
        head.seq,
        head.account,
        head.prefix,
        head.receiver,
        head.encrypted,
        data,
        extended_data(blocks) if blocks else (),
        timestamp,
        stamp,
        head.marked,
    )


def plain_parts(body: bytes, start: int) -> tuple[bytes, bytes, bytes]:
    """Data, blocks, timestamp. Never fails: an alarm that is badly formed is still an alarm (dc09.md 12, rule 7)."""
    match = _PLAIN.match(body, start)
    if match:
        return match[1], match[2], match[3] or b""
    data, _, rest = body[start:].partition(b"]")
    end = rest.rfind(b"]") + 1 if rest.startswith(b"[") else 0
    return data, rest[:end], rest[end:]


def _clear_parts(secret: bytes, key: bytes | None) -> tuple[bytes, bytes, bytes]:
    if key is None:
        raise KeyMissing("the message is encrypted and its account has no key")
    try:
        cipher_text = bytes.fromhex(secret.decode("ascii"))
    except ValueError:
        raise WrongKey("the encrypted part is not hexadecimal") from None
    if len(cipher_text) % BLOCK:
        raise WrongKey("the encrypted part is not a whole number of AES blocks")
    match = _CLEAR.match(decrypt(key, cipher_text))
    if match is None:
        raise WrongKey(_NOT_A_MESSAGE)
    return match[1] or b"", match[2], match[3]


def extended_data(blocks: bytes) -> tuple[Extended, ...]:
    return tuple([Extended(chr(block[0]) if block else "", block[1:]) for block in blocks[1:-1].split(b"][")])


def write(message: Message, key: bytes | None = None, pad: bytes = b"", binary_crc: bool = False) -> bytes:
    """The complete frame. `pad` has pad_length(clear_length(message)) bytes; it is used for encrypted messages only.

    Raises KeyMissing, TooLong, Unwritable.
    """
    clear = _header_bytes(message) + b"["
    if not message.encrypted:
        return wrap(_writable(clear + _tail(message)), binary_crc)
    if key is None:
        raise KeyMissing("the message is to be encrypted and there is no key")
    if message.timestamp is None and not message.timestamp_raw:
        raise Unwritable("an encrypted message needs a timestamp (dc09.md 8)")
    whole = _writable(pad + b"|" + _tail(message))
    if len(whole) % BLOCK or _FORBIDDEN_IN_PAD.search(pad):
        raise Unwritable(f"a pad of {len(pad)} bytes does not fill the blocks, or holds one of | [ ]")
    return wrap(clear + encrypt(key, whole).hex().upper().encode(), binary_crc)


def clear_length(message: Message) -> int:
    """Bytes to be encrypted besides the pad."""
    blocks = sum([len(each.letter) + len(each.value) + 2 for each in message.extended]) if message.extended else 0
    stamp = len(message.timestamp_raw) if message.timestamp is None else _STAMP_LENGTH
    return 1 + len(message.data) + 1 + blocks + stamp


def body_length(message: Message) -> int:
    """Bytes of the body as `write` makes it, with the pad it needs."""
    head = len(_header_bytes(message)) + 1
    clear = clear_length(message)
    return head + 2 * (clear + pad_length(clear)) if message.encrypted else head + clear - 1


def _header_bytes(message: Message) -> bytes:
    star = "*" if message.encrypted else ""
    receiver = "" if message.receiver is None else f"R{message.receiver}"
    prefix = "" if message.prefix is None else f"L{message.prefix}"
    mark = "#" if message.marked else ""
    return f'"{star}{message.token}"{message.seq}{receiver}{prefix}{mark}{message.account}'.encode()


def _tail(message: Message) -> bytes:
    blocks = b""
    if message.extended:
        blocks = b"".join([b"[%b%b]" % (each.letter.encode("latin-1"), each.value) for each in message.extended])
    stamp = message.timestamp_raw if message.timestamp is None else b"_" + format_time(message.timestamp)
    return b"%b]%b%b" % (message.data, blocks, stamp)


def _writable(part: bytes) -> bytes:
    if _LINE_END.search(part):
        raise Unwritable("a message holds no line ends (dc09.md 3)")
    return part
