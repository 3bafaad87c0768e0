"""Commands on virtual time: requested, fetched by long poll, confirmed, expired, and what falls due by itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, VirtualHouse, on_virtual_time, virtual_house

from tocsin.engine.commands import Commands, SirenDisarmed, Unfit, Wish, concerned
from tocsin.engine.contracts import IntakeClosed
from tocsin.model.command import Command, Order
from tocsin.model.device import Device
from tocsin.store.contract import CommandFilter, StoreUnavailable
from tocsin.store.open import open_inline_store

SIREN = Device("s1", type="siren_v1", area="Depot")
DETECTOR = Device("d1", type="detector_hdr", area="Depot")
BRIDGE = Device("b1", type="bridge_4g", area="Depot")


class Orders:
    """One gateway's commands as a test uses them."""

    def __init__(self, house: VirtualHouse, station: ScriptedStation) -> None:
        self.house = house
        self.station = station

    @property
    def commands(self) -> Commands:
        return self.house.gateway.commands

    async def give(self, order: Order, *devices: Device, **wish: Any) -> Command:
        asked = await self.commands.request(devices or (DETECTOR,), Wish(order, "control:arc", "192.0.2.7", **wish))
        return asked.commands[0]

    async def fetched(self, device: Device = DETECTOR, wait_s: float = 0) -> list[Command]:
        """As the API does it."""
        found = await self.commands.wait(device.id, wait_s)
        return list(await self.commands.fetch(device.id)) if found else []

    async def obeyed(self, device: Device = DETECTOR, state: Any = "confirmed") -> list[Order]:
        """Everything the device is ordered now, done."""
        found = await self.fetched(device)
        for command in found:
            await self.commands.end(command, state, "done")
        return [command.order for command in found]

    async def state(self, command: Command) -> tuple[str, str]:
        [known] = await self.house.store.commands(CommandFilter(command_id=command.id))
        return known.state, known.result

    async def orders(self) -> list[tuple[str, str, str]]:
        found = await self.house.store.commands(CommandFilter())
        return [(one.order, one.state, one.requested_by) for one in reversed(found)]

    async def motion(self) -> str:
        """What becomes of a motion event now: its delivery's state, after a moment."""
        taken = await self.house.post("motion")
        await asyncio.sleep(0.5)
        return (await self.house.states(taken))["arc"]

    def told(self) -> list[str]:
        return self.station.kinds()


@asynccontextmanager
async def house(clock: SetClock, devices: Sequence[Device] = (SIREN, DETECTOR), **more: Any) -> AsyncIterator[Orders]:
    station = ScriptedStation()
    async with virtual_house(clock, station, **more) as opened:
        for device in devices:
            await opened.gateway.devices.put(device, clock.now())
        yield Orders(opened, station)


@on_virtual_time
async def test_a_waiting_device_is_woken_at_once_and_an_idle_one_goes_home_after_its_time(clock: SetClock) -> None:
    async with house(clock) as it:
        before = clock.monotonic()
        assert await it.fetched(SIREN, 30) == []
        assert clock.monotonic() - before == pytest.approx(30)
        waiting = asyncio.create_task(it.fetched(SIREN, 30))
        await asyncio.sleep(10)
        command = await it.give("siren", SIREN, audio="leave", duration_s=30)
        before = clock.monotonic()
        [got] = await waiting
        assert clock.monotonic() == before
        assert (got.id, got.state, got.parameters.audio, got.parameters.duration_s) == (
            *(command.id, "sent", "leave", 30),
        )


@on_virtual_time
async def test_what_is_not_answered_comes_again_but_not_without_a_pause(clock: SetClock) -> None:
    async with house(clock) as it:
        command = await it.give("siren", SIREN)
        until, times = clock.monotonic() + 20, 0
        while clock.monotonic() < until:
            found = await it.fetched(SIREN, 30)
            assert [one.id for one in found] == [command.id]
            times += 1
        assert times == 11
        await it.commands.end(found[0], "confirmed", "sounding")
        assert await it.fetched(SIREN, 5) == []
        assert await it.state(command) == ("confirmed", "sounding")


@on_virtual_time
async def test_nothing_sounds_late(clock: SetClock) -> None:
    async with house(clock) as it:
        command = await it.give("siren", SIREN)
        await asyncio.sleep(59)
        assert await it.state(command) == ("requested", "")
        await asyncio.sleep(2.1)
        assert await it.state(command) == ("expired", "the device did not fetch it in time")
        assert await it.fetched(SIREN, 1) == []
        # a clock put back by an hour gives no siren a second life
        again = await it.give("siren", SIREN)
        clock.put_forward = timedelta(hours=-1)
        await asyncio.sleep(61.5)
        assert await it.fetched(SIREN, 0) == []
        assert (await it.state(again))[0] == "expired"


