import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.smtp.conftest import a_mail, jpeg

from tocsin.model.event import Location
from tocsin.sources.smtp.alarm_xml import read_alarm
from tocsin.sources.smtp.reading import LONGEST_TEXT, MOST_PHOTOS, read_mail

DOCUMENT = """<Alarm>
<VersionInfo>1</VersionInfo>
<Input1>3</Input1>
<EventType>PersonDetected</EventType>
<ExtraText>Person, North gate &amp; fence, battery 87 %</ExtraText>
<DateTime>2026-03-04T05:06:07Z</DateTime>
<Location>59.437000,24.753600</Location>
<URL>https://portal.example.net/e/01J8ZQ5C7Q</URL>
</Alarm>"""


def test_subject_text_and_pictures_are_read() -> None:
    mail = a_mail("Überfall", "Zeile 1\nZeile 2\n", jpeg(1), jpeg(2), Message_ID="<a@site.example.net>")
    found = read_mail(mail.as_bytes())
    assert (found.subject, found.text, found.message_id) == ("Überfall", "Zeile 1\nZeile 2", "<a@site.example.net>")
    assert [photo.data for photo in found.photos] == [jpeg(1), jpeg(2)]
    assert found.problems == ()


def test_a_picture_sent_as_any_file_is_a_picture_and_html_is_read_as_seen() -> None:
    mail = EmailMessage()
    mail["Subject"] = "x"
    mail.set_content("<style>p{}</style><p>Person at <b>gate</b></p><script>1</script><div>North</div>", subtype="html")
    mail.add_attachment(jpeg(), maintype="application", subtype="octet-stream", filename="SNAP.JPG")
    found = read_mail(mail.as_bytes())
    assert found.text == "Person at gate\nNorth"
    assert [photo.data for photo in found.photos] == [jpeg()]


@pytest.mark.parametrize("crooked", ["<!--", "<!", "</", "<a href='", "<div>", "<", "<![CDATA["])
def test_no_page_makes_it_slow(crooked: str) -> None:
    page = crooked * (LONGEST_TEXT * 4 // len(crooked))
    mail = b"Content-Type: text/html\r\n\r\n" + page.encode()
    began = time.process_time()
    read_mail(mail)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "header",
    [
        b'Content-Type: text/plain; x="%b' % (b";" * 180_000),
        b"Content-Type: text/plain%b" % (b";" * 180_000),
        b'Content-Type: multipart/mixed; x="%b' % (b";" * 180_000),
        b'Content-Type: image/jpeg\r\nContent-Disposition: attachment; filename="%b' % (b";" * 180_000),
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n%b" % (b"--a\r\n\r\n" * 30_000),
        b"Subject: %b" % (b"=?utf-8?q?a?= " * 12_000),
    ],
    ids=["parameters", "empty parameters", "parameters of many parts", "file name", "parts without end", "words"],
)
def test_no_header_makes_it_slow(header: bytes) -> None:
    began = time.process_time()
    read_mail(header + b"\r\n\r\nIntrusion\r\n")
    assert time.process_time() - began < 0.5


def test_a_mail_of_very_many_parts_is_an_alarm_all_the_same() -> None:
    found = read_mail(b"Content-Type: multipart/mixed; boundary=a\r\n\r\nIntrusion\r\n" + b"--a\r\n\r\n" * 5000)
    assert found.problems == ("the mail cannot be taken apart: MessageError",)
    assert "Intrusion" in found.text


def test_documents_without_end_do_not_make_it_slow() -> None:
    began = time.process_time()
    assert read_alarm("<Alarm " * 10_000) is None
    assert time.process_time() - began < 0.5


def test_what_is_too_much_is_left_out_and_named() -> None:
    found = read_mail(a_mail("s", "x" * (LONGEST_TEXT + 10), *[jpeg(n) for n in range(MOST_PHOTOS + 2)]).as_bytes())
    assert len(found.photos) == MOST_PHOTOS
    assert len(found.text) == LONGEST_TEXT
    assert found.problems == (f"more than {MOST_PHOTOS} pictures",)


def test_a_part_in_no_encoding_costs_neither_subject_nor_picture() -> None:
    mail = a_mail("Motion at Gate", "x\n", jpeg()).as_bytes().replace(b'charset="utf-8"', b"charset=undefined")
    found = read_mail(mail)
    assert (found.subject, len(found.photos), found.problems) == ("Motion at Gate", 1, ())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no headers at all",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n--x",
        b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe",
        b"Subject: =?utf-8?b?!!!?=\r\nContent-Transfer-Encoding: base64\r\n\r\n***",
        b"Content-Type: message/rfc822\r\n\r\n" * 50,
        b"Content-Disposition: attachment; filename*=xx''%ff\r\nContent-Type: image/jpeg\r\n\r\nx",
    ],
)
def test_broken_mails_are_still_read(data: bytes) -> None:
    found = read_mail(data)
    assert "\x00" not in found.text
    assert isinstance(found.subject, str)


@given(st.binary(max_size=3000))
def test_any_bytes_give_a_reading(data: bytes) -> None:
    read_mail(data).text.encode()


def test_the_alarm_document_is_read() -> None:
    found = read_alarm(f"Some words before\r\n{DOCUMENT}\r\n-- \r\nsignature")
    assert found is not None
    assert (found.kind, found.actor, found.number) == ("motion", "person", "3")
    assert found.text == "Person, North gate & fence, battery 87 %"
    assert found.location == Location(59.437, 24.7536)
    assert found.url == "https://portal.example.net/e/01J8ZQ5C7Q"
    assert found.occurred is not None
    assert found.occurred.isoformat() == "2026-03-04T05:06:07+00:00"


@pytest.mark.parametrize(
    ("change", "attribute", "value"),
    [
        (("PersonDetected", "Gnome"), "kind", None),
        (("PersonDetected", "Gnome"), "name", "Gnome"),
        (("PersonDetected", "tamperalarm"), "kind", "tamper"),
        (("05:06:07Z", "05:06:07"), "occurred", None),
        (("59.437000,24.753600", "North depot"), "location", None),
        (("59.437000,24.753600", "99.0,24.7"), "location", None),
        (("https://portal", "javascript:portal"), "url", ""),
        (("<Input1>3</Input1>", ""), "number", ""),
    ],
)
def test_what_the_document_says_otherwise(change: tuple[str, str], attribute: str, value: object) -> None:
    found = read_alarm(DOCUMENT.replace(*change))
    assert found is not None
    assert getattr(found, attribute) == value


@pytest.mark.parametrize(
    "text",
    [
        "no document",
        "<Alarm><EventType>x</Alarm>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Alarm><ExtraText>&x;</ExtraText></Alarm>',
    ],
)
def test_what_is_no_document_or_reaches_outside_gives_none(text: str) -> None:
    found = read_alarm(text)
    assert found is None or found.text == ""


@given(st.text(max_size=500))
def test_any_text_in_the_document(text: str) -> None:
    read_alarm(f"<Alarm><EventType>{text}</EventType></Alarm>")
