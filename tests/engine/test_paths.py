"""Two paths to a station: each is proved, a loss is told though the other works, the second takes the first's pace."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, on_virtual_time, virtual_house

from tocsin.engine.contracts import Attempt, LinkDown, Path
from tocsin.engine.path_times import MARGIN_S, PathTimes
from tocsin.engine.standing import Standing
from tocsin.model.delivery import Receipt

FIRST, SECOND = "192.0.2.5:4001", "192.0.2.6:4001"
DP4 = (Path(FIRST, 85.0), Path(SECOND, 295.0))


class TwoPaths(ScriptedStation):
    """A station reached over two paths; those in `dead` give no answer."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__()
        self.dead: set[str] = set()
        self.asked: dict[str, list[float]] = {FIRST: [], SECOND: []}
        self.used_at: dict[str, float] = {}
        self._clock = clock

    def paths(self) -> Sequence[Path]:
        return DP4

    def proved_at(self, path: str) -> float | None:
        return self.used_at.get(path)

    async def prove(self, path: str, attempt: Attempt) -> Receipt:
        self.asked[path].append(self._clock.monotonic())
        if path in self.dead:
            raise LinkDown(f"{path} refused the connection")
        self.used_at[path] = self._clock.monotonic()
        return Receipt(path, "ACK")

    def told(self) -> list[tuple[str, str]]:
        own = [due.event for due in self.seen if due.event.kind.startswith("supervision")]
        return [(event.kind, FIRST if FIRST in event.text else SECOND) for event in own]


@on_virtual_time
async def test_each_path_at_its_own_figure_and_the_second_at_the_firsts_while_that_is_lost(clock: SetClock) -> None:
    station = TwoPaths(clock)
    async with virtual_house(clock, station) as h:
        await asyncio.sleep(900)
        assert (len(station.asked[FIRST]), len(station.asked[SECOND])) == (11, 4)
        assert station.told() == []
        station.dead.add(SECOND)
        await asyncio.sleep(310)
        assert station.told() == [("supervision_lost", SECOND)]
        assert "refused the connection" in station.seen[-1].event.text
        assert [one.up for one in (await h.gateway.destination("arc")).paths] == [True, False]
        await asyncio.sleep(3600)
        station.dead.clear()
        await asyncio.sleep(70)
        assert station.told()[1:] == [("supervision_restored", SECOND)]
        station.dead.add(FIRST)
        await asyncio.sleep(100)
        assert station.told()[2:] == [("supervision_lost", FIRST)]
        before = len(station.asked[SECOND])
        await asyncio.sleep(870)
        assert len(station.asked[SECOND]) - before == 10
        station.dead.add(SECOND)
        await asyncio.sleep(100)
        assert station.told()[3:] == [("supervision_lost", SECOND)], "within the first's reporting time"


@on_virtual_time
async def test_what_is_used_is_not_asked(clock: SetClock) -> None:
    station = TwoPaths(clock)
    async with virtual_house(clock, station):
        for _ in range(20):
            station.used_at[FIRST] = clock.monotonic()
            await asyncio.sleep(80)
        assert len(station.asked[FIRST]) <= 1
        assert len(station.asked[SECOND]) == 6


@on_virtual_time
async def test_a_paused_destination_is_not_asked_and_nothing_is_lost_by_it(clock: SetClock) -> None:
    station = TwoPaths(clock)
    async with virtual_house(clock, station) as h:
        await asyncio.sleep(10)
        await h.gateway.pause("arc", "eva")
        asked = len(station.asked[FIRST])
        await asyncio.sleep(1000)
        assert len(station.asked[FIRST]) == asked
        await h.gateway.resume("arc", "eva")
        await asyncio.sleep(10)
        assert station.told() == []
        assert len(station.asked[FIRST]) == asked + 1


@on_virtual_time
async def test_a_loss_told_before_a_reload_is_ended_after_it(clock: SetClock) -> None:
    station = TwoPaths(clock)
    async with virtual_house(clock, station) as h:
        h.gateway.carry_on(Standing(paths=frozenset({("arc", SECOND)})))
        assert h.gateway.standing().paths == {("arc", SECOND)}
        await asyncio.sleep(10)
        assert station.told() == [("supervision_restored", SECOND)]
        assert h.gateway.standing() == Standing()


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 120)), max_size=60))
def test_losses_and_returns_take_turns_and_nobody_is_lost_early(steps: list[tuple[int, bool, int]]) -> None:
    now, times = 0.0, PathTimes([85.0, 295.0], 0.0)
    good_at, changes = [0.0, 0.0], [[], []]  # type: tuple[list[float], list[list[bool]]]
    for path, answers, seconds in steps:
        now += seconds
        if answers:
            good_at[path] = now
            if times.proved(path, now):
                changes[path].append(True)
        elif times.failed(path, now):
            assert now - good_at[path] >= 85.0 + MARGIN_S
            assert path == 0 or times.lost[0] or now - good_at[1] >= 295.0 + MARGIN_S
            changes[path].append(False)
        assert times.due(path) >= now or not times.lost[path]
    for told in changes:
        assert all(before != after for before, after in pairwise(told))
        assert told[:1] in ([], [False])
