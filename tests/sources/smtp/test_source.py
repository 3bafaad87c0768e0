import asyncio
import contextlib
import smtplib
import socket
import ssl
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError
from tests.sources.smtp.conftest import Mailing, Start, a_mail, jpeg
from tests.sources.smtp.test_reading import DOCUMENT

from tocsin.sources.smtp.settings import SmtpSourceSettings
from tocsin.sources.smtp.source import MOST_ANSWERS_BEFORE_LOGIN
from tocsin.telemetry.occurrences import EventRefused, FrameDropped, TaskFailed


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


async def test_many_rules_and_many_lines_do_not_hold_up_the_gateway(mailing: Start) -> None:
    rules = [{"line": f"Camera {n}: *", "device": f"cam-{n}"} for n in range(500)]
    m = await mailing(rules=rules)
    text = "a\n" * 7000 + "Camera 499: motion\n"
    to = [f"{n}@alarms.example.net" for n in range(20)]
    code, said = await m.send(a_mail("Motion", text), to)  # within the camera's ten seconds
    assert code == 250, said
    assert {event.device_id for event in await m.events()} == {"cam-499"}


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


def _certificate(folder: Path) -> dict[str, str]:
    """A server's own; ca.pem in the folder is whom its clients trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")}


async def test_encryption_and_login(mailing: Start, tmp_path: Path) -> None:
    tls = _certificate(tmp_path)
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


USERS: Any = {"users": [{"user": "cam", "password": "sesame-open"}], "clear_login": True}


def _dropped(m: Mailing) -> list[str]:
    return [each.reason for each in m.occurrences if isinstance(each, FrameDropped)]


def _noops(port: int, pace: float) -> list[bytes]:
    """All that a stranger is told who has nothing to say, until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock, sock.makefile("rb") as answers:
        told = [answers.readline()]
        while not told[-1].startswith(b"421 ") and len(told) < 1000:
            threading.Event().wait(pace)
            sock.sendall(b"NOOP\r\n")
            told.append(answers.readline())
        with contextlib.suppress(ConnectionResetError):  # the last NOOP may have crossed the farewell
            assert answers.read() == b""
    return told


async def test_a_stranger_who_says_nothing_is_closed_at_the_deadline(mailing: Start) -> None:
    m = await mailing(**USERS)
    m.source.settings = m.source.settings.model_copy(update={"login_within": 0.4})
    told = await asyncio.to_thread(_noops, m.source.port, 0.05)
    assert told[-1] == b"421 4.7.0 no login within 0.4 s\r\n"
    assert _dropped(m) == ["no_login"]
    await _all_left(m)


async def test_a_stranger_is_answered_only_so_often(mailing: Start) -> None:
    m = await mailing(**USERS)
    told = await asyncio.to_thread(_noops, m.source.port, 0)
    assert told[-1] == b"421 4.7.0 too many commands before the login\r\n"
    assert len(told) == MOST_ANSWERS_BEFORE_LOGIN + 1
    assert _dropped(m) == ["no_login"]
    await _all_left(m)


async def test_commands_by_the_thousand_in_one_piece_are_not_worked_off(mailing: Start) -> None:
    m = await mailing(**USERS)

    def flood() -> bytes:
        told = b""
        with socket.create_connection(("127.0.0.1", m.source.port), timeout=10) as sock:
            sock.sendall(b"\r\n" * 2_000)
            while data := sock.recv(65_536):
                told += data
        return told

    told = await asyncio.to_thread(flood)
    assert told.count(b"500 Error") == MOST_ANSWERS_BEFORE_LOGIN - 1
    assert told.endswith(b"421 4.7.0 too many commands before the login\r\n")
    assert _dropped(m) == ["no_login"]


async def test_who_has_logged_in_may_take_their_time(mailing: Start) -> None:
    m = await mailing(**USERS)
    m.source.settings = m.source.settings.model_copy(update={"login_within": 0.3})

    def lingers() -> int:
        with smtplib.SMTP("127.0.0.1", m.source.port, timeout=10) as client:
            client.login("cam", "sesame-open")
            for _ in range(MOST_ANSWERS_BEFORE_LOGIN):
                client.noop()
            threading.Event().wait(0.6)
            return client.noop()[0]

    assert await asyncio.to_thread(lingers) == 250
    assert _dropped(m) == []


async def test_without_users_there_is_no_login_to_wait_for(mailing: Start) -> None:
    m = await mailing()

    def lingers() -> int:
        with smtplib.SMTP("127.0.0.1", m.source.port, timeout=10) as client:
            for _ in range(MOST_ANSWERS_BEFORE_LOGIN):
                client.noop()
            return client.noop()[0]

    assert await asyncio.to_thread(lingers) == 250


@pytest.mark.parametrize(("limit", "changes"), [("login_within", USERS), ("idle", {})])
@pytest.mark.parametrize("ends", ["waits", "closes", "resets"])
async def test_a_handshake_that_does_not_come_about_keeps_no_connection(
    mailing: Start, tmp_path: Path, limit: str, changes: Any, ends: str
) -> None:
    m = await mailing(tls=_certificate(tmp_path), **changes)
    m.source.settings = m.source.settings.model_copy(update={limit: 0.4})

    def stalls() -> None:
        with smtplib.SMTP("127.0.0.1", m.source.port, timeout=10) as client:
            client.ehlo()
            assert client.docmd("STARTTLS")[0] == 220
            assert client.sock is not None
            if ends == "waits":
                with contextlib.suppress(ConnectionResetError):
                    assert client.sock.recv(1000) == b""
            if ends == "resets":
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

    await asyncio.to_thread(stalls)
    await _all_left(m)
    assert "handshake" in _dropped(m)
    assert not any(isinstance(each, TaskFailed) for each in m.occurrences)


async def test_encryption_within_encryption_is_refused(mailing: Start, tmp_path: Path) -> None:
    m = await mailing(tls=_certificate(tmp_path))

    def twice() -> tuple[int, int]:
        with smtplib.SMTP("127.0.0.1", m.source.port, timeout=10) as client:
            client.starttls(context=ssl.create_default_context(cafile=str(tmp_path / "ca.pem")))
            client.ehlo()
            return client.docmd("STARTTLS")[0], client.noop()[0]

    assert await asyncio.to_thread(twice) == (503, 250)


async def _all_left(m: Mailing) -> None:
    async with asyncio.timeout(5):
        while m.source._open:
            await asyncio.sleep(0.01)


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
