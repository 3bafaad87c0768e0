import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.destinations.files import File
from tocsin.destinations.mailing.message import PlainMail, file_name, message_id, plain_mail
from tocsin.destinations.mailing.recipients import is_local_part, is_mail_address, is_mail_domain

AT = datetime(2026, 3, 4, 5, 6, 10, tzinfo=UTC)
MAIL = PlainMail(
    "gw@example.net", ("a@example.org", "b@example.org"), "Alarm", "one\ntwo", "01J8ZQ5C7Q0000000000000001", "arc"
)
JPEG = File("20260304_050607_3_01.jpg", "image/jpeg", bytes(range(256)) * 2)
HEAD = (
    b"From: gw@example.net\r\n"
    b"To: a@example.org,\r\n b@example.org\r\n"
    b"Subject: Alarm\r\n"
    b"Date: Wed, 04 Mar 2026 05:06:10 +0000\r\n"
    b"Message-ID: <01J8ZQ5C7Q0000000000000001.arc@example.net>\r\n"
    b"X-Event-ID: 01J8ZQ5C7Q0000000000000001\r\n"
    b"Auto-Submitted: auto-generated\r\n"
    b"MIME-Version: 1.0\r\n"
)


def parsed(mail: PlainMail) -> EmailMessage:
    data = plain_mail(mail, AT)
    assert data.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    message = message_from_bytes(data, policy=default)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_text_alone_byte_for_byte() -> None:
    assert plain_mail(MAIL, AT) == HEAD + (
        b'Content-Type: text/plain; charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n\r\none\r\ntwo\r\n'
    )


def test_with_a_picture_byte_for_byte() -> None:
    data = plain_mail(replace(MAIL, attachments=(File("a.jpg", "image/jpeg", bytes(60)),)), AT)
    boundary = re.search(rb'boundary="(=_[0-9a-f]{24})"', data)
    assert boundary is not None
    line = b"--" + boundary[1]
    assert data == HEAD + b"\r\n".join((
        b'Content-Type: multipart/mixed; boundary="' + boundary[1] + b'"',
        b"",
        line,
        b'Content-Type: text/plain; charset="us-ascii"',
        b"Content-Transfer-Encoding: 7bit",
        b"",
        b"one",
        b"two",
        line,
        b'Content-Type: image/jpeg; name="a.jpg"',
        b"Content-Transfer-Encoding: base64",
        b'Content-Disposition: attachment; filename="a.jpg"',
        b"",
        b"A" * 76,
        b"AAAA",
        line + b"--",
        b"",
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "encoding", "charset"),
    [
        ("plain", "7bit", "us-ascii"),
        ("Värav", "quoted-printable", "utf-8"),
        ("x" * 2000, "quoted-printable", "us-ascii"),
        (".\n..\nFrom me", "7bit", "us-ascii"),
        ("ends = with blanks  \nÖ ", "quoted-printable", "utf-8"),
    ],
)
def test_seven_bit_when_it_can_be(text: str, encoding: str, charset: str) -> None:
    for attachments in ((), (JPEG,)):
        message = parsed(replace(MAIL, text=text, attachments=attachments))
        part = message.get_body(("plain",))
        assert part is not None
        assert (part["Content-Transfer-Encoding"], part.get_content_charset()) == (encoding, charset)
        assert text_of(message).removesuffix("\n") == text


def test_files_arrive_as_they_are_under_plain_names_each_once() -> None:
    files = [JPEG, JPEG, File('../../põõ"\r\nX: y;.jpg', "image/jpeg\r\nX: y", b""), File("", "a/b", b"\0")]
    message = parsed(replace(MAIL, attachments=files))
    assert message.get_content_type() == "multipart/mixed"
    found = list(message.iter_attachments())
    assert [part.get_payload(decode=True) for part in found] == [one.data for one in files]
    assert [part.get_filename() for part in found] == [
        "20260304_050607_3_01.jpg", "2_20260304_050607_3_01.jpg", "_poo_X_y_.jpg", "file",
    ]  # fmt: skip
    assert [part.get_content_type() for part in found] == [
        "image/jpeg", "image/jpeg", "application/octet-stream", "a/b",
    ]  # fmt: skip
    shown = parsed(replace(MAIL, attachments=[JPEG], disposition="inline"))
    assert [part.get_content_disposition() for part in shown.walk()][-1] == "inline"


