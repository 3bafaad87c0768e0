import asyncio
import smtplib
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError
from tests.sources.smtp.conftest import Start, a_mail, jpeg
from tests.sources.smtp.test_reading import DOCUMENT

from tocsin.sources.smtp.settings import SmtpSourceSettings
from tocsin.telemetry.occurrences import EventRefused, FrameDropped


async def test_a_mail_with_a_picture_is_an_event_on_disk_before_the_answer(mailing: Start) -> None:
    m = await mailing()
    code, said = await m.send(a_mail("Motion at Gate", "Channel 3\n", jpeg(7), Message_ID="<1@cam.example.net>"))
    assert code == 250, said
    (event,) = await m.events()
    assert (code, said) == (250, f"2.0.0 kept as {event.id}")
    assert (event.kind, event.device_id, event.source) == ("motion", "gate", "mails")
    assert event.text == "Motion at Gate; Channel 3"
    assert await m.photos(event) == [jpeg(7)]
    assert m.heard == [("mails", "{device}@alarms.example.net")]


async def test_cameras_that_end_lines_in_lf_or_write_one_long_line(mailing: Start) -> None:
    m = await mailing()
    mail = a_mail("Motion", "x\n", jpeg()).as_bytes()
    assert b"\r\n" not in mail
    assert (await m.send(mail))[0] == 250
    assert (await m.send(a_mail("Long", "y" * 5000).as_bytes().replace(b"\n", b"\r\n")))[0] == 250
    assert [len(await m.photos(event)) for event in await m.events()] == [1, 0]


async def test_a_large_mail_with_lines_ended_in_lf_is_taken_whole(mailing: Start) -> None:
    m = await mailing()
    pictures = [jpeg() + bytes(900_000) for _ in range(3)]
    mail = a_mail("Motion", "x\n", *pictures).as_bytes()
    assert b"\r\n" not in mail
    assert (await m.send(mail))[0] == 250
    (event,) = await m.events()
    assert len(await m.photos(event)) == 3


async def test_a_camera_on_a_slow_line_is_not_silent(mailing: Start) -> None:
    m = await mailing()
    m.source.settings = m.source.settings.model_copy(update={"idle": 0.4})
    mail = a_mail("Motion", "x\n", jpeg() + bytes(100_000)).as_bytes()

    def slowly() -> bytes:
        with _at_data(m.source.port) as sock:
            for place in range(0, len(mail), 20_000):
                sock.sendall(mail[place : place + 20_000])
                threading.Event().wait(0.15)
            sock.sendall(b"\r\n.\r\n")
            return sock.recv(1000)

    assert (await asyncio.to_thread(slowly)).startswith(b"250 ")


async def test_a_sender_that_dribbles_is_silent(mailing: Start) -> None:
    m = await mailing()
    m.source.settings = m.source.settings.model_copy(update={"idle": 0.3})

    def dribbles() -> None:
        with _at_data(m.source.port) as sock:
            for _ in range(40):
                sock.sendall(b"x")
                threading.Event().wait(0.05)

    with pytest.raises(OSError):
        await asyncio.to_thread(dribbles)


async def test_a_line_without_end_fills_no_memory(mailing: Start) -> None:
    m = await mailing(size=100_000)

    def endless() -> None:
        with _at_data(m.source.port) as sock:
            for _ in range(200):
                sock.sendall(b"x" * 100_000)

    with pytest.raises(OSError):
        await asyncio.to_thread(endless)
    dropped = [each.reason for each in m.occurrences if isinstance(each, FrameDropped)]
    assert dropped == ["overflow"]


def _at_data(port: int) -> socket.socket:
    """A connection on which the server waits for the mail itself."""
    client = smtplib.SMTP("127.0.0.1", port, timeout=10)
    client.ehlo()
    client.mail("cam@site.example.net")
    client.rcpt("gate@alarms.example.net")
    client.docmd("DATA")
    assert client.sock is not None
    return client.sock


async def test_the_same_mail_again_is_one_event_and_is_taken(mailing: Start) -> None:
    m = await mailing()
    mail = a_mail(Message_ID="<1@cam.example.net>")
    first, second = await m.send(mail), await m.send(mail)
    assert first == second
    assert first[0] == 250
    other = await m.send(a_mail("Another", Message_ID="<1@cam.example.net>"))
    assert other[0] == 250, "the same id with other content is kept too"
    assert [event.text for event in await m.events()] == ["Motion at Gate; Channel 3", "Another; Channel 3"]


