import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from tests.destinations.bench import results
from tests.destinations.mailing.conftest import MailServers
from tests.ports import free_host

from tocsin.destinations.email.destination import EmailDestination, build
from tocsin.destinations.email.pace import Pace
from tocsin.destinations.email.settings import EmailSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt, LinkDown, Rejected, TryLater
from tocsin.model.delivery import Due
from tocsin.model.event import Event, Photo
from tocsin.standins.smtp import MailFault
from tocsin.telemetry.occurrences import Trouble
from tocsin.transports.tls import server_context

PASSWORD = "a-very-secret-word"


class Mails(MailServers):
    def destination(self, *hosts: str, **settings: Any) -> EmailDestination:
        table = {
            "name": "people", "hosts": list(hosts), "sender": "gw@example.net", "to": ["a@example.net"],
            "tls": {"mode": "off"}, **settings,
        }  # fmt: skip
        return self.closes(build(EmailSettings.model_validate(table), self.surroundings))


@pytest.fixture
async def bench(surroundings: Surroundings) -> AsyncIterator[Mails]:
    async with Mails(surroundings) as made:
        yield made


async def test_delivered_encrypted_logged_in_with_photos(
    bench: Mails, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo], authority: Any, recorded: list[Any],
) -> None:  # fmt: skip
    host = await bench.server(
        tls=server_context(*authority.issue("mail.example.net")), require_tls=True, user="gw", password=PASSWORD
    )
    tls = {"ca_file": authority.ca, "server_name": "mail.example.net"}
    destination = bench.destination(host, tls=tls, user="gw", password=PASSWORD)
    attempt = make_attempt([make_photo(1), make_photo(2, width=64)])
    due = make_due(make_event(photos=2), "a@example.net,b@example.net")
    receipt = await destination.deliver(due, attempt)
    assert (receipt.host, receipt.answer) == (host, "250 2.0.0 queued")
    [message] = bench.received
    assert message["problems"] == []
    assert (message["tls"], message["user"], message["event_id"]) == (True, "gw", due.event.id)
    assert message["to"] == ["a@example.net", "b@example.net"]
    assert [(photo["width"], photo["inline"]) for photo in message["photos"]] == [(32, True), (64, True)]
    assert results(attempt) == ["delivered"]
    shown = str(attempt.exchanges) + str(recorded) + destination.hosts_in_use()
    assert PASSWORD not in shown
    assert "C: AUTH (user gw, password ***)" in attempt.exchanges[0].answer
    assert "Subject: [North depot] Person detected" in attempt.exchanges[0].sent


@pytest.mark.parametrize(
    ("fault", "error", "result", "part"),
    [
        (MailFault("mail", "550 5.7.1 not you"), Rejected, "refused", "not you"),
        (MailFault("rcpt", "550 5.1.1 nobody"), Rejected, "refused", "nobody"),
        (MailFault("data", "554 5.7.1 spam"), Rejected, "refused", "spam"),
        (MailFault("rcpt", "450 4.2.0 greylisted"), TryLater, "retry", "greylisted"),
        (MailFault("data", "452 4.3.1 disk full"), TryLater, "retry", "disk full"),
        (MailFault("data", drop=True), TryLater, "broken", "may have taken the mail"),
        (MailFault("data", "250 late", delay_s=30), TryLater, "silent", "may have taken the mail"),
    ],
)
async def test_what_is_not_a_plain_yes(
    bench: Mails, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt],
    fault: MailFault, error: type[Exception], result: str, part: str,
) -> None:  # fmt: skip
    destination = bench.destination(await bench.server(fault), timeout="1s" if fault.delay_s else "10s")
    attempt = make_attempt()
    with pytest.raises(error, match=part):
        await destination.deliver(make_due(address="a@example.net"), attempt)
    assert results(attempt) == [result]


async def test_after_a_cut_the_mail_goes_again_under_the_same_id(
    bench: Mails, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.server(MailFault("data", drop=True)))
    due = make_due(address="a@example.net")
    with pytest.raises(TryLater):
        await destination.deliver(due, make_attempt())
    await destination.deliver(due, make_attempt())
    assert bench.received[0]["message_id"] == bench.received[1]["message_id"]
    assert bench.received[1]["duplicate"]


