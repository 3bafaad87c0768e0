import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.standins.smtp import MailFault, MailStandin, MailSwitches
from tocsin.transports import smtp
from tocsin.transports.contract import Endpoint, LinkBroken, NoAnswer, TlsOptions, Unreachable
from tocsin.transports.smtp import Mail, MailRefused, SmtpLink
from tocsin.transports.smtp_entry import LoginRefused, SmtpOptions
from tocsin.transports.tls import server_context

NOTE = (
    b"From: gw@example.net\r\nTo: a@example.net\r\nSubject: s\r\nDate: Thu, 30 May 2024 19:15:04 +0000\r\n"
    b"Message-ID: <1@example.net>\r\nMIME-Version: 1.0\r\n\r\n.dots at the start stay\r\n..two as well\r\n"
)
MAIL = Mail("gw@example.net", ("a@example.net", "b@example.net"), NOTE)


class Now:
    def now(self) -> datetime:
        return datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


class Post:
    """Stand-in servers and links to them, closed at the end."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.standins: list[MailStandin] = []
        self._closing = contextlib.AsyncExitStack()

    async def server(self, *faults: MailFault, **switches: Any) -> Endpoint:
        standin = MailStandin("127.0.0.1:0", self.received.append, Now(), MailSwitches(**switches), faults)
        port = await standin.start()
        self.standins.append(standin)
        self._closing.push_async_callback(standin.aclose)
        return Endpoint("127.0.0.1", port)

    def link(self, mode: str = "off", **options: Any) -> SmtpLink:
        link = SmtpLink(SmtpOptions(mode, **options))  # type: ignore[arg-type]
        self._closing.push_async_callback(link.aclose)
        return link

    async def aclose(self) -> None:
        await self._closing.aclose()


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    made = Post()
    yield made
    await made.aclose()


@pytest.mark.parametrize("mode", ["off", "opportunistic", "required", "implicit"])
async def test_taken_in_every_mode_with_login(post: Post, mode: str, authority: Any) -> None:
    context = server_context(*authority.issue("mail.example.net")) if mode != "off" else None
    endpoint = await post.server(
        tls=context, implicit=mode == "implicit", user="gw", password="hidden-word", clear_login=mode == "off"
    )
    tls = TlsOptions(ca_file=authority.ca, server_name="mail.example.net")
    link = post.link(mode, tls=tls, user="gw", password="hidden-word", clear_login=mode == "off")
    log: list[str] = []
    taken = await link.send(endpoint, MAIL, log)
    assert (taken.answer, taken.refused) == ("250 2.0.0 queued", ())
    [message] = post.received
    assert message["problems"] == []
    assert (message["tls"], message["user"], message["to"]) == (mode != "off", "gw", ["a@example.net", "b@example.net"])
    assert message["text"].splitlines() == [".dots at the start stay", "..two as well"]
    assert "hidden-word" not in "\n".join(log)
    assert "C: AUTH (user gw, password ***)" in log
    assert any(line.startswith("C: MAIL FROM:<gw@example.net> SIZE=") for line in log)


async def test_one_connection_serves_a_burst_and_is_closed_when_idle(post: Post) -> None:
    endpoint = await post.server()
    link = post.link(idle_s=0.05)
    for _ in range(3):
        await link.send(endpoint, MAIL, [])
    assert post.standins[0].connections == 1
    assert link.linked() == endpoint
    async with asyncio.timeout(5):
        while link.linked() is not None:
            await asyncio.sleep(0.01)
    await link.send(endpoint, MAIL, [])
    assert post.standins[0].connections == 2
    assert [message["duplicate"] for message in post.received] == [False, True, True, True]


async def test_a_kept_connection_that_died_is_replaced(post: Post) -> None:
    endpoint = await post.server()
    link = post.link()
    await link.send(endpoint, MAIL, [])
    for transport in list(post.standins[0]._open):
        transport.abort()  # type: ignore[attr-defined]
    await link.send(endpoint, MAIL, [])
    assert post.standins[0].connections == 2


def commands(log: list[str]) -> list[str]:
    return [line.removeprefix("C: ").split()[0] for line in log if line.startswith("C: ")]


async def test_a_kept_connection_costs_no_question_of_its_own(post: Post) -> None:
    endpoint, link, log = await post.server(), post.link(), list[str]()
    await link.send(endpoint, MAIL, [])
    await link.send(endpoint, MAIL, log)
    assert commands(log) == ["MAIL", "RCPT", "RCPT", "DATA"]


async def test_a_mail_refused_half_way_is_taken_back_before_the_next(post: Post) -> None:
    endpoint = await post.server(MailFault("rcpt", "550 5.1.1 nobody"), MailFault("rcpt", "550 5.1.1 nobody"))
    link, log = post.link(), list[str]()
    with pytest.raises(MailRefused):
        await link.send(endpoint, MAIL, [])
    await link.send(endpoint, MAIL, log)
    assert commands(log) == ["RSET", "MAIL", "RCPT", "RCPT", "DATA"]
    log.clear()
    await link.send(endpoint, MAIL, log)
    assert commands(log)[0] == "MAIL"


@pytest.mark.parametrize(
    "fault",
    [
        MailFault("mail", "421 4.7.0 enough mails on this connection"),
        MailFault("mail", "", drop=True),
        MailFault("mail", "250 2.1.0 late", delay_s=30),
    ],
)
async def test_a_kept_connection_that_ends_or_stays_silent_at_the_sender_is_replaced(
    post: Post, fault: MailFault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "REUSE_DEADLINE_S", 0.2)
    endpoint, link, log = await post.server(), post.link(), list[str]()
    await link.send(endpoint, MAIL, [])
    post.standins[0].faults.append(fault)
    taken = await link.send(endpoint, MAIL, log)
    assert taken.answer == "250 2.0.0 queued"
    assert post.standins[0].connections == 2
    assert len(post.received) == 2


async def test_a_new_connection_whose_server_leaves_at_the_sender_is_not_asked_again(post: Post) -> None:
    endpoint = await post.server(MailFault("mail", "421 4.3.2 not now"), MailFault("mail", "421 4.3.2 not now"))
    with pytest.raises(MailRefused, match="421"):
        await post.link().send(endpoint, MAIL, [])
    assert post.standins[0].connections == 1


@pytest.mark.parametrize(
    ("fault", "command", "code", "permanent"),
    [
        (MailFault("mail", "451 4.3.0 later"), "MAIL FROM", 451, False),
        (MailFault("mail", "550 5.7.1 not you"), "MAIL FROM", 550, True),
        (MailFault("data", "452 4.3.1 full"), "DATA", 452, False),
        (MailFault("data", "554 5.6.0 no"), "DATA", 554, True),
    ],
)
async def test_refusals(post: Post, fault: MailFault, command: str, code: int, permanent: bool) -> None:
    endpoint = await post.server(fault)
    link = post.link()
    with pytest.raises(MailRefused) as caught:
        await link.send(endpoint, MAIL, [])
    [refusal] = caught.value.refusals
    assert refusal.command.startswith(command)
    assert (refusal.code, refusal.permanent) == (code, permanent)
    await link.send(endpoint, MAIL, [])
    assert post.standins[0].connections == 1


async def test_a_host_name_that_cannot_be_one_is_told(post: Post) -> None:
    with pytest.raises(Unreachable, match="no valid host name"):
        await post.link().send(Endpoint(f"mail.{'a' * 64}.example.net", 25), MAIL, [])


async def test_one_refused_recipient_does_not_keep_the_others_from_it(post: Post) -> None:
    endpoint = await post.server(MailFault("rcpt", "550 5.1.1 nobody", recipient="a@example.net"))
    taken = await post.link().send(endpoint, MAIL, [])
    assert [(who, refusal.code) for who, refusal in taken.refused] == [("a@example.net", 550)]
    assert post.received[0]["to"] == ["b@example.net"]


async def test_all_recipients_refused(post: Post) -> None:
    endpoint = await post.server(MailFault("rcpt", "550 5.1.1 nobody"), MailFault("rcpt", "450 4.2.0 grey"))
    with pytest.raises(MailRefused) as caught:
        await post.link().send(endpoint, MAIL, [])
    assert [refusal.code for refusal in caught.value.refusals] == [550, 450]
    assert post.received == []


async def test_a_server_that_announces_its_limit_is_asked_first(post: Post) -> None:
    endpoint = await post.server(size_limit=100)
    with pytest.raises(MailRefused, match="552"):
        await post.link().send(endpoint, MAIL, [])


async def test_a_cut_after_the_final_dot_is_no_receipt(post: Post) -> None:
    endpoint = await post.server(MailFault("data", drop=True))
    link = post.link()
    with pytest.raises(LinkBroken, match="cut the connection"):
        await link.send(endpoint, MAIL, [])
    assert len(post.received) == 1
    assert link.linked() is None


async def test_a_silent_server_is_left(post: Post) -> None:
    endpoint = await post.server(MailFault("data", "250 late", delay_s=30))
    link = post.link(timeout_s=0.2)
    with pytest.raises(NoAnswer, match=r"silent for 0\.2"):
        await link.send(endpoint, MAIL, [])
    assert link.linked() is None


async def test_a_server_that_never_greets_is_unreachable(post: Post) -> None:
    opened = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    endpoint = Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
    with pytest.raises(Unreachable, match=r"silent for 0\.2 s"):
        await post.link(timeout_s=0.2).send(endpoint, MAIL, [])
    assert opened.is_set()
    server.close()


async def test_a_server_that_turns_us_away(post: Post) -> None:
    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 5.7.1 your address is unknown here\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(busy, "127.0.0.1", 0)
    endpoint = Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
    with pytest.raises(Unreachable, match=r"turns us away: 554 5\.7\.1 your address is unknown here"):
        await post.link().send(endpoint, MAIL, [])
    server.close()


async def test_nothing_is_sent_without_the_encryption_asked_for(post: Post) -> None:
    endpoint = await post.server()
    with pytest.raises(Unreachable, match="does not offer STARTTLS, so nothing was sent"):
        await post.link("required").send(endpoint, MAIL, [])
    await post.link("opportunistic").send(endpoint, MAIL, [])
    assert [message["tls"] for message in post.received] == [False]


async def test_a_password_never_goes_out_in_clear(post: Post) -> None:
    endpoint = await post.server(user="gw", password="hidden-word", clear_login=True)
    with pytest.raises(LoginRefused, match="password was not sent"):
        await post.link("opportunistic", user="gw", password="hidden-word").send(endpoint, MAIL, [])


async def test_a_wrong_password_is_said_plainly(post: Post) -> None:
    endpoint = await post.server(user="gw", password="right", clear_login=True)
    link = post.link(user="gw", password="wrong-word", clear_login=True)
    with pytest.raises(LoginRefused, match="refuses the user gw or its password: 535") as caught:
        await link.send(endpoint, MAIL, [])
    assert "wrong-word" not in str(caught.value)


async def test_a_server_without_login(post: Post) -> None:
    endpoint = await post.server()
    with pytest.raises(LoginRefused, match="offers no way to log in"):
        await post.link(user="gw", password="p", clear_login=True).send(endpoint, MAIL, [])


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_foreign_certificate_names_its_authority(post: Post, implicit: bool, authority: Any) -> None:
    endpoint = await post.server(tls=server_context(*authority.issue("mail.example.net")), implicit=implicit)
    options = TlsOptions(server_name="mail.example.net")
    link = post.link("implicit" if implicit else "required", tls=options)
    with pytest.raises(Unreachable, match=r"Example Root.*not trusted here"):
        await link.send(endpoint, MAIL, [])
    pinned = TlsOptions(ca_file=authority.ca, server_name="mail.example.net", pin="0" * 64)
    with pytest.raises(Unreachable, match=r"^127\.0\.0\.1:\d+ shows another certificate than the pinned one"):
        await post.link("implicit" if implicit else "required", tls=pinned).send(endpoint, MAIL, [])
    assert post.received == []


async def test_cancelling_leaves_the_link_usable(post: Post) -> None:
    endpoint = await post.server(MailFault("data", "250 late", delay_s=30))
    link = post.link()
    task = asyncio.create_task(link.send(endpoint, MAIL, []))
    while post.standins[0].faults:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await link.send(endpoint, MAIL, [])
    assert post.standins[0].connections == 2


async def test_trying_the_login_sends_nothing(post: Post) -> None:
    endpoint = await post.server(user="gw", password="p", clear_login=True)
    link = post.link(user="gw", password="p", clear_login=True)
    log: list[str] = []
    await link.try_login(endpoint, log)
    assert not any("MAIL" in line for line in log)
    assert link.linked() is None