async def test_a_camera_that_numbers_all_its_mails_alike_is_heard_each_time(mailing: Start) -> None:
    m = await mailing()
    first = a_mail(Message_ID="<0@cam.example.net>", Date="Wed, 04 Mar 2026 08:15:28 +0000")
    second = a_mail(Message_ID="<0@cam.example.net>", Date="Wed, 04 Mar 2026 08:21:02 +0000")
    for mail in (first, second, first, second):
        assert (await m.send(mail))[0] == 250
    assert len(await m.events()) == 2


async def test_rules_are_tried_in_order_and_keep_parts(mailing: Start) -> None:
    rules = [
        {"subject": "* tamper *", "to": "nvr@*", "device": "nvr-1", "kind": "tamper"},
        {"subject": "{text} on {device}", "to": "nvr", "area": "North depot"},
        {"line": "Camera: {device}", "to": "nvr"},
    ]
    m = await mailing(rules=rules, devices={"camera 3": "gate-cam"})
    to = "nvr@alarms.example.net"
    await m.send(a_mail("a Tamper at night"), to)
    await m.send(a_mail("Line crossed on Camera 3"), to)
    await m.send(a_mail("Alarm", "Site 4\nCamera: Back door!\n"), to)
    refused = await m.send(a_mail("Alarm", "nothing known\n"), to)
    assert [(event.kind, event.device_id, event.place.area, event.text) for event in await m.events()] == [
        ("tamper", "nvr-1", "", "a Tamper at night; Channel 3"),
        ("motion", "gate-cam", "North depot", "Line crossed"),
        ("motion", "Back-door", "", "Alarm; Site 4 Camera: Back door!"),
    ]
    assert refused == (550, "5.7.1 no rule of this gateway fits this mail")
    assert [each.reason for each in m.occurrences if isinstance(each, EventRefused)] == ["no_rule"]


async def test_words_tell_the_kind_and_that_it_is_over(mailing: Start) -> None:
    words = [
        {"contains": "video loss ended", "kind": "video_loss", "state": "restore"},
        {"contains": "video loss", "kind": "video_loss"},
    ]
    m = await mailing(kinds=words)
    for subject in ("VIDEO LOSS", "Video loss ended", "Something"):
        await m.send(a_mail(subject, "x\n"))
    assert [(event.kind, event.state) for event in await m.events()] == [
        ("video_loss", "new"),
        ("video_loss", "restore"),
        ("motion", "new"),
    ]


async def test_the_alarm_document_of_senders_for_immix(mailing: Start) -> None:
    rules = [{"to": "S12345", "number": "3", "device": "gate-cam"}, {"to": "S12345", "device": "rest"}]
    m = await mailing(rules=rules)
    await m.send(a_mail("PersonDetected", DOCUMENT, jpeg()), "S12345@immixalarms.example.net")
    await m.send(a_mail("x", DOCUMENT.replace("<Input1>3", "<Input1>4")), "S12345@immixalarms.example.net")
    first, second = await m.events()
    assert (first.kind, first.device_id, first.actors[0].cls) == ("motion", "gate-cam", "person")
    assert first.occurred_at.isoformat() == "2026-03-04T05:06:07+00:00"
    assert first.url == "https://portal.example.net/e/01J8ZQ5C7Q"
    assert first.text == "Person, North gate & fence, battery 87 %; input 3"
    assert second.device_id == "rest"


async def test_several_recipients_are_several_events_in_one_transaction(mailing: Start) -> None:
    m = await mailing()
    code, _ = await m.send(a_mail(Message_ID="<2@x.example>"), ["a@alarms.example.net", "b@alarms.example.net"])
    assert code == 250
    assert [event.device_id for event in await m.events()] == ["a", "b"]


async def test_strangers_are_refused_or_taken_as_configured(mailing: Start) -> None:
    m = await mailing(rules=[{"to": "gate@alarms.example.net", "device": "gate"}])
    assert await m.send(a_mail(), "other@alarms.example.net") == (
        550,
        "5.1.1 no rule of this gateway is for this recipient",
    )
    open_to_all = await mailing(rules=[], unknown="accept")
    assert (await open_to_all.send(a_mail(), "any@where.example.org"))[0] == 250
    assert (await open_to_all.events())[0].device_id == ""


