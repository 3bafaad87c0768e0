"""EBÜS over real FTP: delivered, refused, cut, silent, second mirror, cancelled, twice; what a technician is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.destinations.bench import Bench, results
from tests.ports import free_host

from tocsin.destinations.ebus.destination import DISK_FULL_AFTER_S, EbusDestination, build
from tocsin.destinations.ebus.settings import EbusSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt, LinkDown, Rejected, TryLater
from tocsin.model.delivery import Due
from tocsin.model.event import Actor, Event, Photo
from tocsin.standins.ftpes import FtpStandin, FtpSwitches
from tocsin.telemetry.occurrences import Trouble

PASSWORD = "a-very-secret-word"


class Mirrors(Bench):
    """Stand-in FTP servers and destinations that use them."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.standins: list[FtpStandin] = []

    async def server(self, listen: str = "127.0.0.1:0", **switches: Any) -> str:
        standin = FtpStandin(
            listen, self.received.append, self.surroundings.clock, FtpSwitches("gw", PASSWORD, **switches)
        )
        port = await self.closes(standin).start()
        self.standins.append(standin)
        return f"127.0.0.1:{port}"

    def destination(self, *hosts: str, **settings: Any) -> EbusDestination:
        table = {
            "name": "ebus", "hosts": list(hosts), "user": "gw", "password": PASSWORD, "tls": {"mode": "off"},
            "create_dirs": True, "timeout": "2s", **settings,
        }  # fmt: skip
        return self.closes(build(EbusSettings.model_validate(table), self.surroundings))

    async def sets(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(5):
            while len(found := [one for one in self.received if one["kind"] == "set"]) < count:
                await asyncio.sleep(0.01)
            return found


@pytest.fixture
async def bench(surroundings: Surroundings) -> AsyncIterator[Mirrors]:
    async with Mirrors(surroundings) as made:
        yield made


async def test_delivered_encrypted_with_photos_and_what_is_rendered_is_what_arrives(
    bench: Mirrors, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo], authority: Any, recorded: list[Any],
) -> None:  # fmt: skip
    cert, key = authority.issue("ftp.example.net")
    host = await bench.server(cert=cert, key=key, require_tls=True)
    tls = {"ca_file": authority.ca, "server_name": "ftp.example.net"}
    destination = bench.destination(host, tls=tls, path="in")
    attempt = make_attempt(photos := [make_photo(1), make_photo(2, width=64)])
    due = make_due(make_event(photos=2), "depot-nord:3")
    receipt = await destination.deliver(due, attempt)
    assert (receipt.host, receipt.answer[:7]) == (host, "3 files")
    [told] = await bench.sets(1)
    rendered = {one.name: one.data for one in destination.render(due, photos)}
    assert told["files"] == list(rendered)
    assert told["tls"]
    root = bench.standins[0].root
    assert {name: (root / name).read_bytes() for name in rendered} == rendered
    assert [one.name for one in (root / "in" / "depot-nord").iterdir() if one.suffix == ".part"] == []
    assert results(attempt) == ["delivered"]
    assert "Alarm: Person" in attempt.exchanges[0].sent
    assert "C: PASS ***" in attempt.exchanges[0].answer
    assert PASSWORD not in str(attempt.exchanges) + str(recorded) + destination.hosts_in_use()


@pytest.mark.parametrize(
    ("switches", "error", "result", "part"),
    [
        ({"refuse_login": True}, LinkDown, "unreachable", "refuses the user gw or its password"),
        ({"disk_full": True}, TryLater, "retry", "disk or quota is full"),
        ({"refuse_files": True}, Rejected, "refused", "553 File name not allowed"),
        ({"drop_after": 1, "drops": 9}, TryLater, "broken", "middle of the upload"),
    ],
)
async def test_what_is_not_taken(
    bench: Mirrors, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt], recorded: list[Any],
    switches: dict[str, Any], error: type[Exception], result: str, part: str,
) -> None:  # fmt: skip
    destination = bench.destination(await bench.server(**switches))
    for _ in range(2):
        attempt = make_attempt()
        with pytest.raises(error, match=part) as caught:
            await destination.deliver(make_due(address="depot"), attempt)
        assert results(attempt) == [result]
    troubles = [one.text for one in recorded if isinstance(one, Trouble)]
    assert len(troubles) == (1 if "disk_full" in switches else 0), "told once"
    if isinstance(caught.value, TryLater):
        assert caught.value.after_s == (DISK_FULL_AFTER_S if "disk_full" in switches else None)