@pytest.mark.parametrize("answer", ["552 5.3.4 too big", "554 5.3.4 too big"])
async def test_too_large_goes_once_more_without_photos(
    bench: Mails, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo], answer: str,
) -> None:  # fmt: skip
    destination = bench.destination(await bench.server(MailFault("data", answer)))
    attempt = make_attempt([make_photo(1)])
    receipt = await destination.deliver(make_due(make_event(photos=1), "a@example.net"), attempt)
    assert "without photos" in receipt.answer
    assert results(attempt) == ["refused", "delivered"]
    assert [len(message["photos"]) for message in bench.received] == [1, 0]
    assert "Sent without photos" in bench.received[1]["text"]


async def test_an_announced_size_limit_is_met_without_photos(
    bench: Mails, make_due: Callable[..., Due], make_event: Callable[..., Event], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.server(size_limit=12_000))
    large = Photo(1, b"\xff\xd8\xff" + b"x" * 20_000, "")
    await destination.deliver(make_due(make_event(photos=1), "a@example.net"), make_attempt([large]))
    assert [message["photos"] for message in bench.received] == [[]]


async def test_the_second_host_takes_what_the_first_cannot(
    bench: Mails, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    second = await bench.server()
    destination = bench.destination(free_host(), second)
    assert destination.hosts_in_use() != second
    attempt = make_attempt()
    receipt = await destination.deliver(make_due(address="a@example.net"), attempt)
    assert receipt.host == second == destination.hosts_in_use()
    assert results(attempt) == ["unreachable", "delivered"]
    again = make_attempt()
    await destination.deliver(make_due(address="a@example.net"), again)
    assert results(again) == ["delivered"]
    assert bench.standins[0].connections == 1


async def test_a_host_that_says_later_is_followed_by_the_next(
    bench: Mails, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.server(MailFault("mail", "451 4.3.0 later")), await bench.server())
    attempt = make_attempt()
    await destination.deliver(make_due(address="a@example.net"), attempt)
    assert results(attempt) == ["retry", "delivered"]


async def test_nobody_there_pauses_the_destination(
    bench: Mails, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(free_host(), free_host())
    attempt = make_attempt()
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.deliver(make_due(address="a@example.net"), attempt)
    assert results(attempt) == ["unreachable", "unreachable"]
    [step] = await destination.check()
    assert not step.ok


async def test_a_wrong_password_pauses_and_is_said_plainly(
    bench: Mails, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    host = await bench.server(user="gw", password="another", clear_login=True)
    destination = bench.destination(host, user="gw", password=PASSWORD, clear_login=True)
    with pytest.raises(LinkDown, match="refuses the user gw or its password") as caught:
        await destination.deliver(make_due(address="a@example.net"), make_attempt())
    steps = await destination.check()
    assert [(step.what, step.ok) for step in steps] == [(f"connect to {host}", True), ("login", False)]
    assert PASSWORD not in f"{caught.value}{steps}"


async def test_check_goes_through_every_host_and_sends_nothing(bench: Mails) -> None:
    destination = bench.destination(await bench.server(), await bench.server())
    assert [step.ok for step in await destination.check()] == [True] * 4
    assert bench.received == []


async def test_who_was_told_is_not_told_again(
    bench: Mails, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt], recorded: list[Any]
) -> None:
    grey = MailFault("rcpt", "450 4.2.0 greylisted", recipient="b@example.net")
    gone = MailFault("rcpt", "550 5.1.1 nobody", recipient="c@example.net")
    destination = bench.destination(await bench.server(grey, gone))
    due = make_due(address="a@example.net,b@example.net,c@example.net")
    with pytest.raises(TryLater, match=r"not yet for b@example\.net"):
        await destination.deliver(due, make_attempt())
    receipt = await destination.deliver(due, make_attempt())
    assert receipt.answer == "250 2.0.0 queued"
    assert [message["to"] for message in bench.received] == [["a@example.net"], ["b@example.net"]]
    [trouble] = [one for one in recorded if isinstance(one, Trouble)]
    assert "c@example.net" in trouble.text


async def test_cancelling_leaves_the_destination_usable(
    bench: Mails, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.server(MailFault("data", "250 late", delay_s=30)))
    task = asyncio.create_task(destination.deliver(make_due(address="a@example.net"), make_attempt()))
    while bench.standins[0].faults:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await destination.deliver(make_due(address="a@example.net"), make_attempt())
    assert len(bench.received) == 1


async def test_rendered_is_what_is_sent(
    bench: Mails, make_due: Callable[..., Due], make_event: Callable[..., Event], make_photo: Callable[..., Photo],
    make_attempt: Callable[..., Attempt],
) -> None:  # fmt: skip
    destination = bench.destination(await bench.server(), photos={"as": "both", "max_count": 2})
    due = make_due(make_event(photos=3), "a@example.net")
    photos = [make_photo(n) for n in (1, 2, 3)]
    [rendered] = destination.render(due, photos)
    await destination.deliver(due, make_attempt(photos))
    assert bench.received[0]["bytes"] == len(rendered.data)
    assert "1 of 3 photos left out" in rendered.note
    assert len(bench.received[0]["photos"]) == 4


def test_a_limit_counts_any_minute() -> None:
    pace = Pace(2)
    for now in (0.0, 10.0):
        assert pace.wait_s(now) == 0.0
        pace.sent(now)
    assert (pace.wait_s(20.0), pace.wait_s(59.0), pace.wait_s(60.0)) == (40.0, 1.0, 0.0)
    pace.sent(60.0)
    assert pace.wait_s(61.0) == 9.0
    assert Pace(None).wait_s(0.0) == 0.0


class Hurried:
    """A clock on which a minute is a fifth of a second."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() * 300


async def test_what_is_too_much_waits_and_none_is_left_out(
    surroundings: Surroundings, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("tocsin.destinations.email.destination._LOOK_S", 0.01)
    async with Mails(replace(surroundings, clock=Hurried())) as hurried:
        destination = hurried.destination(await hurried.server(), max_per_minute=2)
        for n in range(5):
            await destination.deliver(make_due(make_event(id=f"event-{n}"), "a@example.net"), make_attempt())
    assert [message["event_id"] for message in hurried.received] == [f"event-{n}" for n in range(5)]
    remarks = [re.findall(r"as (\d+) mails in a row", message["text"]) for message in hurried.received]
    assert remarks[:3] == [[], [], ["1"]]
    assert "at most 2 mails a minute" in hurried.received[2]["text"]


async def test_a_mail_that_waits_for_the_limit_can_be_cancelled(
    bench: Mails, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.server(), max_per_minute=1)
    await destination.deliver(make_due(address="a@example.net"), make_attempt())
    attempt = make_attempt()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await destination.deliver(make_due(address="a@example.net"), attempt)
    assert (results(attempt), len(bench.received)) == ([], 1)


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ({"hosts": []}, "at least 1"),
        ({"hosts": ["a b"]}, "pattern"),
        ({"hosts": ["mail.example.net:x"]}, "host:port"),
        ({"sender": "gw@example.net\r\nBcc: x@y"}, "plain mail address"),
        ({"to": ["<a@example.net>"]}, "plain mail address"),
        ({"user": "u"}, "belong together"),
        ({"user": "u", "password": "p", "tls": {"mode": "off"}}, "unencrypted"),
        ({"tls": {"mode": "starttls"}}, "required"),
        ({"source_address": "home"}, "IPv4 or IPv6"),
        ({"photos": "link"}, "inline"),
        ({"max_per_minute": 0}, "greater than or equal to 1"),
    ],
)
def test_unusable_settings_are_refused(table: dict[str, Any], part: str) -> None:
    good = {"name": "people", "hosts": ["mail.example.net"], "sender": "gw@example.net", "to": ["a@example.net"]}
    EmailSettings.model_validate(good)
    with pytest.raises(ValueError, match=part):
        EmailSettings.model_validate({**good, **table})


@pytest.mark.parametrize(
    ("table", "endpoint"),
    [
        ({}, "mail.example.net:587"),
        ({"tls": {"mode": "implicit"}}, "mail.example.net:465"),
        ({"tls": {"mode": "off"}}, "mail.example.net:25"),
        ({"port": 9025}, "mail.example.net:9025"),
        ({"hosts": ["mail.example.net:26"], "port": 9025}, "mail.example.net:26"),
        ({"hosts": ["2001:db8::1"]}, "[2001:db8::1]:587"),
        ({"hosts": ["[2001:db8::1]:26"]}, "[2001:db8::1]:26"),
    ],
)
def test_ports(table: dict[str, Any], endpoint: str) -> None:
    good = {"name": "people", "hosts": ["mail.example.net"], "sender": "gw@example.net"}
    assert [str(one) for one in EmailSettings.model_validate({**good, **table}).endpoints()] == [endpoint]