@on_virtual_time
async def test_fetched_and_never_answered_it_expires_and_a_late_word_counts(clock: SetClock) -> None:
    async with house(clock) as it:
        command = await it.give("siren", SIREN)
        [got] = await it.fetched(SIREN)
        await asyncio.sleep(65)
        assert await it.fetched(SIREN) == [], "its time is over"
        assert await it.state(command) == ("sent", "")
        await asyncio.sleep(60)
        state, result = await it.state(command)
        assert (state, "may have been carried out" in result) == ("expired", True)
        [known] = await it.house.store.commands(CommandFilter(command_id=got.id))
        assert (await it.commands.end(known, "confirmed", "sounded")).state == "confirmed"


@pytest.mark.parametrize(("order", "hours"), [("disarm", 25), ("arm", 7 * 24)])
@on_virtual_time
async def test_arming_waits_for_the_next_contact(clock: SetClock, order: Order, hours: int) -> None:
    async with house(clock) as it:
        command = await it.give(order)
        clock.put_forward = timedelta(hours=hours, seconds=-60)
        await asyncio.sleep(2)
        assert await it.state(command) == ("requested", "")
        await asyncio.sleep(62)
        assert (await it.state(command))[0] == "expired"


@on_virtual_time
async def test_a_disarm_for_a_period(clock: SetClock) -> None:
    async with house(clock) as it:
        ordered = clock.now()
        await it.give("disarm", duration_s=7200)
        assert await it.motion() == "delivered", "not before the device has confirmed"
        await asyncio.sleep(1800)
        assert await it.obeyed() == ["disarm"]
        await asyncio.sleep(1)
        assert await it.motion() == "filtered"
        taken = await it.house.post("tamper")
        await it.house.settles(taken, "arc", "delivered")
        assert it.told() == ["motion", "disarmed", "tamper"]
        [event] = [due.event for due in it.station.seen if due.event.kind == "disarmed"]
        end = ordered + timedelta(hours=2)
        assert event.text == f"disarmed by control:arc until {end:%Y-%m-%d %H:%M} UTC"
        assert event.device_id == "d1"
        # the period counts from the request; at its end the order to arm is there, and motion is forwarded at once
        await asyncio.sleep((end - clock.now()).total_seconds() + 1.5)
        assert await it.motion() == "delivered"
        assert await it.obeyed() == ["arm"]
        await asyncio.sleep(1)
        assert it.told()[-1] == "armed"
        assert [one[2] for one in await it.orders()] == ["control:arc", "the end of the disarm"]


@on_virtual_time
async def test_a_reason_is_kept_with_what_was_not_forwarded(clock: SetClock) -> None:
    async with house(clock) as it:
        await it.give("disarm")
        await it.obeyed()
        await asyncio.sleep(1)
        taken = await it.house.post("motion")
        [delivery] = (await it.house.store.deliveries_of([taken.seq]))[taken.seq]
        assert (delivery.state, delivery.reason) == ("filtered", "disarmed: by control:arc")
        [stored] = await it.house.store.events(_newest())
        assert stored.event.kind == "motion"
        assert [verdict.reason for verdict in it.house.gateway.explain(stored.event)] == [delivery.reason]


def _newest() -> Any:
    from tocsin.store.contract import EventFilter

    return EventFilter(limit=1)


@on_virtual_time
async def test_a_fetched_arm_forwards_motion_whatever_the_device_answers(clock: SetClock) -> None:
    async with house(clock) as it:
        await it.give("disarm")
        await it.obeyed()
        await it.give("arm")
        await asyncio.sleep(1)
        assert await it.motion() == "filtered"
        [command] = await it.fetched()
        assert await it.motion() == "delivered"
        await it.commands.end(command, "failed", "jammed")
        assert await it.motion() == "delivered"
        await asyncio.sleep(5)
        assert [one[:2] for one in await it.orders()][:2] == [("disarm", "confirmed"), ("arm", "failed")]


@on_virtual_time
async def test_a_fetched_arm_is_not_ordered_a_second_time_while_the_device_is_at_it(clock: SetClock) -> None:
    async with house(clock) as it:
        await it.give("disarm", duration_s=600)
        await it.obeyed()
        await it.give("arm")
        [command] = await it.fetched()
        await asyncio.sleep(5)
        await it.commands.end(command, "confirmed", "done")
        await asyncio.sleep(600)
        assert [one[0] for one in await it.orders()] == ["disarm", "arm"]


@on_virtual_time
async def test_a_failed_disarm_changes_nothing(clock: SetClock) -> None:
    async with house(clock) as it:
        await it.give("disarm")
        await it.obeyed(state="failed")
        assert await it.motion() == "delivered"
        assert it.told() == ["motion"]


