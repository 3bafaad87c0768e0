"""`acknowledge = "delivered"`: a receiver hears nothing of a record before a station has its event."""

import asyncio

from tests.sources.surgard.conftest import Automation, Running
from tests.sources.surgard.test_receiving import ALARM, RESTORE, TAKEN, Ahead

from tocsin.standins.surgard_receiver import HEARTBEAT
from tocsin.telemetry.occurrences import EventRefused

SOON = {"acknowledge": "delivered", "delivered_within": "500ms"}


async def withheld(running: Automation, count: int = 1) -> None:
    async with asyncio.timeout(5):
        while len([each for each in running.occurrences if isinstance(each, EventRefused)]) < count:
            await asyncio.sleep(0.01)


async def test_the_acknowledgement_comes_with_the_delivery(automation: Running) -> None:
    running = await automation(acknowledge="delivered")
    sending = asyncio.create_task(running.receiver().send(ALARM))
    async with asyncio.timeout(5):
        while not running.events:
            await asyncio.sleep(0.005)
    assert not sending.done()
    running.intake.delivered.set()
    assert await sending == TAKEN


async def test_without_a_delivery_there_is_no_answer_and_the_repeat_gets_it(automation: Running) -> None:
    running = await automation(**SOON)
    receiver = running.receiver()
    repeating = asyncio.create_task(receiver.raw(ALARM + b"\x14", 1))
    await withheld(running)
    assert not repeating.done()
    assert [each.reason for each in running.occurrences if isinstance(each, EventRefused)] == ["not_delivered"]
    running.intake.delivered.set()
    again = running.receiver()
    assert await again.send(ALARM) == TAKEN
    assert len(running.events) == 1
    repeating.cancel()
    await asyncio.gather(repeating, return_exceptions=True)


async def test_repeats_without_an_answer_are_one_event_however_long_they_go_on(automation: Running) -> None:
    clock = Ahead()
    running = await automation(clock=clock, **SOON)
    for n in range(1, 4):
        repeating = asyncio.create_task(running.receiver().raw(ALARM + b"\x14", 1))
        await withheld(running, n)
        repeating.cancel()
        await asyncio.gather(repeating, return_exceptions=True)
        clock.by += 50.0
    running.intake.delivered.set()
    receiver = running.receiver()
    assert await receiver.send(ALARM) == TAKEN
    assert len(running.events) == 1
    clock.by += 61.0
    assert await receiver.send(ALARM) == TAKEN
    assert len(running.events) == 2, "once answered, the same record a minute later is news"


async def test_what_no_station_needs_is_answered_at_once(automation: Running) -> None:
    running = await automation(acknowledge="delivered", unknown_accounts="refuse")
    receiver = running.receiver()
    assert await receiver.send(HEARTBEAT) == TAKEN
    assert await receiver.send(b"5011 189999E13001004") == TAKEN, "an account that is left out"
    running.intake.closed = True
    assert await receiver.raw(RESTORE + b"\x14", 1) == b"\x15"
