"""What holds for every station that is told by mail, over real sockets."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.destinations.bench import results

from tocsin.engine.contracts import LinkDown, Rejected, TryLater
from tocsin.model.delivery import Due
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.standins.smtp import MailFault
from tocsin.transports.tls import server_context

PASSWORD = "a-very-secret-word"
KINDS = ("immix", "sentinel", "patriot", "sureview")
UNDERSTOOD = {
    "immix": {"EventType": "PersonDetected", "Input1": "1", "DateTime": "2024-05-30T19:15:04Z"},
    "sentinel": {"SiteID": "12345", "Event": "Intruder", "CameraName": "Detector: 2DAD"},
    "patriot": {"client": "0011-01", "type": "130", "url": "https://gw.example.net/e/7Q2M"},
    "sureview": {"shown": "Person detected, Detector: 2DAD - North depot", "position": "59.437000,24.752000"},
}
"""What each station's stand-in reads of the gate's event."""
every = pytest.mark.parametrize("kind", KINDS)
Make = Callable[..., Any]


def due_at(destination: Any, make_due: Make, event: Event) -> Due:
    due = make_due(event, destination.address(event, None).address)
    assert isinstance(due, Due)
    return due


@every
async def test_delivered_encrypted_logged_in_with_pictures(
    bench: Any, kind: str, make_due: Make, make_event: Make, make_attempt: Make, make_photo: Make, authority: Any
) -> None:
    host = await bench.server(
        tls=server_context(*authority.issue("mail.example.net")), require_tls=True, user="gw", password=PASSWORD,
        reads=kind,
    )  # fmt: skip
    tls = {"ca_file": authority.ca, "server_name": "mail.example.net"}
    destination = bench.destination(kind, host, tls=tls, user="gw", password=PASSWORD)
    photos = [make_photo(1), make_photo(2, width=64)]
    attempt = make_attempt(photos)
    due = due_at(destination, make_due, make_event(photos=2))
    receipt = await destination.deliver(due, attempt)
    assert receipt.host == host
    assert receipt.answer.startswith("250 2.0.0 queued")
    [message] = bench.received
    assert message["problems"] == []
    assert message["understood"].items() >= UNDERSTOOD[kind].items()
    assert (message["tls"], message["user"], message["event_id"]) == (True, "gw", due.event.id)
    carried = 1 if kind == "patriot" else 2
    assert [(photo["width"], photo["inline"]) for photo in message["photos"]] == [(32, False), (64, False)][:carried]
    assert [photo["sha256"] for photo in message["photos"]] == [photo.sha256 for photo in photos][:carried]
    assert results(attempt) == ["delivered"]
    assert PASSWORD not in str(attempt.exchanges) + destination.hosts_in_use()


@every
@pytest.mark.parametrize(
    ("fault", "error", "result", "part"),
    [
        (MailFault("rcpt", "550 5.1.1 nobody"), Rejected, "refused", "nobody"),
        (MailFault("rcpt", "450 4.2.0 greylisted"), TryLater, "retry", "greylisted"),
        (MailFault("data", drop=True), TryLater, "broken", "may have taken the mail"),
        (MailFault("data", "250 late", delay_s=30), TryLater, "silent", "may have taken the mail"),
    ],
)
async def test_what_is_not_a_plain_yes(
    bench: Any, kind: str, make_due: Make, make_event: Make, make_attempt: Make,
    fault: MailFault, error: type[Exception], result: str, part: str,
) -> None:  # fmt: skip
    destination = bench.destination(kind, await bench.server(fault), timeout="1s" if fault.delay_s else "10s")
    attempt = make_attempt()
    with pytest.raises(error, match=part):
        await destination.deliver(due_at(destination, make_due, make_event()), attempt)
    assert results(attempt) == [result]


@every
async def test_the_second_host_takes_what_the_first_cannot_and_nobody_there_pauses(
    bench: Any, kind: str, make_due: Make, make_event: Make, make_attempt: Make, closed_port: str
) -> None:
    second = await bench.server()
    destination = bench.destination(kind, closed_port, second)
    attempt = make_attempt()
    receipt = await destination.deliver(due_at(destination, make_due, make_event()), attempt)
    assert receipt.host == second
    assert results(attempt) == ["unreachable", "delivered"]
    alone = bench.destination(kind, closed_port)
    with pytest.raises(LinkDown, match="refuses the connection"):
        await alone.deliver(due_at(alone, make_due, make_event()), make_attempt())


async def test_what_one_server_refuses_another_may_take(
    bench: Any, make_due: Make, make_event: Make, make_attempt: Make, closed_port: str
) -> None:
    refuses = [await bench.server(*[MailFault("rcpt", "550 5.7.1 relaying denied")] * 3) for _ in range(2)]
    takes, later = await bench.server(), await bench.server(MailFault("rcpt", "450 4.2.0 greylisted"))

    async def sent(*hosts: str) -> str:
        destination = bench.destination("sentinel", *hosts)
        return (await destination.deliver(due_at(destination, make_due, make_event()), make_attempt())).host

    assert await sent(refuses[0], takes) == takes
    with pytest.raises(TryLater, match=r"relaying denied.*greylisted"):
        await sent(refuses[0], later)
    with pytest.raises(Rejected, match="relaying denied"):
        await sent(*refuses)
    with pytest.raises(TryLater, match=r"relaying denied.*refuses the connection"):
        await sent(refuses[1], closed_port)


@every
async def test_sent_twice_it_is_the_same_mail(
    bench: Any, kind: str, make_due: Make, make_event: Make, make_attempt: Make
) -> None:
    destination = bench.destination(kind, await bench.server(MailFault("data", drop=True)))
    due = due_at(destination, make_due, make_event())
    with pytest.raises(TryLater):
        await destination.deliver(due, make_attempt())
    await destination.deliver(due, make_attempt())
    assert [message["duplicate"] for message in bench.received] == [False, True]
    assert bench.received[0]["text"] == bench.received[1]["text"]


@every
async def test_cancelling_leaves_the_destination_usable(
    bench: Any, kind: str, make_due: Make, make_event: Make, make_attempt: Make
) -> None:
    destination = bench.destination(kind, await bench.server(MailFault("data", "250 late", delay_s=30)))
    due = due_at(destination, make_due, make_event())
    task = asyncio.create_task(destination.deliver(due, make_attempt()))
    while bench.standins[0].faults:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await destination.deliver(due, make_attempt())
    assert len(bench.received) == 1


async def test_too_large_goes_with_smaller_pictures_then_with_none(
    bench: Any, make_due: Make, make_event: Make, make_attempt: Make, detailed_photo: Photo
) -> None:
    faults = [MailFault("data", "552 5.3.4 too big")] * 2
    destination = bench.destination("immix", await bench.server(*faults))
    attempt = make_attempt([detailed_photo])
    receipt = await destination.deliver(due_at(destination, make_due, make_event(photos=1)), attempt)
    assert results(attempt) == ["refused", "refused", "delivered"]
    assert "made smaller" in attempt.exchanges[1].note
    sizes = [[photo["bytes"] for photo in message["photos"]] for message in bench.received]
    assert sizes[0] == [len(detailed_photo.data)]
    assert 0 < sizes[1][0] <= len(detailed_photo.data) // 4
    assert sizes[2] == []
    assert "sent without pictures" in receipt.answer
    assert "with smaller pictures" in attempt.exchanges[1].note


async def test_an_announced_limit_is_met_by_smaller_pictures(
    bench: Any, make_due: Make, make_event: Make, make_attempt: Make, detailed_photo: Photo
) -> None:
    destination = bench.destination("sureview", await bench.server(size_limit=len(detailed_photo.data)))
    await destination.deliver(due_at(destination, make_due, make_event(photos=1)), make_attempt([detailed_photo]))
    [message] = bench.received
    assert [photo["bytes"] < len(detailed_photo.data) for photo in message["photos"]] == [True]


async def test_a_mail_that_is_refused_in_every_form_is_set_aside(
    bench: Any, make_due: Make, make_event: Make, make_attempt: Make, make_photo: Make
) -> None:
    faults = [MailFault("data", "554 5.7.1 spam")] * 3
    destination = bench.destination("sentinel", await bench.server(*faults))
    with pytest.raises(Rejected, match="spam"):
        await destination.deliver(due_at(destination, make_due, make_event(photos=1)), make_attempt([make_photo(1)]))
    assert len(bench.received) == 2


async def test_a_broken_picture_costs_the_picture_only(
    bench: Any, make_due: Make, make_event: Make, make_attempt: Make, make_photo: Make
) -> None:
    destination = bench.destination("immix", await bench.server())
    broken = Photo(1, b"no picture", hashlib.sha256(b"no picture").hexdigest())
    attempt = make_attempt([broken, make_photo(2)])
    await destination.deliver(due_at(destination, make_due, make_event(photos=2)), attempt)
    assert [photo["width"] for photo in bench.received[0]["photos"]] == [32]
    assert "photo 1 left out" in attempt.exchanges[0].note


async def test_a_burst_keeps_one_connection_and_the_order(
    bench: Any, make_due: Make, make_event: Make, make_attempt: Make
) -> None:
    destination = bench.destination("immix", await bench.server())
    for n in range(20):
        event = make_event(id=f"event-{n}")
        await destination.deliver(due_at(destination, make_due, event), make_attempt())
    assert bench.standins[0].connections == 1
    assert [message["event_id"] for message in bench.received] == [f"event-{n}" for n in range(20)]


async def test_check_says_what_a_technician_can_act_on(bench: Any, closed_port: str, authority: Any) -> None:
    foreign = await bench.server(tls=server_context(*authority.issue("other.example.net")), require_tls=True)
    locked = await bench.server(user="gw", password="another", clear_login=True)
    cases = [
        (closed_port, {}, "refuses the connection"),
        (foreign, {"tls": {"mode": "required"}}, "not trusted here"),
        (foreign, {"tls": {"mode": "required", "ca_file": authority.ca}}, "127.0.0.1"),
        (await bench.server(), {"tls": {"mode": "required"}}, "does not offer STARTTLS"),
        (locked, {"user": "gw", "password": PASSWORD, "clear_login": True}, "refuses the user gw"),
    ]
    for host, settings, part in cases:
        *_, last = await bench.destination("immix", host, **settings).check()
        assert not last.ok
        assert part in last.detail
        assert PASSWORD not in last.detail
    *_, last = await bench.destination("immix", await bench.server()).check()
    assert last.ok
    assert bench.received == []


async def test_a_refused_login_under_tls_leaves_nothing_behind(bench: Any, authority: Any) -> None:
    host = await bench.server(tls=server_context(*authority.issue("mail.example.net")), user="gw", password="another")
    tls = {"ca_file": authority.ca, "server_name": "mail.example.net"}
    destination = bench.destination("immix", host, user="gw", password=PASSWORD, tls=tls)
    for _ in range(3):
        *_, last = await destination.check()
        assert (last.what, last.ok) == ("login", False)


@every
async def test_rendered_is_what_is_sent(
    bench: Any, kind: str, make_due: Make, make_event: Make, make_photo: Make, make_attempt: Make
) -> None:
    destination = bench.destination(kind, await bench.server())
    due = due_at(destination, make_due, make_event(photos=1))
    [rendered] = destination.render(due, [make_photo(1)])
    await destination.deliver(due, make_attempt([make_photo(1)]))
    assert bench.received[0]["bytes"] == len(rendered.data)


@every
def test_restores_can_be_left_out(make_station: Make, make_event: Make, kind: str) -> None:
    restore = make_event(kind="tamper", state="restore")
    assert make_station(kind).address(restore, None).address
    assert "restores" in make_station(kind, restores="suppress").address(restore, None).unsupported
    assert make_station(kind, restores="suppress").address(make_event(), None).address


@every
def test_without_an_address_it_is_said_how_to_give_one(make_station: Make, make_event: Make, kind: str) -> None:
    found = make_station(kind, account=None).address(make_event(), Device("cam"))
    assert found.address == ""
    assert "write it as" in found.problem
    assert "set account" in found.problem


@every
@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"hosts": []}, "at least 1"),
        ({"account": "no such form!"}, "expected what follows the colon"),
        ({"accounts": {"9280": "<>"}}, "expected what follows the colon"),
        ({"codes": {"moton": "1"}}, "is no event kind"),
        ({"template": "{{ nothing }}"}, "nothing"),
        ({"subject": "{% if %}"}, "line 1"),
        ({"time": {"zone": "Mars/Base"}}, "no time zone"),
        ({"time": {"format": ""}}, "no printable time"),
        ({"time": {"zone": "Europe/Tallinn", "format": "%H:%MZ"}}, "ends in Z is UTC"),
        ({"photos": "carousel"}, "photos"),
    ],
)
def test_unusable_settings_are_refused(make_station: Make, kind: str, settings: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        make_station(kind, **settings)


@every
def test_a_template_stands_in_the_configuration_or_in_a_file(make_station: Make, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "own.txt"
    file.write_text("{{ code }}")
    make_station(kind, template_file=str(file))
    with pytest.raises(ValueError, match="not both"):
        make_station(kind, template="{{ code }}", template_file=str(file))


@pytest.mark.parametrize(
    ("kind", "mode", "port"),
    [
        ("immix", "required", 25), ("immix", "implicit", 465), ("sentinel", "off", 9025),
        ("sentinel", "required", 9025), ("patriot", "required", 587), ("patriot", "off", 25),
        ("sureview", "required", 587),
    ],
)  # fmt: skip
def test_usual_ports(make_station: Make, kind: str, mode: str, port: int) -> None:
    assert (
        make_station(kind, hosts=["mail.example.net"], tls={"mode": mode}).hosts_in_use() == f"mail.example.net:{port}"
    )
