"""Pictures by FTP ahead of the event (stations.md 5): named in it when they are up, never waited for too long."""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image
from tests.destinations.bench import panel_event
from tests.destinations.dc09.conftest import AT, Bench, Stations

from tocsin.destinations.dc09 import pictures
from tocsin.destinations.dc09.destination import Dc09Destination
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Attempt, LinkDown, TryLater
from tocsin.model.event import Event, Photo
from tocsin.standins.ftpes import FtpStandin, FtpSwitches
from tocsin.telemetry.occurrences import Notice, Trouble

PASSWORD = "a-very-secret-word"
DETECTOR = "01E211D51A00006B"
NAMED = "9280/20260304T081528Z_11E2"
Ftp = Callable[..., Awaitable[tuple[FtpStandin, str]]]


@pytest.fixture
async def ftp() -> AsyncIterator[Ftp]:
    """`ftp(disk_full=True)` starts a picture server; it and its address."""
    made: list[FtpStandin] = []

    async def start(**switches: Any) -> tuple[FtpStandin, str]:
        made.append(FtpStandin("127.0.0.1:0", lambda _: None, LoopClock(), FtpSwitches("gw", PASSWORD, **switches)))
        return made[-1], f"127.0.0.1:{await made[-1].start()}"

    yield start
    for each in made:
        await each.aclose()


def jpeg(shade: int = 40) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, 90, 40)).save(written, "JPEG")
    return written.getvalue()


PHOTOS = [Photo(1, jpeg(), ""), Photo(2, jpeg(80), "")]


def photos_by(host: str, **changes: Any) -> dict[str, Any]:
    return {"by": "ftp", "hosts": [host], "user": "gw", "password": PASSWORD, "tls": {"mode": "off"}, **changes}


def gate(**changes: Any) -> Event:
    facts = {"kind": "motion", "address": None, "device_id": DETECTOR, "photos": 2, "url": "https://gw.example.net/e/1"}
    return replace(panel_event(AT, "Detector 2DAD"), **{**facts, **changes})


async def delivered(bench: Bench, destination: Dc09Destination, event: Event, number: int = 1) -> Attempt:
    attempt = bench.attempt(*PHOTOS)
    await destination.deliver(bench.due(destination, event, number), attempt)
    assert PASSWORD not in str(attempt.exchanges) + str(bench.occurrences)
    return attempt


def fields(message: dict[str, Any], letter: str) -> list[str]:
    return [value for name, value in message["fields"] if name == letter]


@pytest.mark.parametrize(
    ("changes", "letter", "values"),
    [
        ({}, "U", [f"{NAMED}_1.jpg", f"{NAMED}_2.jpg"]),
        ({"path": "in/gw"}, "U", [f"in/gw/{NAMED}_1.jpg", f"in/gw/{NAMED}_2.jpg"]),
        ({"path": "in", "url": "ftp://m.example.net/gw/"}, "U",
         [f"ftp://m.example.net/gw/{NAMED}_{n}.jpg" for n in (1, 2)]),
        ({"field": "V", "url": "https://m.example.net"}, "V",
         [f"https://gw.example.net/e/1,https://m.example.net/{NAMED}_1.jpg,https://m.example.net/{NAMED}_2.jpg"]),
        ({"as": "avi"}, "U", [f"{NAMED}_1.avi"]),
        ({"max_count": 1}, "U", [f"{NAMED}_1.jpg"]),
    ],
)  # fmt: skip
async def test_pictures_are_up_before_the_event_names_them(
    bench: Bench, station: Stations, ftp: Ftp, changes: dict[str, Any], letter: str, values: list[str]
) -> None:
    receiver, port = await station()
    server, host = await ftp()
    destination = bench.destination(port, photos=photos_by(host, **changes))
    attempt = await delivered(bench, destination, gate())
    [message] = receiver.messages
    assert fields(message, letter) == values
    assert [one.result for one in attempt.exchanges] == ["delivered", "delivered"]
    up = sorted(path.relative_to(server.root).as_posix() for path in server.root.rglob("*.*"))
    named = [value.rpartition("/9280/")[2] for one in values for value in one.split(",") if "_11E2_" in value]
    assert [path.rpartition("9280/")[2] for path in up] == [name.rpartition("9280/")[2] for name in named]
    rendered = destination.render(bench.due(destination, gate()), PHOTOS)
    assert rendered[-1].name == "frame"
    if changes.get("as") != "avi":
        assert rendered[-1].data[9:].startswith(b'"SIA-DCS"')
        assert all(value.encode() in rendered[-1].data for value in values)