async def test_what_cannot_be_kept_is_not_acknowledged(mailing: Start) -> None:
    m = await mailing()
    m.gateway.intake.open = False
    code, said = await m.send(a_mail())
    assert (code, said) == (451, "4.3.0 not taken: the gateway is stopping")
    m.gateway.intake.open = True
    assert (await m.send(a_mail()))[0] == 250
    assert len(await m.events()) == 1


async def test_broken_pictures_and_broken_mails_cost_no_alarm(mailing: Start) -> None:
    m = await mailing()
    assert (await m.send(a_mail("Motion", "x\n", b"", b"GIF89a")))[0] == 250
    assert (await m.send(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\x00\xff--x"))[0] == 250
    assert [await m.photos(event) for event in await m.events()] == [[], []]


async def test_limits_of_size_address_and_connections(mailing: Start) -> None:
    m = await mailing(size=10_000, max_connections=1)
    code, said = await m.send(a_mail("x", "yyyyyyyyy\n" * 2_000))
    assert code == 552, said
    first = await asyncio.to_thread(smtplib.SMTP, "127.0.0.1", m.source.port, timeout=5)
    with pytest.raises(smtplib.SMTPConnectError) as turned_away:
        await asyncio.to_thread(smtplib.SMTP, "127.0.0.1", m.source.port, timeout=5)
    await asyncio.to_thread(first.quit)
    assert turned_away.value.smtp_code == 421
    elsewhere = await mailing(allow=["192.0.2.0/24"])
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        await asyncio.to_thread(smtplib.SMTP, "127.0.0.1", elsewhere.source.port, timeout=5)
    assert refused.value.smtp_code == 554
    dropped = [each.reason for each in elsewhere.occurrences if isinstance(each, FrameDropped)]
    assert dropped == ["address_not_allowed"]


async def test_encryption_and_login(mailing: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    tls = {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    m = await mailing(tls=tls, tls_mode="required", users=[{"user": "cam", "password": "sesame-open"}])
    assert (await m.send(a_mail()))[0] == 530
    with pytest.raises(smtplib.SMTPNotSupportedError):  # no password in clear
        await m.send(a_mail(), login=("cam", "sesame-open"))
    assert (await m.send(a_mail(), trust=tmp_path / "ca.pem"))[0] == 530
    assert (await m.send(a_mail(), login=("cam", "wrong"), trust=tmp_path / "ca.pem"))[0] == 535
    assert await m.events() == []
    assert (await m.send(a_mail(), login=("cam", "sesame-open"), trust=tmp_path / "ca.pem"))[0] == 250
    assert len(await m.events()) == 1
    assert "sesame" not in str(m.occurrences)
    assert "wrong" not in str(m.occurrences)
    assert not m.source._open, "no connection is counted for ever"


async def test_a_defect_asks_the_sender_to_try_again(mailing: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    m = await mailing()

    def breaks(*arguments: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(m.source, "_submissions", breaks)
    assert await m.send(a_mail()) == (451, "4.3.0 internal error, try again later")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rules": []}, "give rules that say which mails are of which device"),
        ({"rules": [{"device": "x"}]}, "a rule needs at least one of"),
        ({"rules": [{"to": "gate"}]}, "a rule names its device"),
        ({"rules": [{"to": "{camera}"}]}, "{camera} is no part of a mail"),
        ({"listen": "0.0.0.0:25"}, "whoever reaches this port could raise alarms"),
        ({"tls_mode": "required"}, "needs tls with a certificate"),
        ({"users": [{"user": "a", "password": "bcde"}]}, "passwords would travel unencrypted"),
        ({"allow": ["192.0.2.1/24"]}, "has host bits set"),
        ({"acknowledge": "delivered", "idle": "10s"}, "delivered_within must be shorter than idle"),
    ],
)
def test_settings_that_cannot_be_meant(changes: dict[str, Any], said: str) -> None:
    table = {"name": "mails", "type": "smtp", "listen": "127.0.0.1:0", "rules": [{"to": "gate", "device": "gate"}]}
    with pytest.raises(ValidationError) as raised:
        SmtpSourceSettings.model_validate(table | changes)
    assert said in str(raised.value)
