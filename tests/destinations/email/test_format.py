import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.destinations.email.addressing import address_of, recipients_of
from tocsin.destinations.email.format import Letter, mail, subject
from tocsin.destinations.email.settings import EmailSettings
from tocsin.destinations.mailing.message import message_id
from tocsin.model.device import Device
from tocsin.model.event import Actor, Address, Event, Location, Photo, Place

AT = datetime(2024, 5, 30, 19, 20, 0, tzinfo=UTC)
LETTER = Letter("people", "gw@example.net", ("a@example.net", "b@example.org"), AT)


def people(to: list[str]) -> EmailSettings:
    return EmailSettings(name="people", type="email", hosts=["mail.example.net"], sender="gw@example.net", to=to)


def parsed(event: Event, **changes: Any) -> EmailMessage:
    letter = Letter(**{name: getattr(LETTER, name) for name in LETTER.__struct_fields__} | changes)
    data = mail(event, letter)
    assert data.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    message = message_from_bytes(data, policy=default)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


def content(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_headers(make_event: Callable[..., Event]) -> None:
    message = parsed(make_event())
    assert {name: str(message[name]) for name in message} == {
        "From": "gw@example.net",
        "To": "a@example.net, b@example.org",
        "Subject": "[North depot] Person detected - Detector: 2DAD",
        "Date": "Thu, 30 May 2024 19:20:00 +0000",
        "Message-ID": "<01J8ZQ5C7Q0000000000000001.people@example.net>",
        "X-Event-ID": "01J8ZQ5C7Q0000000000000001",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": str(message["Content-Type"]),
    }


def test_the_text_byte_for_byte(make_event: Callable[..., Event]) -> None:
    assert content(parsed(make_event(text="north gate")), "plain").rstrip() == (
        "Person detected\n\n"
        "When: 2024-05-30 22:15:04 (UTC+03:00)\n"
        "Site: North depot\n"
        "Device: Detector: 2DAD\n"
        "Seen: person 93%\n"
        "Remark: north gate\n"
        "Battery: 87%\n"
        "Signal: 19 ASU\n"
        "Position: 59.437, 24.752\n"
        "Event: 01J8ZQ5C7Q0000000000000001\n\n"
        "https://gw.example.net/e/7Q2M\n\n"
        "59.437,24.752"
    )


def test_ascii_stays_seven_bit_and_the_rest_is_quoted(make_event: Callable[..., Event]) -> None:
    encodings = [part["Content-Transfer-Encoding"] for part in parsed(make_event()).iter_parts()]
    assert encodings == ["7bit", "7bit"]
    quoted = parsed(make_event(place=Place("Värav", area="Põhi")))
    assert [part["Content-Transfer-Encoding"] for part in quoted.iter_parts()] == ["quoted-printable"] * 2
    assert quoted["Subject"] == "[Põhi] Person detected - Värav"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"flags": ("test",)}, "TEST [North depot] Person detected - Detector: 2DAD"),
        ({"kind": "tamper", "state": "restore"}, "[North depot] Tamper: restored - Detector: 2DAD"),
        ({"place": Place(), "actors": (Actor("car"),)}, "Vehicle detected - 01AD2DD41C0000C1"),
        ({"place": Place(), "device_id": "", "address": Address("0042")}, "[0042] Person detected"),
        ({"place": Place("x\r\nBcc: e@x.io", area="a\x00b\u2028c")}, "[a b c] Person detected - x Bcc: e@x.io"),
    ],
)  # fmt: skip
def test_subjects(make_event: Callable[..., Event], changes: dict[str, Any], line: str) -> None:
    event = make_event(**changes)
    assert subject(event) == line
    message = parsed(event)
    assert message["Subject"] == line
    assert message["Bcc"] is None


@pytest.mark.parametrize(("carry", "inline", "attached"), [("inline", 2, 0), ("attached", 0, 2), ("both", 2, 2)])
def test_photos(
    make_event: Callable[..., Event], make_photo: Callable[..., Photo], carry: str, inline: int, attached: int
) -> None:
    photos = [make_photo(1), make_photo(2)]
    message = parsed(make_event(), photos=photos, carry=carry)
    images = [part for part in message.walk() if part.get_content_type() == "image/jpeg"]
    shown = [part for part in images if part.get_content_disposition() == "inline"]
    assert [part.get_content() for part in shown] == [photo.data for photo in photos][:inline]
    html = content(message, "html")
    assert [f"cid:{part['Content-ID'].strip('<>')}" in html for part in shown] == [True] * inline
    behind = [part.get_content() for part in message.iter_attachments()] if carry != "inline" else []
    assert behind == [photo.data for photo in photos][:attached]
    names = {part.get_filename() for part in images}
    assert names == {"20240530_191504_01.jpg", "20240530_191504_02.jpg"}


