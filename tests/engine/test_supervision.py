"""Who is silent for too long is declared lost once, and restored by the next valid message (dc09.md 11)."""

import asyncio

from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, VirtualHouse, on_virtual_time, virtual_house

from tocsin.engine.contracts import Supervised
from tocsin.engine.standing import Standing
from tocsin.model.event import Address

PANEL = Supervised("9280", 60.0, address=Address("9280"), area="Depot")


def told(station: ScriptedStation) -> list[str]:
    return [due.event.kind for due in station.seen if due.event.kind.startswith("supervision")]


def watch(house: VirtualHouse) -> None:
    house.gateway.supervision.watch("panels", [PANEL])


@on_virtual_time
async def test_lost_after_interval_and_allowance_and_restored_by_the_next_sign(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station) as h:
        watch(h)
        await asyncio.sleep(89)
        assert told(station) == []
        await asyncio.sleep(3)
        assert told(station) == ["supervision_lost"]
        assert [(source, state.up) for source, state in h.gateway.sources()] == [("panels", False)]
        await asyncio.sleep(3600)
        h.gateway.supervision.heard("panels", "9280")
        h.gateway.supervision.heard("panels", "9280")
        await asyncio.sleep(1)
        assert told(station) == ["supervision_lost", "supervision_restored"]
        lost = station.seen[0].event
        assert (lost.address, lost.place.area, lost.source) == (Address("9280"), "Depot", "gateway")


@on_virtual_time
async def test_life_signs_keep_it_and_strangers_do_not(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station) as h:
        watch(h)
        for _ in range(100):
            await asyncio.sleep(80)
            h.gateway.supervision.heard("panels", "9280")
        assert told(station) == []
        h.gateway.supervision.heard("panels", "1111")
        h.gateway.supervision.heard("others", "9280")
        await asyncio.sleep(95)
        assert told(station) == ["supervision_lost"]


@on_virtual_time
async def test_a_clock_that_is_set_loses_nobody(clock: SetClock) -> None:
    from datetime import timedelta

    station = ScriptedStation()
    async with virtual_house(clock, station) as h:
        watch(h)
        await asyncio.sleep(10)
        clock.put_forward = timedelta(days=400)
        await asyncio.sleep(10)
        assert told(station) == []
        clock.put_forward = timedelta(days=-400)
        await asyncio.sleep(75)
        assert told(station) == ["supervision_lost"]


@on_virtual_time
async def test_what_was_told_before_a_reload_is_ended_after_it(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station) as h:
        watch(h)
        h.gateway.carry_on(Standing(down=frozenset({"arc"}), lost=frozenset({("panels", "9280")})))
        await asyncio.sleep(200)
        h.gateway.supervision.heard("panels", "9280")
        await asyncio.sleep(1)
        assert told(station) == ["supervision_restored"]
        assert h.gateway.standing() == Standing()


@on_virtual_time
async def test_a_panels_second_path_takes_the_figure_of_the_first_while_that_is_lost(clock: SetClock) -> None:
    first = Supervised("R1#9280", 90.0, path="first")
    second = Supervised("R2#9280", 300.0, path="second", first="R1#9280", alone_s=90.0)
    station = ScriptedStation()
    async with virtual_house(clock, station) as h:
        watched = h.gateway.supervision
        watched.watch("panels", [first, second])
        for _ in range(15):
            await asyncio.sleep(80)
            watched.heard("panels", "R1#9280")
        assert told(station) == ["supervision_lost"]
        assert "nothing heard from R2#9280, second path, on panels for more than 300 s" in station.seen[0].event.text
        watched.heard("panels", "R2#9280")
        await asyncio.sleep(100)
        assert told(station)[1:] == ["supervision_restored"]
        await asyncio.sleep(25)
        assert told(station)[2:] == ["supervision_lost"], "the first"
        await asyncio.sleep(115)
        assert told(station)[3:] == [], "not late by the first's figure before that holds"
        await asyncio.sleep(10)
        assert told(station)[3:] == ["supervision_lost"], "long before its own 300 s"