async def test_cut_in_the_middle_the_rest_follows_and_the_set_is_complete(
    bench: Mirrors, make_due: Callable[..., Due], make_event: Callable[..., Event], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.server(drop_after=20_000, drops=1))
    photos = [Photo(1, _padded(5_000), ""), Photo(2, _padded(60_000), "")]
    due = make_due(make_event(photos=2), "depot")
    with pytest.raises(TryLater):
        await destination.deliver(due, make_attempt(photos))
    assert [one for one in bench.received if one["kind"] == "set"] == []
    await destination.deliver(due, make_attempt(photos))
    [told] = await bench.sets(1)
    assert len(told["files"]) == 3
    assert len(bench.received) == 3, "what was up is not sent again"
    assert sorted(path.stat().st_size for path in (bench.standins[0].root / "depot").glob("*.jpg")) == [5_000, 60_000]


def _padded(size: int) -> bytes:
    """A JPEG of so many bytes: cameras pad behind the end."""
    import io

    from PIL import Image

    written = io.BytesIO()
    Image.new("RGB", (32, 24)).save(written, "JPEG")
    return written.getvalue().ljust(size, b"\x00")


async def test_a_mirror_takes_over_and_the_set_stays_on_one_host(
    bench: Mirrors, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo],
) -> None:  # fmt: skip
    destination = bench.destination(await bench.server(drop_after=1, drops=1), second := await bench.server())
    attempt = make_attempt([make_photo(1), make_photo(2)])
    receipt = await destination.deliver(make_due(make_event(photos=2), "depot"), attempt)
    assert receipt.host == second == destination.hosts_in_use()
    assert results(attempt) == ["broken", "delivered"]
    [told] = await bench.sets(1)
    assert len(told["files"]) == 3


async def test_nobody_there_pauses_the_destination(
    bench: Mirrors, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(free_host(), free_host())
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.deliver(make_due(address="depot"), make_attempt())
    with pytest.raises(LinkDown):
        await destination.supervise(make_attempt())
    [step] = await destination.check()
    assert not step.ok


async def test_sent_twice_overwrites(
    bench: Mirrors, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.server())
    for _ in range(2):
        await destination.deliver(make_due(address="depot"), make_attempt())
    assert len(list((bench.standins[0].root / "depot").iterdir())) == 1


async def test_cancelled_it_can_be_used_again(
    bench: Mirrors, make_due: Callable[..., Due], make_event: Callable[..., Event], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.server(slow=2_000))
    due = make_due(make_event(photos=1), "depot")
    task = asyncio.create_task(destination.deliver(due, make_attempt([Photo(1, _padded(60_000), "")])))
    async with asyncio.timeout(5):
        while not list(bench.standins[0].root.rglob("*.part")):
            await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(2):
        with pytest.raises(asyncio.CancelledError):
            await task
    bench.standins[0].switches.slow = 0
    await destination.deliver(due, make_attempt([Photo(1, _padded(60_000), "")]))
    [told] = await bench.sets(1)
    assert len(told["files"]) == 2


async def test_a_broken_photo_costs_the_photo_not_the_alarm(
    bench: Mirrors, make_due: Callable[..., Due], make_event: Callable[..., Event], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.server())
    receipt = await destination.deliver(make_due(make_event(photos=1), "depot"), make_attempt([Photo(1, b"no", "")]))
    assert "photo 1 left out" in receipt.answer
    [told] = await bench.sets(1)
    assert len(told["files"]) == 1


async def test_an_own_template_that_grows_too_long_is_refused_and_holds_nobody_up(
    bench: Mirrors, tmp_path: Path, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt],
) -> None:  # fmt: skip
    endless = "{% for a in objects %}{% for b in objects %}" + 300 * "x" + "{% endfor %}{% endfor %}"
    (tmp_path / "own.txt").write_text(endless, encoding="utf-8")
    destination = bench.destination(await bench.server(), text_file=str(tmp_path / "own.txt"))
    crowd = make_due(make_event(actors=(Actor("person"),) * 64), "depot")
    with pytest.raises(Rejected, match="more than 1048576 characters"):
        await destination.deliver(crowd, make_attempt())
    with pytest.raises(Rejected, match="more than 1048576 characters"):
        destination.render(crowd, ())


async def test_the_routine_call_comes_when_due_and_between_only_a_sign_of_life(
    bench: Mirrors, make_attempt: Callable[..., Attempt], clock: Any
) -> None:
    destination = bench.destination(await bench.server(), folder="gateway", routine="24h")
    for _ in range(3):
        await destination.supervise(make_attempt())
    [first] = await bench.sets(1)
    assert first["text"].startswith("Alarm: Routineruf\r\n")
    clock.at = clock.at + timedelta(hours=24)
    await destination.supervise(make_attempt())
    assert len(await bench.sets(2)) == 2
    assert bench.standins[0].logins == 1


