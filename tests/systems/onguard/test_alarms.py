"""Events that become alarms: from a real RabbitMQ, restarted under way, and from the event log."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from tests.rabbit import PASSWORD, USER, Rabbit, needs_rabbitmq
from tests.systems.onguard.conftest import Bench, inventory

from tocsin.engine.contracts import IntakeClosed, Refused, Submission, Taken
from tocsin.standins.onguard_site import Site, example
from tocsin.standins.web_service import Misbehaviour
from tocsin.systems.onguard.system import OnGuardSystem
from tocsin.telemetry.occurrences import Notice, Trouble

QUEUE = "openaccess-17"
KINDS = ["door_forced", "door_held"]


class Keeping:
    """An intake that keeps what it is given, under its id; `closed` so many times first, and waits at `gate`."""

    def __init__(self) -> None:
        self.taken: list[Submission] = []
        self.closed = 0
        self.refuses = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self._news = asyncio.Event()

    async def accept(self, submission: Submission) -> Taken:
        await self.gate.wait()
        if self.closed:
            self.closed -= 1
            self._news.set()
            raise IntakeClosed("the disk is full")
        if submission.event.text == self.refuses:
            raise Refused("no")
        self.taken.append(submission)
        self._news.set()
        return Taken(submission.event.id, len(self.taken), False, ())

    async def accept_many(self, submissions: Any) -> Any:
        return [await self.accept(one) for one in submissions]

    @property
    def told(self) -> list[str]:
        """Texts, each event once, in the order in which they first came."""
        return list({one.event.id: one.event.text for one in self.taken}.values())

    async def until(self, wanted: Callable[["Keeping"], bool], longest_s: float = 25) -> None:
        async with asyncio.timeout(longest_s):
            while not wanted(self):
                self._news.clear()
                await self._news.wait()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Rabbit]:
    folder = tmp_path_factory.mktemp("rabbit")
    pair = folder / "pair.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pair))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    broker = Rabbit(folder, str(pair))
    asyncio.run(broker.start())
    yield broker
    asyncio.run(broker.stop())


def amqp(rabbit: Rabbit, **changes: Any) -> dict[str, Any]:
    return {"username": USER, "password": PASSWORD, "tls": {"ca_file": str(rabbit.folder / "ca.pem")}, **changes}


def row(n: int, description: str = "Door Forced Open") -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return {"serial_number": n, "timestamp": at, "description": description, "controller_id": 3, "device_id": 4,
            "device_name": f"Door {n}"}  # fmt: skip


def bodies(*numbers: int) -> list[bytes]:
    return [json.dumps(row(n)).encode() for n in numbers]


def texts(*numbers: int) -> list[str]:
    return [f"Door {n}: Door Forced Open" for n in numbers]


@contextlib.asynccontextmanager
async def handing_over(system: OnGuardSystem, intake: Keeping) -> AsyncIterator[None]:
    task = asyncio.ensure_future(system.alarms(intake))
    try:
        yield
    finally:
        assert not task.done() or task.exception() is None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def on_bus(bench: Bench, rabbit: Rabbit, **changes: Any) -> OnGuardSystem:
    _, port = await bench.server(broker={"port": rabbit.tls_port})
    await rabbit.drop(QUEUE)
    await rabbit.queue(QUEUE)
    return bench.system(port, alarms=KINDS, amqp=amqp(rabbit, **changes))


@needs_rabbitmq
async def test_events_of_the_bus_come_in_order(bench: Bench, rabbit: Rabbit) -> None:
    system, intake = await on_bus(bench, rabbit), Keeping()
    await inventory(system)
    async with handing_over(system, intake):
        await rabbit.publish(QUEUE, bodies(*range(200)))
        await rabbit.publish(QUEUE, [json.dumps(row(900, "Access Granted")).encode(), *bodies(901)])
        await intake.until(lambda one: len(one.told) >= 201)
    assert intake.told == texts(*range(200), 901)
    assert {one.event.device_id for one in intake.taken} == {"og-main:reader:3-4"}
    assert await rabbit.waiting(QUEUE) == 0


@needs_rabbitmq
async def test_a_restart_of_the_broker_loses_nothing_and_keeps_the_order(bench: Bench, rabbit: Rabbit) -> None:
    system, intake = await on_bus(bench, rabbit), Keeping()
    async with handing_over(system, intake):
        await rabbit.publish(QUEUE, bodies(*range(40)))
        await intake.until(lambda one: len(one.told) >= 40)
        intake.gate.clear()
        await rabbit.publish(QUEUE, bodies(*range(40, 100)))
        await rabbit.stop()
        intake.gate.set()
        await rabbit.start()
        await rabbit.publish(QUEUE, bodies(*range(100, 120)))
        await intake.until(lambda one: len(one.told) >= 120)
        assert await rabbit.waiting(QUEUE) == 0
    assert intake.told == texts(*range(120))
    assert any(isinstance(one, Trouble) and "message broker" in one.text for one in bench.recorded)
    assert any(isinstance(one, Notice) and "arrive again" in one.text for one in bench.recorded)


@needs_rabbitmq
async def test_nothing_is_acknowledged_before_the_intake_has_it(bench: Bench, rabbit: Rabbit) -> None:
    standin, port = await bench.server(broker={"port": rabbit.tls_port})
    await rabbit.drop(QUEUE)
    await rabbit.queue(QUEUE)
    first, intake = bench.system(port, alarms=KINDS, amqp=amqp(rabbit)), Keeping()
    intake.closed = 1000
    await rabbit.publish(QUEUE, bodies(1, 2))
    async with handing_over(first, intake):
        await intake.until(lambda one: one.closed < 1000)
    await first.aclose()
    second, intake = bench.system(port, alarms=KINDS, amqp=amqp(rabbit)), Keeping()
    async with handing_over(second, intake):
        await intake.until(lambda one: len(one.told) == 2)
    assert intake.told == texts(1, 2)
    assert [one["id"] for one in standin.subscriptions] == [17], "the second took over the subscription of the first"


@needs_rabbitmq
async def test_what_is_no_event_does_not_stop_the_others(bench: Bench, rabbit: Rabbit) -> None:
    system, intake = await on_bus(bench, rabbit), Keeping()
    intake.refuses = texts(1)[0]
    async with handing_over(system, intake):
        await rabbit.publish(QUEUE, [b"\xff", b"[[", b"7", b"{}", b'["x"]', *bodies(1), *bodies(2)])
        await intake.until(lambda one: len(one.told) == 1)
    assert intake.told == texts(2)
    assert any("was not taken" in one.text for one in bench.recorded if isinstance(one, Trouble))


@needs_rabbitmq
async def test_a_queue_that_is_gone_is_made_anew_and_told(bench: Bench, rabbit: Rabbit) -> None:
    standin, port = await bench.server(broker={"port": rabbit.tls_port})
    await rabbit.drop(QUEUE)
    system, intake = bench.system(port, alarms=KINDS, amqp=amqp(rabbit)), Keeping()
    async with handing_over(system, intake):
        await told(bench, "events may be missing")
        await rabbit.queue(QUEUE)
        await rabbit.publish(QUEUE, bodies(5))
        await intake.until(lambda one: one.told == texts(5))
    assert len(standin.subscriptions) == 1


@needs_rabbitmq
async def test_a_wrong_password_at_the_broker_is_told(bench: Bench, rabbit: Rabbit) -> None:
    system = await on_bus(bench, rabbit, password="wrong-word")
    async with handing_over(system, Keeping()):
        await told(bench, "refuses amqp.username and amqp.password")
    assert "wrong-word" not in repr(bench.recorded)
    step = (await system.check())[-1]
    assert (step.what, step.ok, "amqp.password" in step.detail) == ("message broker", False, True)


@needs_rabbitmq
async def test_check_finds_the_queue_without_taking_anything(bench: Bench, rabbit: Rabbit) -> None:
    system = await on_bus(bench, rabbit)
    await rabbit.publish(QUEUE, bodies(1, 2, 3))
    step = (await system.check())[-1]
    assert (step.what, step.ok) == ("message broker", True)
    assert f"3 messages wait in {QUEUE}" in step.detail
    assert await rabbit.waiting(QUEUE) == 3


@needs_rabbitmq
async def test_a_broker_without_tls_must_be_allowed(bench: Bench, rabbit: Rabbit) -> None:
    _, port = await bench.server(broker={"port": rabbit.port, "tls": False})
    await rabbit.queue(QUEUE)
    refused = bench.system(port, alarms=KINDS, amqp=amqp(rabbit))
    async with handing_over(refused, Keeping()):
        await told(bench, "amqp.plain = true")
    allowed, intake = bench.system(port, alarms=KINDS, amqp=amqp(rabbit, plain=True)), Keeping()
    async with handing_over(allowed, intake):
        await rabbit.publish(QUEUE, bodies(8))
        await intake.until(lambda one: texts(8)[0] in one.told)


@needs_rabbitmq
async def test_a_foreign_certificate_of_the_broker_is_refused(bench: Bench, rabbit: Rabbit) -> None:
    system = await on_bus(bench, rabbit, tls={})
    async with handing_over(system, Keeping()):
        await told(bench, "ca_file")


async def told(bench: Bench, part: str) -> None:
    async with asyncio.timeout(20):
        while not any(part in one.text for one in bench.recorded if isinstance(one, Trouble)):
            await asyncio.sleep(0.01)


def happened(site: Site, *numbers: int) -> None:
    for n in numbers:
        site.log("Door Forced Open", datetime.now(UTC), controller_id=3, device_id=4, device_name=f"Door {n}")


async def test_without_a_bus_the_event_log_is_read_in_order(bench: Bench) -> None:
    site, intake = example(), Keeping()
    _, port = await bench.server(site)
    async with handing_over(bench.system(port, alarms=KINDS), intake):
        happened(site, *range(150))
        await intake.until(lambda one: len(one.told) == 150)
        happened(site, 150)
        site.log("Access Granted", datetime.now(UTC), controller_id=3)
        happened(site, 151)
        await intake.until(lambda one: len(one.told) == 152)
    assert intake.told == texts(*range(152))
    assert len(intake.taken) == 152


async def test_what_happened_while_the_gateway_was_down_is_made_up_for(bench: Bench) -> None:
    site, intake = example(), Keeping()
    _, port = await bench.server(site)
    async with handing_over(bench.system(port, alarms=KINDS), intake):
        happened(site, 1)
        await intake.until(lambda one: len(one.told) == 1)
    happened(site, 2, 3)
    async with handing_over(bench.system(port, alarms=KINDS), intake):
        await intake.until(lambda one: len(one.told) == 3)
    assert intake.told == texts(1, 2, 3)
    repeats = [one for one in intake.taken if one.event.text == texts(1)[0]]
    assert len({(one.event.id, one.digest) for one in repeats}) == 1, "the intake knows the repeat by its id"


async def test_old_events_are_no_alarms_after_a_start(bench: Bench) -> None:
    site, intake = example(), Keeping()
    site.log("Door Forced Open", datetime.now(UTC) - timedelta(hours=1), controller_id=3, device_name="Door 1")
    happened(site, 2)
    _, port = await bench.server(site)
    async with handing_over(bench.system(port, alarms=KINDS, catch_up="30m"), intake):
        await intake.until(lambda one: len(one.told) == 1)
    assert intake.told == texts(2)


async def test_what_happens_now_is_an_alarm_whatever_the_clock_of_onguard_says(bench: Bench) -> None:
    site, intake = example(), Keeping()
    happened(site, 1)
    _, port = await bench.server(site)
    async with handing_over(bench.system(port, alarms=KINDS), intake):
        await intake.until(lambda one: len(one.told) == 1)
        behind = datetime.now(UTC) - timedelta(hours=5)  # local time, and time_zone is not set
        site.log("Door Forced Open", behind, controller_id=3, device_id=4, device_name="Door 2")
        await intake.until(lambda one: len(one.told) == 2)
    assert intake.told == texts(1, 2)


async def test_an_alarm_before_many_other_events_is_made_up_for(bench: Bench) -> None:
    site, intake = example(), Keeping()
    happened(site, 1)
    for _ in range(1000):
        site.log("Access Granted", datetime.now(UTC), controller_id=3)
    _, port = await bench.server(site)
    async with handing_over(bench.system(port, alarms=KINDS), intake):
        await intake.until(lambda one: len(one.told) == 1)
    assert intake.told == texts(1)


async def test_an_outage_of_openaccess_and_a_closed_intake_lose_nothing(bench: Bench) -> None:
    site, intake = example(), Keeping()
    standin, port = await bench.server(site)
    async with handing_over(bench.system(port, alarms=KINDS), intake):
        happened(site, 1)
        await intake.until(lambda one: len(one.told) == 1)
        standin.web.always = Misbehaviour(fault="close")
        await told(bench, "no events for alarms")
        happened(site, 2)
        intake.closed = 1
        standin.web.always = None
        await intake.until(lambda one: len(one.told) == 2)
    assert [type(one) for one in bench.recorded][:1] == [Trouble]


async def test_without_kinds_nothing_is_handed_over(bench: Bench) -> None:
    _, port = await bench.server()
    async with asyncio.timeout(5):
        await bench.system(port).alarms(Keeping())
    assert bench.received == []