@pytest.mark.parametrize(
    ("switches", "told"),
    [({"refuse_login": True}, "events go without them"), ({"disk_full": True}, "events go without them"),
     ({"refuse_files": True}, "pictures of event .* are refused")],
)  # fmt: skip
async def test_a_server_that_refuses_never_costs_the_alarm(
    bench: Bench, station: Stations, ftp: Ftp, switches: dict[str, Any], told: str
) -> None:
    receiver, port = await station()
    _, host = await ftp(**switches)
    destination = bench.destination(port, photos=photos_by(host))
    attempt = await delivered(bench, destination, gate())
    assert fields(receiver.messages[0], "U") == []
    assert attempt.exchanges[-1].result == "delivered"
    assert any("goes without them" in one.note for one in attempt.exchanges)
    troubles = [one.text for one in bench.occurrences if isinstance(one, Trouble)]
    assert len(troubles) == 1
    assert re.search(told, troubles[0])


async def test_a_silent_server_holds_the_alarm_only_so_long_and_the_next_not_at_all(
    bench: Bench, station: Stations
) -> None:
    held: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    host = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    receiver, port = await station()
    destination = bench.destination(port, photos=photos_by(host, upload_wait="300ms", timeout="20s"))
    async with asyncio.timeout(10):  # half of what the server may take for one upload
        await delivered(bench, destination, gate(), 1)
        assert len(held) == 1
        await delivered(bench, destination, gate(id="2"), 2)
    assert (len(held), len(receiver.messages)) == (1, 2)
    await destination.aclose()
    silent.close()
    for writer in held:
        writer.close()


async def test_what_was_not_up_in_time_goes_up_in_the_background(bench: Bench, station: Stations, ftp: Ftp) -> None:
    receiver, port = await station()
    server, host = await ftp(refuse_login=True)
    destination = bench.destination(port, photos=photos_by(host))
    await delivered(bench, destination, gate(), 1)
    server.switches.refuse_login = False
    async with asyncio.timeout(10):
        while not any(isinstance(one, Notice) and "after the event" in one.text for one in bench.occurrences):
            await asyncio.sleep(0.02)
    assert len(list((server.root / "9280").iterdir())) == 2
    await delivered(bench, destination, gate(id="2"), 2)
    assert fields(receiver.messages[0], "U") == []
    assert fields(receiver.messages[1], "U") == [f"{NAMED}-2_1.jpg", f"{NAMED}-2_2.jpg"], "another event's names"


async def test_a_repeated_message_keeps_its_content(bench: Bench, station: Stations, ftp: Ftp) -> None:
    receiver, port = await station()
    receiver.switches.silent = True
    server, host = await ftp(refuse_login=True)
    destination = bench.destination(port, photos=photos_by(host), reply_timeout=0.2)
    due = bench.due(destination, gate())
    with pytest.raises(TryLater):
        await destination.deliver(due, bench.attempt(*PHOTOS))
    server.switches.refuse_login = False
    async with asyncio.timeout(10):
        while not list(server.root.rglob("*_2.jpg")):
            await asyncio.sleep(0.02)
    receiver.switches.silent = False
    await destination.deliver(due, bench.attempt(*PHOTOS))
    assert [fields(message, "U") for message in receiver.messages] == [[], []]