def test_the_same_event_gives_the_same_mail(make_event: Callable[..., Event], make_photo: Callable[..., Photo]) -> None:
    letter = Letter("people", "gw@example.net", ("a@example.net",), AT, [make_photo(1)], "both", "a note")
    assert mail(make_event(), letter) == mail(make_event(), letter)


def test_the_html_escapes_and_links_only_to_the_web(make_event: Callable[..., Event]) -> None:
    evil = make_event(place=Place("<script>alert(1)</script>", area='"><img src=x>'), url="javascript:alert(1)")
    html = content(parsed(evil), "html")
    assert "<script>" not in html
    assert "<img" not in html
    assert "javascript:" not in html
    assert "&lt;script&gt;" in html
    assert 'href="https://gw.example.net/e/7Q2M"' in content(parsed(make_event()), "html")


@pytest.mark.parametrize("event_id", ["01J8ZQ5C7Q0000000000000001", "a:b@c.d", "x" * 200, "<>\r\n"])
def test_message_ids_are_stable_and_well_formed(make_event: Callable[..., Event], event_id: str) -> None:
    event = make_event(id=event_id)
    identity = message_id(event.id, "people", "gw@example.net")
    assert re.fullmatch(r"<[A-Za-z0-9_-]{1,64}\.people@example\.net>", identity)
    assert identity == message_id(make_event(id=event_id, text="other").id, "people", "gw@example.net")
    assert identity != message_id(event.id, "others", "gw@example.net")
    assert parsed(event)["Message-ID"] == identity


wild = st.text(st.characters(exclude_categories=()), max_size=120)


@settings(max_examples=60, deadline=None)
@given(name=wild, area=wild, text=wild, url=wild, event_id=wild, user=wild)
@example("=?utf-8?q?x?=", "=?utf-8?b?", "\r\n.\r\n", "https://[", "\r\nX: y", "--=_")
def test_any_text_leaves_the_mail_whole(name: str, area: str, text: str, url: str, event_id: str, user: str) -> None:
    event = Event(
        event_id, "motion", AT, AT, "s", place=Place(name, area=area), text=text, url=url, user=user, device_id="d",
        location=Location(0.0, -0.0),
    )  # fmt: skip
    message = parsed(event, photos=[Photo(1, b"\xff\xd8\xff\xd9", "0" * 64)], carry="both")
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/jpeg",
        "image/jpeg",
    ]  # fmt: skip
    assert list(message.keys())[:7] == ["From", "To", "Subject", "Date", "Message-ID", "X-Event-ID", "Auto-Submitted"]
    assert message["Subject"] == subject(event)
    assert "\nWhen: 2024-05-30 19:20:00 (UTC)\n" in content(message, "plain")


@pytest.mark.parametrize(
    ("description", "listed", "default", "address", "part"),
    [
        ("Gate, Email:x@example.net+y@example.net", "z@example.net", ["d@e.net"], "x@example.net,y@example.net", ""),
        ("Gate", "z@example.net", ["d@example.net"], "z@example.net", ""),
        ("Gate", "", ["d@example.net", "e@example.net"], "d@example.net,e@example.net", ""),
        ("Gate", "", [], "", "there is no address for people"),
        ("Gate", "4711", ["d@example.net"], "", "is no mail address"),
    ],
)  # fmt: skip
def test_recipients(
    make_event: Callable[..., Event], description: str, listed: str, default: list[str], address: str, part: str
) -> None:
    device = Device(
        "01AD2DD41C0000C1", description=description, addresses={"people": Address(listed)} if listed else {}
    )
    found = address_of(people(default), make_event(address=Address("9280")), device)
    assert found.address == address
    assert part in found.problem
    assert bool(found.problem) is bool(part)
    assert recipients_of(address) == tuple(address.split(",") if address else ())


def test_a_wrong_tag_is_passed_over_with_a_warning(make_event: Callable[..., Event]) -> None:
    found = address_of(people(["d@example.net"]), make_event(), Device("d", description="Email:nobody"))
    assert (found.address, "Email:nobody" in found.warning) == ("d@example.net", True)