def test_without_accents_if_so_wished() -> None:
    data = plain_mail(replace(MAIL, subject="Põhi – värav", text="Straße 日", ascii_only=True), AT)
    assert b"Subject: Pohi - varav\r\n" in data
    assert data.endswith(b"\r\n\r\nStrasse ?\r\n")


@pytest.mark.parametrize("event_id", ["01J8ZQ5C7Q0000000000000001", "a:b@c.d", "x" * 200, "<>\r\n"])
def test_message_ids_are_stable_and_well_formed(event_id: str) -> None:
    identity = message_id(event_id, "arc", "gw@example.net")
    assert re.fullmatch(r"<[A-Za-z0-9_-]{1,64}\.arc@example\.net>", identity)
    again = parsed(replace(MAIL, event_id=event_id, subject="other", text="other", attachments=[JPEG]))
    assert again["Message-ID"] == identity != message_id(event_id, "other", "gw@example.net")


wild = st.text(st.characters(exclude_categories=()), max_size=300)


@settings(max_examples=80, deadline=None)
@given(subject=wild, text=wild, event_id=wild, name=wild, data=st.binary(max_size=300))
@example("=?utf-8?q?x?=", "--=_\r\n.\r\n", "\r\nX: y", "a\r\nb", b"\r\n.\r\n")
def test_any_text_leaves_the_mail_whole(subject: str, text: str, event_id: str, name: str, data: bytes) -> None:
    attachment = File(name, "image/jpeg", data)
    mail = replace(MAIL, subject=subject, text=text, event_id=event_id, attachments=[attachment])
    message = parsed(mail)
    assert [part.get_content_type() for part in message.walk()] == ["multipart/mixed", "text/plain", "image/jpeg"]
    assert list(message.keys()) == [
        "From", "To", "Subject", "Date", "Message-ID", "X-Event-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    [part] = message.iter_attachments()
    assert part.get_payload(decode=True) == data
    assert re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)?", str(part.get_filename()))
    assert plain_mail(mail, AT) == plain_mail(mail, AT)


@given(wild)
def test_any_name_becomes_a_file_name(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,60}(\.[A-Za-z0-9_-]{1,8})?", file_name(name))


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("guard@example.net", True), ("a.b+c@sub.example.net", True), ("x@localhost", True), ("", False),
        ("guard", False), ("@example.net", False), ("a..b@example.net", False), (".a@example.net", False),
        ("a@-x.net", False), ("a@example.net\r\nRCPT TO:<b@x>", False), ("a b@example.net", False),
        ("<a@example.net>", False), ("a@example.net,b@example.net", False), ("ä@example.net", False),
        ("a@[192.0.2.1]", False), (f"{'a' * 65}@example.net", False), (f"a@{'b.' * 130}net", False),
    ],
)  # fmt: skip
def test_mail_addresses(text: str, valid: bool) -> None:
    assert is_mail_address(text) is valid
    local, at, domain = text.partition("@")
    assert not valid or (is_local_part(local) and is_mail_domain(domain) and at == "@")


def test_date_and_order_are_all_that_changes_between_two_sendings() -> None:
    first, second = plain_mail(MAIL, AT), plain_mail(MAIL, AT.replace(hour=6))
    changed: list[Any] = [(a, b) for a, b in zip(first.split(b"\r\n"), second.split(b"\r\n"), strict=True) if a != b]
    assert [a.partition(b":")[0] for a, _ in changed] == [b"Date"]
