"""A destination that sends at once: what it acknowledges ends without a worker, and all else is gone on with by one."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.engine.conftest import House, Open, ScriptedStation
from tests.engine.virtual_house import SetClock, on_virtual_time, virtual_house

from tocsin.destinations.dc09.destination import Dc09Destination
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Attempt, Prompt, Submission
from tocsin.model.delivery import Due, Receipt
from tocsin.model.event import Event
from tocsin.model.on_test import OnTest
from tocsin.standins.dc09 import Station
from tocsin.transports.sockets import SocketNetwork

Answer = Callable[[Due, Attempt, Receipt | None], None]


class PromptStation(ScriptedStation):
    """Stands from the beginning; `rule` says what becomes of what is begun."""

    def __init__(self, concurrency: int = 4) -> None:
        super().__init__(concurrency=concurrency)
        self.begun: list[tuple[Due, Attempt, Answer]] = []
        self.up = True
        self.rule: Callable[[Due, Attempt, Answer], bool] = self.acknowledges

    def stands(self) -> bool:
        return self.up

    def begin(self, due: Due, attempt: Attempt, ended: Answer) -> bool:
        assert due.queue not in {each.queue for each, _, _ in self.begun}, "two of one queue at once"
        return self.rule(due, attempt, ended)

    async def abandon(self) -> None:
        self.begun.clear()

    def acknowledges(self, due: Due, attempt: Attempt, ended: Answer) -> bool:
        self.begun.append((due, attempt, ended))
        asyncio.get_running_loop().call_soon(self.answer, Receipt("station:1", "ACK"))
        return True

    def keeps(self, due: Due, attempt: Attempt, ended: Answer) -> bool:
        self.begun.append((due, attempt, ended))
        self.changed.set()
        return True

    def answer(self, receipt: Receipt | None) -> None:
        due, attempt, ended = self.begun.pop(0)
        if receipt is not None:
            self.seen.append(due)
        ended(due, attempt, receipt)
        self.changed.set()


async def test_what_is_begun_and_acknowledged_never_meets_a_worker(house: Open) -> None:
    station = PromptStation()
    assert isinstance(station, Prompt)
    station.script = _never
    async with house([station]) as h:
        taken = [await h.post(text=str(n)) for n in range(20)]
        for each in taken:
            await h.settles(each, "arc", "delivered")
    assert [due.key.event_seq for due in station.seen] == [each.seq for each in taken]


async def test_what_was_begun_and_not_acknowledged_is_delivered_by_a_worker(house: Open) -> None:
    station = PromptStation()
    station.rule = station.keeps
    async with house([station]) as h:
        taken, behind = await h.post(), await h.post()
        await station.until(lambda: bool(station.begun))
        station.answer(None)
        await h.settles(taken, "arc", "delivered")
        await station.until(lambda: bool(station.begun))
        station.answer(Receipt("station:1", "ACK"))
        await h.settles(behind, "arc", "delivered")
    assert [due.key.event_seq for due in station.seen] == [taken.seq, behind.seq]


@pytest.mark.parametrize("refusal", ["false", "raises"])
async def test_what_cannot_be_begun_is_delivered_by_a_worker(house: Open, refusal: str) -> None:
    station = PromptStation()

    def cannot(due: Due, attempt: Attempt, ended: Answer) -> bool:
        if refusal == "raises":
            raise ZeroDivisionError
        return False

    station.rule = cannot
    async with house([station]) as h:
        taken = await h.post()
        await h.settles(taken, "arc", "delivered")
    assert [due.key.event_seq for due in station.seen] == [taken.seq]


async def test_what_cannot_be_begun_waits_for_no_other_delivery(house: Open) -> None:
    """Over UDP nothing is ever begun: a silent account must not hold up the others."""
    station = PromptStation(concurrency=2)
    station.rule = lambda due, attempt, ended: False
    answers = asyncio.Event()

    async def silent_for_one(due: Due, attempt: Attempt) -> Receipt:
        if due.event.device_id == "silent":
            await answers.wait()
        return Receipt("station:1", "ACK")

    station.script = silent_for_one
    async with house([station]) as h:
        at = h.gateway.clock.now()
        both = [Submission(_event(device, at)) for device in ("silent", "quick")]
        silent, quick = await h.gateway.intake.accept_many(both)
        await h.settles(quick, "arc", "delivered")
        answers.set()
        await h.settles(silent, "arc", "delivered")


@on_virtual_time
async def test_what_waits_for_its_time_goes_although_the_link_stands_no_more(clock: SetClock) -> None:
    """The line that brought the last answer is to fail back: what was found waiting meanwhile is not forgotten."""
    station = PromptStation(concurrency=1)
    station.rule = station.keeps
    async with virtual_house(clock, station, hold_s=5.0) as h:
        await asyncio.sleep(1)  # the pump has its lease
        await h.post(device="first")
        await h.until(lambda: bool(station.begun))
        waits = await h.post(device="waits", photos_expected=1)
        await h.post(device="last")
        station.answer(Receipt("station:1", "ACK"))
        await h.until(lambda: bool(station.begun))
        station.up = False
        station.answer(Receipt("station:1", "ACK"))
        await h.until(lambda: len(station.seen) == 3, seconds=6.0)
        assert station.seen[-1].key.event_seq == waits.seq


@on_virtual_time
async def test_nobody_runs_in_circles_while_all_places_are_taken(clock: SetClock) -> None:
    station = PromptStation(concurrency=1)
    station.rule = station.keeps
    async with virtual_house(clock, station, hold_s=5.0) as h:
        await asyncio.sleep(1)  # the pump has its lease
        await h.post(device="waits", photos_expected=1)
        await h.post(device="slow")
        await h.until(lambda: bool(station.begun))
        await asyncio.sleep(10)
        station.answer(Receipt("station:1", "ACK"))
        await h.until(lambda: bool(station.begun))
        station.answer(Receipt("station:1", "ACK"))
        assert [due.event.device_id for due in station.seen] == ["slow", "waits"]


async def test_never_more_than_its_concurrency_at_once(house: Open) -> None:
    station = PromptStation(concurrency=2)
    station.rule = station.keeps
    async with house([station]) as h:
        taken = [await h.post(device=f"d{n}") for n in range(6)]
        await station.until(lambda: len(station.begun) == 2)
        for _ in taken:
            assert len(station.begun) + len(station.under_way) <= 2
            station.answer(Receipt("station:1", "ACK"))
            await station.until(lambda: bool(station.begun) or len(station.seen) == len(taken))
        for each in taken:
            await h.settles(each, "arc", "delivered")


async def test_a_late_answer_to_a_pump_that_began_anew_counts_for_nobody(house: Open) -> None:
    station = PromptStation()
    station.rule = station.keeps
    async with house([station]) as h:
        taken = await h.post()
        await station.until(lambda: bool(station.begun))
        stale = station.begun.pop()
        _breaks_once(h)
        await station.until(lambda: bool(station.begun))
        due, attempt, ended = stale
        ended(due, attempt, Receipt("station:1", "too late"))
        assert (await h.states(taken))["arc"] == "pending"
        station.answer(Receipt("station:1", "ACK"))
        await h.settles(taken, "arc", "delivered")


async def test_what_was_begun_before_a_pump_began_anew_leaves_no_line_behind(house: Open) -> None:
    arc = Station(LoopClock(), random.Random(1))
    settings = Dc09Settings.model_validate(
        {"name": "arc", "type": "dc09", "hosts": [f"127.0.0.1:{await arc.start()}"], "account": "1234"}
    )
    around = Surroundings(LoopClock(), random.Random(1), SocketNetwork(), lambda occurrence: None)
    destination = Dc09Destination(settings, around)
    try:
        async with house([destination]) as h:
            first = await h.post()
            await h.settles(first, "arc", "delivered")
            arc.switches.silent = True
            second = await h.post()
            while len(arc.messages) < 2:
                await asyncio.sleep(0.005)
            arc.switches.silent = False
            _breaks_once(h)
            await h.settles(second, "arc", "delivered")
            async with asyncio.timeout(5):
                while arc._connections.standing > 1:
                    await asyncio.sleep(0.005)
            assert not destination._begun
    finally:
        await destination.aclose()
        await arc.aclose()


async def test_a_defect_after_an_answer_begins_the_pump_anew(house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    station = PromptStation()
    async with house([station]) as h:
        pump = h.gateway._pumps["arc"]
        real = pump._delivered

        def breaks(*arguments: Any) -> None:
            monkeypatch.setattr(pump, "_delivered", real)
            raise ZeroDivisionError

        monkeypatch.setattr(pump, "_delivered", breaks)
        taken = await h.post()
        await h.settles(taken, "arc", "delivered")
    assert [due.key.event_seq for due in station.seen] == [taken.seq, taken.seq]


async def test_stopping_waits_for_what_was_begun(house: Open) -> None:
    station = PromptStation()
    station.rule = station.keeps
    async with house([station]) as h:
        taken = await h.post()
        await station.until(lambda: bool(station.begun))
        stopping = asyncio.create_task(h.gateway._pumps["arc"].stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        station.answer(None)
        await stopping
        assert (await h.states(taken))["arc"] == "delivered"


def _breaks_once(h: House) -> None:
    """The pump meets a defect in its next reading."""
    real = h.store.due

    async def breaks(*arguments: Any, **named: Any) -> Any:
        h.store.due = real  # type: ignore[method-assign]
        raise ZeroDivisionError

    h.store.due = breaks  # type: ignore[method-assign]
    h.gateway._pumps["arc"].look()


def _event(device: str, at: datetime) -> Event:
    return Event(id="", kind="motion", occurred_at=at, accepted_at=at, source="detectors", device_id=device)


async def _never(due: Due, attempt: Attempt) -> Receipt:
    raise AssertionError("a worker had it")


async def test_what_is_begun_at_once_is_told_of_links_and_tests_too(house: Open) -> None:
    station = PromptStation()
    station.script = _never
    async with house([station], links=("arc",), says_test=("arc",), public_url="https://gw.example.net") as h:
        now = h.gateway.clock.now()
        test = OnTest("", "North", now, now + timedelta(hours=1), "work", "eva", destinations=("arc",))
        await h.gateway.tests.begin(test)
        taken = await h.post(url="https://camera.example.net/7")
        await h.settles(taken, "arc", "delivered")
        due = next(due for due in station.seen if due.key.event_seq == taken.seq)
        assert due.event.url.startswith("https://gw.example.net/e/")
        assert (due.event.source_url, due.event.is_test) == ("https://camera.example.net/7", True)
        delivery = await h.store.delivery(due.key)
        assert delivery.receipt == "ACK (sent as a test: it was on test)"
        assert [one.result for one in await h.store.trace(due.key)] == ["note"]
