"""A link on which much is sent at once and much goes wrong, in every order chance brings: nothing is lost, nothing
overtakes, and nobody sleeps for ever.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, VirtualHouse, on_virtual_time, virtual_house

from tocsin.engine.contracts import Attempt, LinkDown, Rejected, Taken, TryLater
from tocsin.model.delivery import Due, Receipt
from tocsin.model.kinds import Lane
from tocsin.telemetry.occurrences import TaskFailed

Answer = Callable[[Due, Attempt, Receipt | None], None]
QUEUES = 6
EVENTS = 150
LONGEST_LEFT_S = 200.0
"""Faults over: a broken pump begins anew within a minute, a link's probe comes within another, and so does a retry."""
ACK = Receipt("station:1", "ACK")


class WildStation(ScriptedStation):
    """Stands, begins and answers as chance has it; `wild` off: it takes everything and changes no more."""

    def __init__(self, seed: int, supervision_s: float | None) -> None:
        self.chance = random.Random(seed)
        super().__init__("arc", self.chance.randint(1, 8), supervision_s)
        self.wild = True
        self.up = True
        self.taken: list[Due] = []
        self.begun: dict[str, Due] = {}
        self.handed: dict[str, Due] = {}

    def happens(self, share: float) -> bool:
        return self.wild and self.chance.random() < share

    def stands(self) -> bool:
        if self.happens(0.1):
            self.up = not self.up
        return self.up

    def begin(self, due: Due, attempt: Attempt, ended: Answer) -> bool:
        self.alone(due)
        if self.happens(0.1):
            raise ZeroDivisionError
        if self.happens(0.2):
            return False
        self.begun[due.queue] = due
        if self.happens(0.05):
            self.answer(due, attempt, ended)
        else:
            wait_s = self.chance.choice((0.0, 0.01, 0.3, 1.0)) if self.wild else 0.01
            asyncio.get_running_loop().call_later(wait_s, self.answer, due, attempt, ended)
        return True

    def answer(self, due: Due, attempt: Attempt, ended: Answer) -> None:
        if self.begun.get(due.queue) is not due:
            return  # abandoned
        del self.begun[due.queue]
        if self.happens(0.3):
            self.handed[due.queue] = due
            ended(due, attempt, None)
        else:
            self.taken.append(due)
            ended(due, attempt, ACK)

    async def abandon(self) -> None:
        self.begun.clear()
        self.handed.clear()

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        assert self.handed.pop(due.queue, due) is due, "another went before what was begun"
        self.alone(due)
        self.under_way[due.queue] = due.number
        try:
            await asyncio.sleep(self.chance.choice((0.0, 0.01, 0.5, 5.0)) if self.wild else 0.01)
        finally:
            del self.under_way[due.queue]
        for share, error in ((0.15, LinkDown("down")), (0.15, TryLater("later")), (0.05, Rejected("never"))):
            if self.happens(share):
                raise error
        self.taken.append(due)
        return ACK

    async def supervise(self, attempt: Attempt) -> Receipt:
        await asyncio.sleep(0.2)
        if self.happens(0.3):
            raise LinkDown("down")
        return ACK

    def alone(self, due: Due) -> None:
        busy = [*self.begun, *self.under_way, *self.handed]
        assert due.queue not in busy, "two of one queue at once"
        assert len(busy) < self.concurrency, "more than its concurrency"


@pytest.mark.parametrize("supervision_s", [None, 10.0])
@pytest.mark.parametrize("seed", range(15))
@on_virtual_time
async def test_nothing_is_lost_and_nobody_sleeps_for_ever(
    clock: SetClock, seed: int, supervision_s: float | None
) -> None:
    station = WildStation(seed, supervision_s)
    async with virtual_house(clock, station, hold_s=3.0) as h:
        posted = await _trouble(h, station)
        station.wild = False
        h.gateway._pumps["arc"].resume()
        await _all_end(h, posted)
        defects = [each for each in h.occurrences if isinstance(each, TaskFailed)]
        assert all("planned" in each.error for each in defects), defects
        for lanes in _first_times(station.taken).values():
            assert lanes == sorted(lanes), "in order per queue and lane"


def _first_times(taken: list[Due]) -> dict[tuple[str, Lane], list[int]]:
    found: dict[tuple[str, Lane], list[int]] = {}
    for due in taken:
        seqs = found.setdefault((due.queue, due.lane), [])
        if due.key.event_seq not in seqs:
            seqs.append(due.key.event_seq)
    return found


async def _all_end(h: VirtualHouse, posted: list[Taken]) -> None:
    async with asyncio.timeout(LONGEST_LEFT_S):
        for taken in posted:
            while (await h.states(taken))["arc"] not in ("delivered", "rejected"):
                await asyncio.sleep(0.1)


async def _trouble(h: VirtualHouse, station: WildStation) -> list[Taken]:
    chance, pump, posted = station.chance, h.gateway._pumps["arc"], []

    def breaks() -> None:
        pump._attempts._fail(RuntimeError("planned"))

    for _ in range(EVENTS):
        kind = chance.choice(("motion", "motion", "armed", "info"))
        held: dict[str, Any] = {"photos_expected": 1} if chance.random() < 0.1 else {}
        posted.append(await h.post(kind, device=f"d{chance.randrange(QUEUES)}", **held))
        steps = (0.03, pump.doubt), (0.03, pump.look), (0.03, pump.pause), (0.06, pump.resume), (0.01, breaks)
        for share, step in steps:
            if chance.random() < share:
                step()
        if chance.random() < 0.3:
            await asyncio.sleep(chance.choice((0.0, 0.0, 0.01, 0.4, 3.0)))
    return posted