@on_virtual_time
async def test_the_result_said_twice_is_told_once(clock: SetClock) -> None:
    async with house(clock) as it:
        await it.give("disarm")
        [command] = await it.fetched()
        ended = await asyncio.gather(*(it.commands.end(command, "confirmed", "done") for _ in range(3)))
        await it.commands.end(command, "confirmed", "done")
        assert {one.state for one in ended} == {"confirmed"}
        await asyncio.sleep(1)
        assert it.told() == ["disarmed"]


SCHEDULED = Device("d1", type="detector_hdr", schedule="Mon-Sun 22:00-06:00")


async def _obeying(it: Orders, until: datetime, clock: SetClock) -> list[tuple[str, str]]:
    """A device that makes contact every five minutes: what it was ordered, and in which hour (UTC)."""
    done = []
    while clock.now() < until:
        for command in await it.fetched(SCHEDULED, 0):
            await it.commands.end(command, "confirmed", "done")
            done.append((command.order, f"{clock.now():%d %H}h"))
        clock.put_forward += timedelta(minutes=5)
        await asyncio.sleep(1.1)
    return done


@on_virtual_time
async def test_a_schedule_arms_and_disarms_and_a_person_disarms_until_it_arms_again(clock: SetClock) -> None:
    async with house(clock, [SCHEDULED]) as it:
        done = await _obeying(it, datetime(2024, 5, 31, 23, tzinfo=UTC), clock)
        assert done == [("disarm", "30 19h"), ("arm", "30 22h"), ("disarm", "31 06h"), ("arm", "31 22h")]
        command = await it.give("disarm", SCHEDULED)
        assert command.parameters.until == datetime(2024, 6, 1, 22, tzinfo=UTC)
        done = await _obeying(it, datetime(2024, 6, 2, 1, tzinfo=UTC), clock)
        assert done == [("disarm", "31 23h"), ("arm", "01 22h")]
        await it.give("disarm", SCHEDULED, no_time_limit=True)
        done = await _obeying(it, datetime(2024, 6, 4, 12, tzinfo=UTC), clock)
        assert done == [("disarm", "02 01h")], "no time limit goes before the schedule"
        await it.give("arm", SCHEDULED)
        done = await _obeying(it, datetime(2024, 6, 5, 7, tzinfo=UTC), clock)
        assert done == [("arm", "04 12h"), ("disarm", "05 06h")]


@on_virtual_time
async def test_what_fell_due_is_ordered_once_however_often_the_gateway_starts(clock: SetClock, tmp_path: Path) -> None:
    store = open_inline_store(tmp_path / "tocsin.db")
    for _ in range(3):
        async with house(clock, [SCHEDULED], store=store) as it:
            await asyncio.sleep(5)
            assert await it.orders() == [("disarm", "requested", "the schedule")]
    await asyncio.sleep(3 * 3600)  # nothing ran when the schedule armed again
    async with house(clock, [SCHEDULED], store=store) as it:
        await asyncio.sleep(5)
        assert await it.orders() == [("disarm", "expired", "the schedule")], "never disarmed: nothing to arm"
    await store.aclose()


@on_virtual_time
async def test_a_disarm_that_ended_while_nothing_ran_is_ended_at_the_start(clock: SetClock, tmp_path: Path) -> None:
    store = open_inline_store(tmp_path / "tocsin.db")
    async with house(clock, store=store) as it:
        await it.give("disarm", duration_s=600)
        await it.obeyed()
    await asyncio.sleep(3600)
    async with house(clock, store=store) as it:
        assert await it.motion() == "delivered"
        await asyncio.sleep(2)
        assert await it.obeyed() == ["arm"]
    await store.aclose()


@on_virtual_time
async def test_two_nodes_one_requests_and_the_device_waits_at_the_other(clock: SetClock) -> None:
    store = open_inline_store()
    async with (
        house(clock, store=store, shared=True, node="a") as first,
        house(clock, store=store, shared=True, node="b") as second,
    ):
        await first.commands.look()
        await second.house.gateway.devices.load()
        waiting = asyncio.create_task(second.fetched(SIREN, 30))
        await asyncio.sleep(5)
        command = await first.give("siren", SIREN)
        before = clock.monotonic()
        [got] = await waiting
        assert clock.monotonic() - before <= 1.1
        await second.commands.end(got, "confirmed", "sounding")
        await first.give("disarm")
        await second.obeyed()
        await asyncio.sleep(1.1)
        assert await first.state(command) == ("confirmed", "sounding")
        assert await first.motion() == "filtered", "the other node knows of the disarm"
    await store.aclose()