async def test_a_clock_that_is_set_back_does_not_put_the_routine_call_off(
    bench: Bench, make_attempt: Callable[..., Attempt], clock: Any
) -> None:
    destination = bench.destination(await bench.server(), folder="gateway", routine="24h")
    clock.wrong = timedelta(days=365)  # as after an empty battery, until the time server is heard
    await destination.supervise(make_attempt())
    clock.wrong, clock.at = timedelta(), clock.at + timedelta(hours=24)
    await destination.supervise(make_attempt())
    assert len(await bench.sets(2)) == 2


async def test_a_refused_routine_call_is_told_and_is_no_dead_link(
    bench: Mirrors, make_attempt: Callable[..., Attempt], recorded: list[Any]
) -> None:
    destination = bench.destination(await bench.server(refuse_files=True), folder="gateway")
    for _ in range(2):
        receipt = await destination.supervise(make_attempt())
        assert receipt.answer == "the login is accepted"
    [trouble] = [one for one in recorded if isinstance(one, Trouble)]
    assert "the routine call is refused" in trouble.text


async def test_a_routine_call_that_found_nobody_goes_as_soon_as_somebody_is_there(
    bench: Mirrors, make_attempt: Callable[..., Attempt]
) -> None:
    host = free_host()
    destination = bench.destination(host, folder="gateway")
    with pytest.raises(LinkDown):
        await destination.supervise(make_attempt())
    await bench.server(host)
    await destination.supervise(make_attempt())
    [call] = await bench.sets(1)
    assert call["text"].startswith("Alarm: Routineruf\r\n")


async def test_a_refused_routine_call_is_tried_again_before_the_next_is_due(
    bench: Mirrors, make_attempt: Callable[..., Attempt], clock: Any, recorded: list[Any]
) -> None:
    destination = bench.destination(await bench.server(refuse_files=True), folder="gateway")
    tried = []
    for minutes in (0, 1, 11, 12, 22):
        clock.at = clock.at + timedelta(minutes=minutes)
        attempt = make_attempt()
        await destination.supervise(attempt)
        tried.append("refused" in results(attempt))
    assert tried == [True, False, True, True, True]
    assert len([one for one in recorded if isinstance(one, Trouble)]) == 1


@pytest.mark.parametrize(
    ("more", "every"),
    [
        ({"folder": "gateway"}, 60.0),
        ({"folder": "gateway", "supervision": "off"}, 3600.0),
        ({"folder": "gateway", "supervision": "off", "routine": "10m"}, 600.0),
        ({"folder": "gateway", "supervision": "off", "routine": "off"}, None),
        ({"supervision": "off"}, None),
    ],
)
def test_without_supervision_the_routine_call_still_goes(
    surroundings: Surroundings, more: dict[str, Any], every: float | None
) -> None:
    table = {"name": "ebus", "hosts": ["192.0.2.5"], "user": "gw", "password": PASSWORD, **more}
    assert build(EbusSettings.model_validate(table), surroundings).supervision_s == every


async def test_check_says_what_a_technician_needs(bench: Mirrors, authority: Any) -> None:
    cert, key = authority.issue("ftp.example.net")
    host = await bench.server(cert=cert, key=key)
    plain = await bench.server()
    (bench.standins[0].root / "depot").mkdir()
    trusted = {"ca_file": authority.ca, "server_name": "ftp.example.net"}
    cases = [
        (bench.destination(host, tls=trusted, folder="depot"), "nothing was stored", True),
        (
            bench.destination(host, tls=trusted, folder="other", create_dirs=False),
            "Check that the folder exists",
            False,
        ),
        (bench.destination(host, tls=trusted, folder="other"), "it is not there; a data connection works", True),
        (bench.destination(host, tls={"server_name": "ftp.example.net"}), "Example Root", False),
        (bench.destination(plain, tls=trusted), "does not offer TLS", False),
        (bench.destination(plain, password="wrong"), "refuses the user gw", False),
        (bench.destination(plain, tls={"mode": "implicit"}), "does not speak TLS on this port", False),
        (bench.destination("no-such-host.invalid"), "cannot be found", False),
    ]
    for destination, part, ok in cases:
        steps = await destination.check()
        assert part in steps[-1].detail, steps
        assert steps[-1].ok is ok
        assert PASSWORD not in str(steps)
    assert bench.received == []
