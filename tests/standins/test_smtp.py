"""What the stand-in mail server refuses: a stand-in that takes anything proves nothing."""

import asyncio
import smtplib
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme

from tocsin.standins.smtp import MailStandin, MailSwitches, serve

HEADERS = {
    "From": "gw@example.net", "To": "a@example.net", "Subject": "s", "Date": "Thu, 30 May 2024 19:15:04 +0000",
    "Message-ID": "<1@example.net>", "MIME-Version": "1.0",
}  # fmt: skip


class Now:
    def now(self) -> datetime:
        return datetime(2024, 5, 30, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


def note(body: str = "text\r\n", **changes: str) -> bytes:
    headers = HEADERS | {name.replace("_", "-"): value for name, value in changes.items()}
    return ("".join(f"{name}: {value}\r\n" for name, value in headers.items() if value) + "\r\n" + body).encode()


async def talk(switches: MailSwitches, act: Callable[[smtplib.SMTP], Any]) -> tuple[Any, list[dict[str, Any]]]:
    """What an independent client gets told, and what the stand-in tells."""
    told: list[dict[str, Any]] = []
    standin = MailStandin("127.0.0.1:0", told.append, Now(), switches)
    port = await standin.start()

    def client() -> Any:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.net", timeout=10) as smtp:
            return act(smtp)

    try:
        return await asyncio.to_thread(client), told
    finally:
        await standin.aclose()


async def sent(data: bytes, switches: MailSwitches | None = None) -> tuple[str, list[dict[str, Any]]]:
    def act(smtp: smtplib.SMTP) -> str:
        try:
            smtp.sendmail("gw@example.net", ["a@example.net"], data)
        except smtplib.SMTPResponseException as error:
            return f"{error.smtp_code} {error.smtp_error!r}"
        return "taken"

    return await talk(switches or MailSwitches(), act)


async def test_what_is_right_is_taken() -> None:
    answer, [told] = await sent(note())
    assert (answer, told["problems"], told["subject"]) == ("taken", [], "s")


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (note(Date="yesterday"), "Date cannot be read"),
        (note(Message_ID=""), "Message-ID is there 0 times"),
        (note("x" * 999 + "\r\n"), "longer than 998"),
        (note("ü\r\n"), "not 7-bit clean"),
        (note(Content_Type='multipart/mixed; boundary="b"'), "defect"),
        (note("R0lG\r\n", Content_Type="image/jpeg", Content_Transfer_Encoding="base64"), "is no JPEG"),
    ],
)
async def test_what_is_wrong_is_said(data: bytes, part: str) -> None:
    answer, [told] = await sent(data)
    assert answer.startswith("554")
    assert part in answer
    assert told["problems"]


async def test_login_is_asked_for_and_checked() -> None:
    switches = MailSwitches(user="gw", password="right", clear_login=True)
    with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
        await talk(switches, lambda smtp: smtp.sendmail("gw@example.net", ["a@example.net"], note()))
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await talk(switches, lambda smtp: smtp.login("gw", "wrong"))
    answer, _ = await talk(switches, lambda smtp: smtp.login("gw", "right"))
    assert answer[0] == 235


async def test_tls_is_asked_for() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("mail.example.net").configure_cert(context)
    switches = MailSwitches(tls=context, require_tls=True)
    with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
        await talk(switches, lambda smtp: smtp.sendmail("gw@example.net", ["a@example.net"], note()))


async def test_served_until_cancelled() -> None:
    told: list[dict[str, Any]] = []
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve("127.0.0.1:0", told.append, Now(), started=port.set_result))

    def client(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.net", timeout=10) as smtp:
            smtp.sendmail("gw@example.net", ["a@example.net"], note())

    await asyncio.to_thread(client, await port)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [one["to"] for one in told] == [["a@example.net"]]


async def test_a_slow_server_answers_sender_recipient_and_message_late() -> None:
    began = time.monotonic()
    answer, told = await sent(note(), MailSwitches(delay_s=0.05))
    assert (answer, len(told)) == ("taken", 1)
    assert time.monotonic() - began > 3 * 0.05