@on_virtual_time
async def test_the_live_stream_hears_of_each_change_once(clock: SetClock) -> None:
    async with house(clock) as it:
        seen: list[tuple[str, str]] = []

        async def watch() -> None:
            async for change in it.house.gateway.hub.subscribe():
                if change.topic == "command":
                    seen.append((change.data["order"], change.data["state"]))

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        await it.give("siren", SIREN)
        await it.give("stop_siren", SIREN)
        await it.fetched(SIREN)
        await asyncio.sleep(3)
        await it.obeyed(SIREN)
        await asyncio.sleep(1)
        watching.cancel()
        assert seen == [
            *(("siren", "requested"), ("siren", "failed"), ("stop_siren", "requested")),
            *(("stop_siren", "sent"), ("stop_siren", "confirmed")),
        ]


@pytest.mark.parametrize(
    ("order", "device", "wish", "words"),
    [
        ("siren", DETECTOR, {}, "the device d1 is no siren: its type is detector_hdr"),
        ("stop_siren", Device("x"), {}, "the device x is no siren: its type is unknown"),
        ("siren", SIREN, {"duration_s": 61}, "duration_s must be from 1 to 60"),
        ("siren", SIREN, {"duration_s": 0}, "duration_s must be from 1 to 60"),
        ("disarm", DETECTOR, {"duration_s": -1}, "duration_s must be from 1 to 31622400"),
        ("disarm", DETECTOR, {"duration_s": 5, "no_time_limit": True}, "duration_s and no_time_limit contradict"),
    ],
)
@on_virtual_time
async def test_what_does_not_fit_is_refused_and_audited(
    clock: SetClock, order: Order, device: Device, wish: dict[str, Any], words: str
) -> None:
    async with house(clock) as it:
        with pytest.raises(Unfit, match=words):
            await it.give(order, device, **wish)
        assert await it.orders() == []
        [entry] = await it.house.store.audit_entries(1)
        assert (entry.who, entry.action, entry.subject) == ("control:arc", order, device.id)
        assert entry.source_address == "192.0.2.7"
        assert entry.result.startswith(f"refused: {words}")


@on_virtual_time
async def test_a_disarmed_siren_does_not_sound(clock: SetClock) -> None:
    async with house(clock) as it:
        await it.give("disarm", SIREN, duration_s=60)
        await it.obeyed(SIREN)
        with pytest.raises(SirenDisarmed, match="the siren s1 is disarmed"):
            await it.give("siren", SIREN)
        await it.give("stop_siren", SIREN)
        await asyncio.sleep(61)
        await it.give("siren", SIREN)


@on_virtual_time
async def test_a_key_used_for_another_order_is_refused(clock: SetClock) -> None:
    async with house(clock) as it:
        first = await it.give("arm", idempotency_key="k1")
        assert (await it.give("arm", idempotency_key="k1")).id == first.id
        with pytest.raises(Unfit, match="'k1' was used for another order"):
            await it.give("disarm", idempotency_key="k1")
        with pytest.raises(Unfit, match="'k1' was used for another order"):
            await it.give("arm", SIREN, idempotency_key="k1")
        [entry] = await it.house.store.audit_entries(1)
        assert entry.result == "refused: the idempotency key 'k1' was used for another order"
        assert await it.orders() == [("arm", "requested", "control:arc")]


def test_an_area_keeps_its_sirens_when_it_is_disarmed() -> None:
    devices = [SIREN, DETECTOR, BRIDGE]
    assert concerned(devices, "disarm") == [DETECTOR]
    assert concerned(devices, "arm") == [SIREN, DETECTOR]


@on_virtual_time
async def test_a_stopping_gateway_sends_those_who_wait_away(clock: SetClock) -> None:
    async with house(clock) as it:
        waiting = asyncio.create_task(it.fetched(SIREN, 30))
        await asyncio.sleep(1)
        it.commands.stop()
        with pytest.raises(IntakeClosed):
            await waiting
        with pytest.raises(IntakeClosed):
            await it.fetched(SIREN, 30)


@on_virtual_time
async def test_an_order_whose_answer_was_lost_is_found_in_the_store(clock: SetClock) -> None:
    """A commit in doubt: the caller is told no, the device gets it all the same, in time."""
    store = open_inline_store()
    async with house(clock, store=store) as it:
        request = store.request

        async def in_doubt(commands: Sequence[Command]) -> Any:
            await request(commands)
            raise StoreUnavailable("the answer was lost")

        store.request = in_doubt  # type: ignore[method-assign]
        with pytest.raises(StoreUnavailable):
            await it.give("siren", SIREN, idempotency_key="k")
        store.request = request  # type: ignore[method-assign]
        [got] = await it.fetched(SIREN, 30)
        assert (await it.give("siren", SIREN, idempotency_key="k")).id == got.id
    await store.aclose()
