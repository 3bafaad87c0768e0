"""Orders to devices of a system, carried out by the system: a real gateway on virtual time with a scripted system."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import ScriptedSystem, Site, camera, opened, site
from tests.proof.harness.virtual import EPOCH

from tocsin.engine.commands import Unfit, Wish, concerned, is_siren
from tocsin.engine.inventory.carrying import left_s, overtaken, standing
from tocsin.engine.inventory.identities import Identities
from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.systems import LoginRefused, NotSupported, Unreachable
from tocsin.model.command import Command, Order, Parameters
from tocsin.model.device import Device
from tocsin.model.inventory import FoundDevice
from tocsin.store.contract import CommandFilter
from tocsin.telemetry.occurrences import TaskFailed, Trouble

SIREN = camera(1, orders=("siren", "stop_siren"))
PANEL = FoundDevice("panel", "7", "Vault", "intrusion", orders=("arm", "disarm"))
PLAIN = camera(2)
Answer = str | Exception | Callable[[], None] | None


class Obedient(ScriptedSystem):
    """Takes orders. `answers` are used up first, one for each order: None never answers."""

    capabilities = frozenset({"inventory", "baseline", "events", "commands"})

    def __init__(self, *listed: FoundDevice) -> None:
        super().__init__(*(listed or (SIREN, PANEL, PLAIN)))
        self.answers: list[Answer] = []
        self.told: list[tuple[str, str, str]] = []

    async def command(self, kind: str, native_key: str, order: str) -> str:
        self.told.append((kind, native_key, order))
        answer = self.answers.pop(0) if self.answers else "done"
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    def orders(self) -> list[str]:
        return [order for _, _, order in self.told]


@asynccontextmanager
async def obeying(clock: SetClock, *answers: Answer, **more: Any) -> AsyncIterator[tuple[Site, Obedient]]:
    """A site that knows its devices, and their system, which gives these answers first."""
    system = Obedient()
    system.answers += answers
    async with site(clock, system, **more) as it:
        await it.first_run()
        yield it, system


async def give(it: Site, order: Order, key: str = "xp:camera:1", **wish: object) -> Command:
    device = it.gateway.devices.get(key)
    assert device is not None
    given = Wish(order, "control:arc", "192.0.2.7", **wish)  # type: ignore[arg-type]
    return (await it.gateway.commands.request([device], given)).commands[0]


async def ended(it: Site, command: Command, seconds: float = 600) -> tuple[str, str]:
    async with asyncio.timeout(seconds):
        while True:
            [now] = await it.store.commands(CommandFilter(command_id=command.id))
            if now.state not in ("requested", "sent"):
                return now.state, now.result
            await asyncio.sleep(0.01)


async def carried_out(it: Site, order: Order, key: str = "xp:camera:1", **wish: object) -> tuple[str, str]:
    return await ended(it, await give(it, order, key, **wish))


async def sent(it: Site, command: Command) -> None:
    async with asyncio.timeout(60):
        while (await it.store.commands(CommandFilter(command_id=command.id)))[0].state != "sent":
            await asyncio.sleep(0.01)


def warnings(it: Site) -> list[str]:
    return [one.text for one in it.occurrences if isinstance(one, Trouble)]


@on_virtual_time
async def test_the_system_is_told_at_once_by_its_own_name_and_its_answer_kept(clock: SetClock) -> None:
    async with obeying(clock, "output 1 is on") as (it, system):
        before = clock.monotonic()
        command = await give(it, "siren")
        assert await ended(it, command) == ("confirmed", "output 1 is on")
        assert clock.monotonic() - before < 0.1
        assert system.told == [("camera", "1", "siren")]
        said = [(one.who, one.action, one.subject, one.result.split()[0]) for one in await it.store.audit_entries(9)]
        assert ("control:arc", "siren", "xp:camera:1", "confirmed") in said


@on_virtual_time
async def test_arming_by_a_system_is_told_to_stations(clock: SetClock) -> None:
    station = ScriptedStation()
    async with obeying(clock, stations=[station]) as (it, system):
        assert (await carried_out(it, "disarm", "xp:panel:7"))[0] == "confirmed"
        assert it.gateway.devices.armings.is_disarmed("xp:panel:7", clock.now())
        assert (await carried_out(it, "arm", "xp:panel:7"))[0] == "confirmed"
        await it.until(lambda: station.kinds() == ["disarmed", "armed"])
        assert system.orders() == ["disarm", "arm"]


@on_virtual_time
async def test_a_disarm_for_a_time_is_ended_by_an_order_to_the_system(clock: SetClock) -> None:
    async with obeying(clock) as (it, system):
        await carried_out(it, "disarm", "xp:panel:7", duration_s=120)
        await it.passes(119)
        assert system.orders() == ["disarm"]
        await it.until(lambda: system.orders() == ["disarm", "arm"], 5)


@on_virtual_time
async def test_only_what_the_system_can_do_is_taken(clock: SetClock) -> None:
    async with obeying(clock) as (it, _):
        with pytest.raises(Unfit, match="is no siren: its type is camera"):
            await give(it, "siren", "xp:camera:2")
        with pytest.raises(Unfit, match="of the system xp, which cannot arm it"):
            await give(it, "arm")
        devices = it.gateway.devices.all()
        assert [one.id for one in concerned(devices, "arm")] == ["xp:panel:7"]
        assert [one.id for one in devices if is_siren(one)] == ["xp:camera:1"]
    async with site(clock, ScriptedSystem(SIREN)) as it:  # the same devices of a system that takes no orders
        await it.first_run()
        with pytest.raises(Unfit, match="is no siren"):
            await give(it, "siren")


@on_virtual_time
async def test_devices_of_a_system_that_is_gone_from_the_configuration_take_no_orders(clock: SetClock) -> None:
    store = await opened()
    async with obeying(clock, store=store):
        pass
    other = Obedient()
    other.name = "og"
    async with site(clock, other, SystemRules("og", "scripted"), store) as it:
        with pytest.raises(Unfit, match="of the system xp, which takes no orders now"):
            await give(it, "siren")
    await store.aclose()


@on_virtual_time
async def test_a_device_the_operator_writes_down_is_the_systems_by_its_id(clock: SetClock) -> None:
    async with obeying(clock) as (it, system):
        await it.gateway.devices.put(Device("xp:intrusion_area:3", type="area"), clock.now())
        assert (await carried_out(it, "arm", "xp:intrusion_area:3"))[0] == "confirmed"
        assert system.told == [("intrusion_area", "3", "arm")]


@pytest.mark.parametrize(
    ("device_id", "issued", "identity"),
    [
        ("xp:output:a:b", {}, ("output", "a:b")),
        ("xp2:output:a", {}, None),
        ("xp:output", {}, None),
        ("xp:output:digest", {("output", "ö"): "xp:output:digest"}, ("output", "ö")),
    ],
)
def test_whose_device_it_is_shows_in_its_id(
    device_id: str, issued: dict[tuple[str, str], str], identity: tuple[str, str] | None
) -> None:
    assert Identities("xp", issued).identity_of(device_id) == identity


@on_virtual_time
async def test_what_the_system_refuses_has_failed_and_is_told_once(clock: SetClock) -> None:
    async with obeying(clock, NotSupported("xp has no output 1"), LoginRefused("xp refuses the login")) as (it, system):
        assert await carried_out(it, "siren") == ("failed", "xp has no output 1")
        assert await carried_out(it, "siren") == ("failed", "xp refuses the login")
        await it.passes(90)
        assert system.orders() == ["siren", "siren"]
        assert [text.partition(", ")[0] for text in warnings(it)] == ["siren of xp:camera:1"] * 2


@on_virtual_time
async def test_a_defect_of_a_connector_costs_its_order_only(clock: SetClock) -> None:
    async with obeying(clock, KeyError("outputs")) as (it, _):
        assert await carried_out(it, "siren") == ("failed", "internal error: KeyError")
        assert (await carried_out(it, "siren"))[0] == "confirmed"
        assert [one.task for one in it.occurrences if isinstance(one, TaskFailed)] == ["xp orders"]


@on_virtual_time
async def test_an_unreachable_system_is_told_again_while_there_is_time(clock: SetClock) -> None:
    async with obeying(clock, *[Unreachable("xp does not answer")] * 3) as (it, system):
        command = await give(it, "siren")
        await sent(it, command)
        assert (await ended(it, command))[0] == "confirmed"
        assert system.orders() == ["siren"] * 4


@on_virtual_time
async def test_nothing_sounds_late_and_what_may_sound_is_stopped(clock: SetClock) -> None:
    async with obeying(clock, *[Unreachable("xp does not answer")] * 100) as (it, system):
        before = clock.monotonic()
        why = "xp does not answer; its time is over, and it may have been carried out"
        assert await carried_out(it, "siren") == ("failed", why)
        assert clock.monotonic() - before == pytest.approx(60, abs=16)
        sirens = system.orders().count("siren")
        system.answers.clear()
        await it.until(lambda: system.orders()[-1] == "stop_siren", 30)
        assert system.orders().count("siren") == sirens


@on_virtual_time
async def test_a_silent_system_is_given_up_after_a_while_and_holds_up_no_other_device(clock: SetClock) -> None:
    async with obeying(clock, None) as (it, _):
        command = await give(it, "siren")
        await sent(it, command)
        before = clock.monotonic()
        assert (await carried_out(it, "arm", "xp:panel:7"))[0] == "confirmed"
        assert clock.monotonic() - before < 1.5
        assert (await ended(it, command))[0] == "confirmed"
        assert clock.monotonic() - before == pytest.approx(31, abs=2)


@on_virtual_time
async def test_a_siren_is_stopped_after_its_time(clock: SetClock) -> None:
    async with obeying(clock) as (it, system):
        await carried_out(it, "siren", duration_s=20)
        await it.passes(19)
        assert system.orders() == ["siren"]
        await it.until(lambda: system.orders() == ["siren", "stop_siren"], 3)
        await carried_out(it, "siren")
        await carried_out(it, "stop_siren")
        await it.passes(90)
        assert system.orders()[2:] == ["siren", "stop_siren"]


@on_virtual_time
async def test_a_siren_sounded_again_is_not_cut_off_by_the_end_of_the_first(clock: SetClock) -> None:
    async with obeying(clock) as (it, system):
        await carried_out(it, "siren", duration_s=20)
        await it.passes(15)
        await carried_out(it, "siren", duration_s=40)
        await it.passes(39)
        assert system.orders() == ["siren", "siren"]
        await it.until(lambda: system.orders()[-1] == "stop_siren", 3)


@on_virtual_time
async def test_a_stop_overtakes_a_siren_that_could_not_be_sounded(clock: SetClock) -> None:
    async with obeying(clock, *[Unreachable("xp does not answer")] * 4) as (it, system):
        siren = await give(it, "siren")
        await it.until(lambda: not system.answers)
        stop = await give(it, "stop_siren")
        assert (await ended(it, stop, 1))[0] == "confirmed"
        gave_way = f"gave way to stop_siren {stop.id}; it may have been carried out"
        assert await ended(it, siren) == ("failed", gave_way)
        assert system.orders() == ["siren"] * 4 + ["stop_siren"]


@pytest.mark.parametrize(("order", "key"), [("siren", "xp:camera:1"), ("disarm", "xp:panel:7")])
@on_virtual_time
async def test_what_was_under_way_at_a_stop_is_carried_out_again_while_there_is_time(
    clock: SetClock, order: Order, key: str
) -> None:
    store = await opened()
    async with obeying(clock, None, store=store) as (it, _):
        command = await give(it, order, key)
        await sent(it, command)
    second = Obedient()
    async with site(clock, second, store=store) as it:
        assert (await ended(it, command))[0] == "confirmed"
        assert second.orders() == [order]
    await store.aclose()


@on_virtual_time
async def test_what_was_under_way_at_a_stop_and_has_no_time_left_has_failed(clock: SetClock) -> None:
    store = await opened()
    async with obeying(clock, None, store=store) as (it, _):
        command = await give(it, "siren")
        await sent(it, command)
    clock.put_forward += timedelta(seconds=70)
    second = Obedient()
    async with site(clock, second, store=store) as it:
        why = "the gateway was stopped meanwhile; its time is over, and it may have been carried out"
        assert await ended(it, command) == ("failed", why)
        await it.until(lambda: second.orders() == ["stop_siren"])  # it may be sounding
    await store.aclose()


@on_virtual_time
async def test_a_siren_left_sounding_by_an_earlier_process_is_stopped_once(clock: SetClock) -> None:
    store = await opened()
    async with obeying(clock, store=store) as (it, _):
        await carried_out(it, "siren", duration_s=30)
    second = Obedient()
    async with site(clock, second, store=store) as it:
        await it.passes(25)
        assert second.orders() == []
        await it.until(lambda: second.orders() == ["stop_siren"], 10)
    third = Obedient()
    async with site(clock, third, store=store) as it:
        await it.passes(10)
        assert third.orders() == []
    await store.aclose()


def test_of_two_orders_in_doubt_only_the_later_stands() -> None:
    orders: list[Order] = ["siren", "arm", "stop_siren", "disarm"]
    siren, arm, stop, disarm = (
        Command(order, order, "d", order, EPOCH, EPOCH, "arc", parameters=Parameters(duration_s=9)) for order in orders
    )
    assert overtaken([siren, arm, stop, disarm]) == [(siren, stop), (arm, disarm)]
    assert standing([siren, arm, stop]) == [arm, stop]


@pytest.mark.parametrize(("after_s", "left"), [(0, 9), (4, 5), (86400, 0), (-86400, 9)])
def test_a_clock_that_is_set_lets_no_siren_sound_longer_than_was_asked(after_s: float, left: float) -> None:
    siren = Command("1", "1", "d", "siren", EPOCH, EPOCH, "arc", ended_at=EPOCH, parameters=Parameters(duration_s=9))
    assert left_s(siren, EPOCH + timedelta(seconds=after_s)) == left
