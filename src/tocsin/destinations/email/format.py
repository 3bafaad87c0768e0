"""One event as one mail: text and HTML, photos inside or attached (receivers.md 12, stations.md 7.7). Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from typing import Literal
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from msgspec import Struct

from tocsin.destinations.mailing.message import (
    envelope_headers,
    message_id,
    one_line,
    short,
    transfer_encoding,
    written_headers,
)
from tocsin.model.event import Event, Photo
from tocsin.model.kinds import Lane, lane_of
from tocsin.model.wording import headline, local_time, objects

Carry = Literal["inline", "attached", "both", "none"]
_COLOURS = {Lane.ALARM: "#c62828", Lane.STATUS: "#b26a00", Lane.ROUTINE: "#546e7a"}
_RESTORED = "#2e7d32"
_TEMPLATES = Environment(
    loader=PackageLoader("tocsin.destinations.email", "."),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
)


class Letter(Struct, frozen=True):
    """What a mail is made from besides the event. `sent_at`: of this attempt. `note`: about photos left out."""

    destination: str
    sender: str
    recipients: tuple[str, ...]
    sent_at: datetime
    photos: Sequence[Photo] = ()
    carry: Carry = "inline"
    note: str = ""


def mail(event: Event, letter: Letter) -> bytes:
    """The message as it goes out: lines end in CR LF, 7-bit clean, the same for the same arguments."""
    identity = message_id(event.id, letter.destination, letter.sender)
    text, html = text_body(event, letter), html_body(event, letter)
    message = _parts(event, letter, text, html)
    _set_boundaries(message, identity + text + html)
    headers = envelope_headers(letter.sender, letter.recipients, subject(event), letter.sent_at, identity, event.id)
    return written_headers(headers) + message.as_bytes(policy=SMTP)


def subject(event: Event) -> str:
    """`[North depot] Person detected - Detector: 2DAD` (receivers.md 12)."""
    account = event.address.account if event.address else ""
    site = event.place.area or account
    what = " - ".join(part for part in (headline(event), event.place.name or event.device_id) if part)
    text = one_line(("TEST " if event.is_test else "") + (f"[{site}] " if site else "") + what)
    return short(text)


def text_body(event: Event, letter: Letter) -> str:
    """The plain text; the coordinates stand on a line of their own, so that software can find them."""
    position = f"{event.location.lat + 0:.6g},{event.location.lon + 0:.6g}" if event.location else ""
    return _TEMPLATES.get_template("mail.txt").render(
        title=_title(event), facts=list(facts(event)), url=_link(event), position=position, photos_note=letter.note
    )


def html_body(event: Event, letter: Letter) -> str:
    """The same for the eye; photos are referred to by Content-ID."""
    inline = letter.photos if letter.carry in ("inline", "both") else ()
    colour = _RESTORED if event.state == "restore" else _COLOURS[lane_of(event.kind)]
    return _TEMPLATES.get_template("mail.html").render(
        title=_title(event), facts=list(facts(event)), url=_link(event), colour=colour, photos_note=letter.note,
        pictures=[(_cid(photo), f"Photo {photo.n}") for photo in inline],
    )  # fmt: skip


def facts(event: Event) -> Iterator[tuple[str, str]]:
    """Names and values for people, in reading order; only what is known."""
    moment = local_time(event)
    account = event.address.account if event.address else ""
    battery = "" if event.battery is None else f"{event.battery}%"
    signal = "" if event.signal_asu is None else f"{event.signal_asu} ASU"
    position = f"{event.location.lat + 0:.6g}, {event.location.lon + 0:.6g}" if event.location else ""
    rows = (
        ("When", f"{moment:%Y-%m-%d %H:%M:%S} ({_offset(moment)})"),
        ("Site", event.place.area),
        ("Device", event.place.name or event.device_id),
        ("Account", account),
        ("Zone", (event.address.zone or "") if event.address else ""),
        ("User", event.user),
        ("Seen", ", ".join(objects(event))),
        ("Remark", event.text),
        ("Battery", battery),
        ("Signal", signal),
        ("Position", position),
        ("Event", event.id),
    )
    return ((name, one_line(value)) for name, value in rows if value)


def _title(event: Event) -> str:
    return ("TEST: " if event.is_test else "") + headline(event)


def _offset(moment: datetime) -> str:
    offset = moment.strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else "UTC"


def _link(event: Event) -> str:
    """Only web links become clickable."""
    try:
        parts = urlsplit(event.url)
    except ValueError:
        return ""
    return one_line(event.url) if parts.scheme in ("http", "https") and parts.netloc else ""


def _parts(event: Event, letter: Letter, text: str, html: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message.set_content(text, cte=transfer_encoding(text))
    message.add_alternative(html, subtype="html", cte=transfer_encoding(html))
    if letter.carry in ("inline", "both"):
        for photo in letter.photos:
            page = _html_part(message)
            page.add_related(
                photo.data, "image", "jpeg", cid=f"<{_cid(photo)}>", disposition="inline",
                filename=_file_name(event, photo),
            )  # fmt: skip
    if letter.carry in ("attached", "both"):
        for photo in letter.photos:
            message.add_attachment(photo.data, "image", "jpeg", filename=_file_name(event, photo))
    return message


def _html_part(message: EmailMessage) -> MIMEPart:
    *_, last = message.iter_parts()
    assert isinstance(last, MIMEPart)
    return last


def _cid(photo: Photo) -> str:
    return f"photo{photo.n}.{photo.sha256[:16]}@tocsin"


def _file_name(event: Event, photo: Photo) -> str:
    return f"{event.occurred_at:%Y%m%d_%H%M%S}_{photo.n:02}.jpg"


def _set_boundaries(message: EmailMessage, seed: str) -> None:
    """Fixed by the content, so that a mail can be rendered again; no content can hold a hash of itself."""
    digest = hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:24]
    for n, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{digest}_{n}")
