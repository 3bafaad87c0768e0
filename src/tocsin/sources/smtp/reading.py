"""A mail as it came over SMTP, and what an alarm can be made of. Pure; any bytes give a reading."""

from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from typing import Any, cast

from lxml import etree
from msgspec import Struct

from tocsin.engine.contracts import PhotoIn
from tocsin.protocols.text import decoded, printable

MOST_PARTS = 100
MOST_TAKEN_APART = 1000
"""Parts of which anything is made at all: a mail of six bytes each could have millions of them."""
LONGEST_HEADER = 2000
"""Of each part. Python's parser takes a header's parameters apart in a time that grows with the square of its length.
"""
MOST_PHOTOS = 20
LONGEST_SUBJECT = 500
LONGEST_TEXT = 16_000


class Reading(Struct, frozen=True):
    """`text` keeps its lines. `problems` are for the log and the answer: what of the mail could not be used."""

    subject: str = ""
    sender: str = ""
    message_id: str = ""
    date: str = ""
    text: str = ""
    photos: tuple[PhotoIn, ...] = ()
    problems: tuple[str, ...] = ()


class _ShortHeaders(policy.Compat32):
    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:LONGEST_HEADER]


_SHORT_HEADERS = _ShortHeaders()


class _PartsMade:
    """Makes the parts of one mail, so many and no more."""

    def __init__(self) -> None:
        self._left = MOST_TAKEN_APART

    def __call__(self, policy: policy.Policy) -> Message:
        self._left -= 1
        if self._left < 0:
            raise MessageError(f"more than {MOST_TAKEN_APART} parts")
        return Message(policy)


def read_mail(data: bytes) -> Reading:
    """Never fails: an alarm in a badly made mail is still an alarm."""
    try:
        message = message_from_bytes(data, cast("type[Message]", _PartsMade()), policy=_SHORT_HEADERS)
        return _reading(message)
    except (MessageError, ValueError, LookupError, RecursionError, TypeError, AttributeError, IndexError) as error:
        # Python's mail parser has raised each of these on some broken mail.
        lines = decoded(data[:LONGEST_TEXT])
        return Reading(text=_clean(lines), problems=(f"the mail cannot be taken apart: {type(error).__name__}",))


def _reading(message: Message) -> Reading:
    texts: list[str] = []
    pages: list[str] = []
    photos: list[PhotoIn] = []
    problems: list[str] = []
    for n, part in enumerate(message.walk()):
        if n >= MOST_PARTS:
            problems.append(f"more than {MOST_PARTS} parts")
            break
        kind = part.get_content_type()
        if kind.startswith("image/") or _named_like_a_jpeg(part):
            photos.append(PhotoIn(_body(part), "image/jpeg" if _named_like_a_jpeg(part) else kind))
        elif kind == "text/plain":
            texts.append(_text(part))
        elif kind == "text/html":
            pages.append(_text(part))
    if len(photos) > MOST_PHOTOS:
        problems.append(f"more than {MOST_PHOTOS} pictures")
    words = "\n".join(texts) or "\n".join(_seen(page) for page in pages)
    return Reading(
        subject=_clean(_header(message, "Subject"), LONGEST_SUBJECT).replace("\n", " ").strip(),
        sender=_clean(_header(message, "From"), LONGEST_SUBJECT),
        message_id=_clean(_header(message, "Message-ID"), LONGEST_SUBJECT).strip(),
        date=_clean(_header(message, "Date"), LONGEST_SUBJECT).strip(),
        text=_clean(words),
        photos=tuple(photos[:MOST_PHOTOS]),
        problems=tuple(problems),
    )


def _named_like_a_jpeg(part: Message) -> bool:
    """Some cameras send pictures as application/octet-stream."""
    name = part.get_filename() or ""
    return not part.is_multipart() and name.lower().endswith((".jpg", ".jpeg"))


def _body(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: Message) -> str:
    data = _body(part)[: 4 * LONGEST_TEXT]
    charset = part.get_content_charset() or ""
    try:
        return data.decode(charset) if charset else decoded(data)
    except (LookupError, ValueError):
        return decoded(data)


def _header(message: Message, name: str) -> str:
    raw = str(message.get(name, ""))
    try:
        return str(make_header(decode_header(raw)))
    except (ValueError, LookupError, MessageError):
        return raw


def _clean(text: str, longest: int = LONGEST_TEXT) -> str:
    lines = [printable(line) for line in text[:longest].replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return decoded("\n".join(lines).strip())


class _Words:
    """Told of by the parser, which is linear in the length of the page, however crooked."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._hidden = 0

    def start(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("script", "style")
        if tag in ("br", "p", "div", "tr", "li"):
            self._words.append("\n")

    def end(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def data(self, text: str) -> None:
        if not self._hidden:
            self._words.append(text)

    def close(self) -> str:
        return "".join(self._words)


def _seen(page: str) -> str:
    """What a reader of an HTML mail sees."""
    heard: Any = _Words()
    parser = etree.HTMLParser(target=heard, no_network=True)
    try:
        parser.feed(decoded(page.replace("\0", " ")))
        words = cast("str", parser.close())
    except (etree.LxmlError, ValueError):
        return page
    return "\n".join([line.strip() for line in words.split("\n") if line.strip()])
