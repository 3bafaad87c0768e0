"""The message as stations' software reads it: plain text, pictures attached (receivers.md 1.3). Pure.

Written byte by byte: decoders on the other side are often simple, and the form shall not change with a library.
"""

import base64
import hashlib
import quopri
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from typing import Literal

from msgspec import Struct

from tocsin.destinations.files import File
from tocsin.protocols.text import ascii_of

LONGEST_LINE = 990
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_LONGEST_SUBJECT = 200
_COLUMNS = 76
_LONGEST_FILE_NAME = 60
_UNFIT_FOR_FILES = re.compile(r"[^A-Za-z0-9_-]+")
_CONTENT_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}\Z")


class PlainMail(Struct, frozen=True):
    """What is said, to whom, and under which identity. Subject, text and file names may hold anything.

    `ascii_only` spells subject and text without accents.
    """

    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    event_id: str
    destination: str
    attachments: Sequence[File] = ()
    disposition: Literal["attachment", "inline"] = "attachment"
    ascii_only: bool = False


def plain_mail(mail: PlainMail, sent_at: datetime) -> bytes:
    """The message: 7-bit clean, lines end in CR LF, the same for the same arguments."""
    identity = message_id(mail.event_id, mail.destination, mail.sender)
    headers = [*envelope_headers(mail.sender, mail.recipients, _subject(mail), sent_at, identity, mail.event_id)]
    headers.append(("MIME-Version", "1.0"))
    part = _text_part(ascii_of(clean_text(mail.text)) if mail.ascii_only else clean_text(mail.text))
    if not mail.attachments:
        return written_headers(headers) + part + b"\r\n"
    parts = [part, *_file_parts(mail)]
    boundary = _boundary(identity, part)
    headers.append(("Content-Type", f'multipart/mixed; boundary="{boundary}"'))
    opening = b"--" + boundary.encode() + b"\r\n"
    return (
        written_headers(headers)
        + b"\r\n"
        + b"".join(opening + one + b"\r\n" for one in parts)
        + (b"--" + boundary.encode() + b"--\r\n")
    )


def message_id(event_id: str, destination: str, sender: str) -> str:
    """The same on every retry (receivers.md 1.3)."""
    plain = event_id if _PLAIN_ID.match(event_id) else hashlib.sha256(event_id.encode("utf-8", "replace")).hexdigest()
    return f"<{plain}.{destination}@{sender.partition('@')[2]}>"


def envelope_headers(
    sender: str, recipients: Sequence[str], subject: str, sent_at: datetime, identity: str, event_id: str
) -> list[tuple[str, str]]:
    """The headers of every mail of ours, in their order."""
    return [
        ("From", sender),
        ("To", ",\r\n ".join(recipients)),
        ("Subject", encoded_header("Subject", subject)),
        ("Date", format_datetime(sent_at)),
        ("Message-ID", identity),
        ("X-Event-ID", one_line(event_id)),
        ("Auto-Submitted", "auto-generated"),
    ]


def written_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii", "replace")


def encoded_header(name: str, text: str) -> str:
    """A header's value in RFC 2047, folded; printable ASCII stays as it is."""
    if text.isascii() and "=?" not in text and len(text) + len(name) < LONGEST_LINE:
        return text
    return Header(text, "utf-8", maxlinelen=76, header_name=name).encode(linesep="\r\n")


def one_line(text: str) -> str:
    """Nothing that could end a header or a line, and only what UTF-8 can carry."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(char if char.isprintable() else " " for char in clean).split())


def short(text: str, longest: int = _LONGEST_SUBJECT) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def clean_text(text: str) -> str:
    """Lines divided by LF, none empty at the end; what is not printable is a blank."""
    clean = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in clean).rstrip("\n")


def file_name(name: str) -> str:
    """A name that any file system takes: ASCII letters, digits, `_`, `-`, and one dot before the ending."""
    stem, dot, ending = ascii_of(name).rpartition(".") if "." in name else (ascii_of(name), "", "")
    stem = _UNFIT_FOR_FILES.sub("_", stem)[:_LONGEST_FILE_NAME] or "file"
    return f"{stem}{dot}{_UNFIT_FOR_FILES.sub('_', ending)[:8]}".rstrip(".")


def transfer_encoding(text: str) -> Literal["7bit", "quoted-printable"]:
    """7bit whenever the text is ASCII (receivers.md 1.3)."""
    fits = text.isascii() and all(len(line) <= LONGEST_LINE for line in text.split("\n"))
    return "7bit" if fits else "quoted-printable"


def _subject(mail: PlainMail) -> str:
    text = one_line(mail.subject)
    return ascii_of(short(text)) if mail.ascii_only else short(text)


def _text_part(text: str) -> bytes:
    """Headers, an empty line, the text without a line end behind it."""
    encoding = transfer_encoding(text)
    charset = "us-ascii" if text.isascii() else "utf-8"
    data = text.encode("utf-8")
    if encoding == "quoted-printable":
        data = quopri.encodestring(data)
    head = [("Content-Type", f'text/plain; charset="{charset}"'), ("Content-Transfer-Encoding", encoding)]
    return written_headers(head) + b"\r\n" + data.replace(b"\n", b"\r\n")


def _file_parts(mail: PlainMail) -> list[bytes]:
    return [_file_part(one, name, mail.disposition) for one, name in zip(mail.attachments, _names(mail), strict=True)]


def _names(mail: PlainMail) -> list[str]:
    """Each name once: two files of one name would hide one another."""
    names: list[str] = []
    for n, one in enumerate(mail.attachments, start=1):
        name = file_name(one.name)
        names.append(f"{n}_{name}" if name in names else name)
    return names


def _file_part(file: File, name: str, disposition: str) -> bytes:
    content_type = file.content_type if _CONTENT_TYPE.match(file.content_type) else "application/octet-stream"
    head = [
        ("Content-Type", f'{content_type}; name="{name}"'),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f'{disposition}; filename="{name}"'),
    ]
    return written_headers(head) + b"\r\n" + _base64_lines(file.data)


def _base64_lines(data: bytes) -> bytes:
    """Lines of 76 columns."""
    encoded = base64.b64encode(data)
    return b"\r\n".join(encoded[n : n + _COLUMNS] for n in range(0, len(encoded), _COLUMNS))


def _boundary(identity: str, text: bytes) -> str:
    """Fixed by the content, so that a mail can be rendered again; no content can hold a hash of itself."""
    return f"=_{hashlib.sha256(identity.encode() + text).hexdigest()[:24]}"