async def test_pictures_go_up_once_while_the_station_cannot_be_reached(
    bench: Bench, station: Stations, ftp: Ftp
) -> None:
    receiver, port = await station()
    await receiver.aclose()
    server, host = await ftp()
    destination = bench.destination(port, photos=photos_by(host))
    due = bench.due(destination, gate())
    for _ in range(3):
        with pytest.raises(LinkDown):
            await destination.deliver(due, bench.attempt(*PHOTOS))
    assert len(list((server.root / "9280").iterdir())) == 2
    assert server.logins == 1
    stored = {path.name: path.stat().st_mtime_ns for path in (server.root / "9280").iterdir()}
    with pytest.raises(LinkDown):
        await destination.deliver(due, bench.attempt(*PHOTOS))
    assert stored == {path.name: path.stat().st_mtime_ns for path in (server.root / "9280").iterdir()}


@pytest.mark.parametrize("photos", [[Photo(1, b"no picture", "")], []])
async def test_pictures_that_cannot_go_out_cost_only_themselves(
    bench: Bench, station: Stations, ftp: Ftp, photos: list[Photo]
) -> None:
    receiver, port = await station()
    _, host = await ftp()
    destination = bench.destination(port, photos=photos_by(host))
    await destination.deliver(bench.due(destination, gate()), bench.attempt(*photos))
    assert fields(receiver.messages[0], "U") == []
    assert any(isinstance(one, Trouble) and "no picture that can go out" in one.text for one in bench.occurrences)


async def test_photos_that_cannot_be_read_cost_only_themselves(bench: Bench, station: Stations, ftp: Ftp) -> None:
    async def broken(_: int) -> list[Photo]:
        raise OSError("the disk is gone")

    receiver, port = await station()
    _, host = await ftp()
    destination = bench.destination(port, photos=photos_by(host))
    await destination.deliver(bench.due(destination, gate()), Attempt(LoopClock(), broken, 1))
    assert len(receiver.messages) == 1
    assert any(isinstance(one, Trouble) and "the disk is gone" in one.text for one in bench.occurrences)


async def test_cancelled_and_closed_nothing_is_left(bench: Bench, station: Stations, ftp: Ftp) -> None:
    _, port = await station()
    server, host = await ftp(slow=1)
    destination = bench.destination(port, photos=photos_by(host))
    task = asyncio.create_task(destination.deliver(bench.due(destination, gate()), bench.attempt(*PHOTOS)))
    async with asyncio.timeout(5):
        while not list(server.root.rglob("*.part")):
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        await destination.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_check_looks_at_the_picture_servers_too(bench: Bench, station: Stations, ftp: Ftp) -> None:
    _, port = await station()
    server, host = await ftp()
    destination = bench.destination(port, photos=photos_by(host))
    steps = await destination.check()
    assert steps[-1].ok
    assert "nothing was stored" in steps[-1].detail
    server.switches.refuse_login = True
    steps = await bench.destination(port, photos=photos_by(host)).check()
    assert not steps[-1].ok
    assert "refuses the user gw" in steps[-1].detail


async def test_pictures_that_wait_take_no_more_than_their_share_of_memory(
    bench: Bench, station: Stations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest are given up, and told, before the gateway itself is ended for what it holds."""
    held = sum(len(photo.data) for photo in PHOTOS)
    monkeypatch.setattr(pictures, "MOST_BYTES", 3 * held)
    _, port = await station()
    destination = bench.destination(port, photos=photos_by("127.0.0.1:1", upload_wait="5s"))
    for number in range(1, 6):
        event = gate(id=f"E{number}", device_id=f"{DETECTOR[:-1]}{number}")
        attempt = bench.attempt(*PHOTOS)
        await destination.deliver(bench.due(destination, event, number), attempt)
    async with asyncio.timeout(5):
        while len(told := [one for one in bench.occurrences if "given up" in str(one)]) < 2:
            await asyncio.sleep(0.01)
    assert len(told) == 2
    assert f"more than {3 * held} bytes" in str(told[0])
