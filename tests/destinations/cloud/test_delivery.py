"""A service cloud over real sockets: receipts, refusals, faults, and what the receiver knows afterwards."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.destinations.bench import Bench
from tests.destinations.cloud.conftest import AT, CAMERA, LOST, NOTICE, kept

from tocsin.destinations.cloud.destination import CloudDestination
from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt, LinkDown, Rejected, TryLater
from tocsin.engine.inventory.book import InventoryBook
from tocsin.model.canonical import KeptDevice, Removal, Run, SystemStanding
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import InventoryNotice, SourceNotice
from tocsin.model.kinds import Lane
from tocsin.standins.cloud import CloudStandin, Demands
from tocsin.standins.web_service import Misbehaviour, Reply
from tocsin.store.contract import Store
from tocsin.store.inventory import InventoryChange
from tocsin.store.open import open_inline_store

TOKEN = "sesame-of-the-gateway"
KNOWN = Demands(token=TOKEN)
KEY = CAMERA.rpartition(":")[2]
MakeAttempt = Callable[..., Attempt]


def due(id_: str = LOST.id, minutes: int = 0, **changes: Any) -> Due:
    at = LOST.occurred_at + timedelta(minutes=minutes)
    event = msgspec.structs.replace(LOST, id=id_, occurred_at=at, **changes)
    return Due(DeliveryKey(7, "cloud"), Lane.STATUS, event.device_id, event.device_id, 0, event)


def inventory(run: str, customer: str = "acct-4410") -> Due:
    told = InventoryNotice("xp-hq", customer, run)
    return due(f"notice of {run}", kind="info", device_id="", notice=told)


class Clouds(Bench):
    def __init__(self, surroundings: Surroundings, store: Store) -> None:
        super().__init__(msgspec.structs.replace(surroundings, book=InventoryBook(store, surroundings.clock)))
        self.store = store
        self.cloud: CloudStandin

    async def read(self, run_id: str, *devices: KeptDevice) -> None:
        """What a run of the system xp-hq leaves behind."""
        run = Run(run_id, "xp-hq", "manual", "succeeded", AT, AT)
        standing = SystemStanding("xp-hq", AT, last_run=run_id)
        await self.store.keep_inventory(InventoryChange("xp-hq", standing, run, devices))
        healths = {one.record.id: one.health for one in devices if one.health and one.removal is None}
        await self.store.put_healths(healths)

    async def started(self, demands: Demands = KNOWN, *scripted: Misbehaviour) -> int:
        self.cloud = CloudStandin("127.0.0.1:0", self.received.append, self.surroundings.clock, demands)
        return await self.serve(self.cloud.web, *scripted)

    def destination(self, port: int, **changes: Any) -> CloudDestination:
        kind = DESTINATION_TYPES["cloud"]
        urls = {f"{name}_url": f"http://127.0.0.1:{port}/{path}" for name, path in PATHS}
        table = {"name": "cloud", **urls, "token": TOKEN, "timeout": "300ms", **changes}
        made = kind.build(kind.settings.model_validate(table), self.surroundings)
        assert isinstance(made, CloudDestination)
        return self.closes(made)


PATHS = (("inventory", "inventory"), ("events", "health"))


@pytest.fixture
async def bench(surroundings: Surroundings) -> AsyncIterator[Clouds]:
    store = open_inline_store()
    await store.open()
    async with contextlib.aclosing(store), Clouds(surroundings, store) as made:
        yield made


async def test_an_inventory_and_then_a_device_goes_offline(bench: Clouds, make_attempt: MakeAttempt) -> None:
    destination, attempt = bench.destination(await bench.started()), make_attempt()
    await bench.read("R1", kept(KEY))
    assert (await destination.deliver(inventory("R1"), make_attempt())).answer == "HTTP 200 OK"
    assert bench.cloud.records.devices[CAMERA].status == "online"
    assert (await destination.deliver(due(), attempt)).answer == "HTTP 200 OK"
    assert bench.cloud.records.devices[CAMERA].status == "offline"
    assert [one["key"][:9] for one in bench.received] == ["inv:R1:1:", f"evt:{LOST.id}"[:9]]
    assert [one.result for one in attempt.exchanges] == ["delivered"]


async def test_the_token_is_in_no_trace(bench: Clouds, make_attempt: MakeAttempt) -> None:
    destination, attempt = bench.destination(await bench.started()), make_attempt()
    await destination.deliver(due(), attempt)
    everything = f"{attempt.exchanges} {destination.render(due(), ())} {await destination.check()}"
    assert "Bearer ***" in everything
    assert TOKEN not in everything


@pytest.mark.parametrize(
    ("misbehaviour", "error"),
    [
        (Misbehaviour(Reply(401)), LinkDown),
        (Misbehaviour(Reply(403)), LinkDown),
        (Misbehaviour(Reply(400)), Rejected),
        (Misbehaviour(Reply(302, headers=(("Location", "http://192.0.2.1/"),))), TryLater),
        (Misbehaviour(Reply(429)), TryLater),
        (Misbehaviour(Reply(503)), TryLater),
        (Misbehaviour(fault="cut"), TryLater),
        (Misbehaviour(fault="close"), TryLater),
        (Misbehaviour(fault="silent"), TryLater),
    ],
)
async def test_no_receipt_and_then_sent_again_under_the_same_key(
    bench: Clouds, make_attempt: MakeAttempt, misbehaviour: Misbehaviour, error: type[Exception]
) -> None:
    destination = bench.destination(await bench.started(KNOWN, misbehaviour))
    with pytest.raises(error):
        await destination.deliver(due(), make_attempt())
    await destination.deliver(due(), make_attempt())
    first, second = bench.received
    assert (first["key"], first["said"]) == (second["key"], second["said"])
    assert second.get("repeat", False) is (misbehaviour.reply is None), "taken once, whatever became of the answer"


async def test_retry_after_is_handed_on(bench: Clouds, make_attempt: MakeAttempt) -> None:
    busy = Misbehaviour(Reply(429, headers=(("Retry-After", "7"),)))
    destination = bench.destination(await bench.started(KNOWN, busy))
    with pytest.raises(TryLater) as raised:
        await destination.deliver(due(), make_attempt())
    assert raised.value.after_s == 7.0


async def test_one_device_is_refused_and_the_others_go_on(bench: Clouds, make_attempt: MakeAttempt) -> None:
    destination = bench.destination(await bench.started(Demands(token=TOKEN, refused=("door-7",))))
    with pytest.raises(Rejected, match="door-7 is refused"):
        await destination.deliver(due(device_id="door-7"), make_attempt())
    await destination.deliver(due(), make_attempt())
    assert bench.cloud.records.early == {CAMERA: "offline"}


async def test_a_wrong_token_says_so_and_a_closed_port_too(bench: Clouds, make_attempt: MakeAttempt) -> None:
    port = await bench.started()
    wrong = bench.destination(port, token="another-token")
    with pytest.raises(LinkDown, match="Check token"):
        await wrong.deliver(due(), make_attempt())
    await bench.cloud.web.aclose()
    gone = bench.destination(port)
    with pytest.raises(LinkDown, match="refuses the connection"):
        await gone.deliver(due(), make_attempt())
    assert not (await gone.check())[-1].ok


async def test_extended_comes_in_packed_parts_and_removes(bench: Clouds, make_attempt: MakeAttempt) -> None:
    port = await bench.started(Demands("extended", TOKEN))
    destination = bench.destination(port, profile="extended", gzip=True, max_devices=100)
    devices = [kept(f"{n:03}") for n in range(151)]
    await bench.read("R1", *devices)
    await destination.deliver(inventory("R1"), make_attempt())
    assert len(bench.cloud.records.devices) == 151
    packings = [(one["key"][:9], one["packing"]) for one in bench.received]
    assert packings == [("inv:R1:1:", "gzip"), ("inv:R1:2:", "")], "only what is large is packed"
    gone = Removal(devices[0].record.id, "acct-4410", AT, "absent_from_source")
    await bench.read("R2", msgspec.structs.replace(devices[0], removal=gone))
    await destination.deliver(inventory("R2"), make_attempt())
    assert (len(bench.cloud.records.devices), gone.id in bench.cloud.records.devices) == (150, False)


async def test_brief_is_whole_and_removes_by_absence(bench: Clouds, make_attempt: MakeAttempt) -> None:
    destination = bench.destination(await bench.started(), max_devices=1)
    await bench.read("R1", kept("1"), kept("2"), kept("3", "acct-9"))
    for customer in ("acct-4410", "acct-9"):
        await destination.deliver(inventory("R1", customer), make_attempt())
    assert [len(one["said"]["devices"]) for one in bench.received] == [2, 1]
    gone = Removal("xp-hq:camera:1", "acct-4410", AT, "absent_from_source")
    await bench.read("R2", msgspec.structs.replace(kept("1"), removal=gone))
    await destination.deliver(inventory("R2"), make_attempt())
    assert sorted(bench.cloud.records.devices) == ["xp-hq:camera:2", "xp-hq:camera:3"]


async def test_an_older_inventory_is_superseded(bench: Clouds, make_attempt: MakeAttempt) -> None:
    destination = bench.destination(await bench.started())
    await bench.read("R2", kept("1"))
    assert "superseded: run R2" in (await destination.deliver(inventory("R1"), make_attempt())).answer
    assert bench.received == []
    assert (await destination.deliver(inventory("R2"), make_attempt())).answer == "HTTP 200 OK"


async def test_what_brief_cannot_say_is_not_sent(bench: Clouds, make_attempt: MakeAttempt) -> None:
    destination = bench.destination(await bench.started())
    dim = msgspec.structs.replace(NOTICE, status="degraded", turned=False)
    assert "it is degraded" in (await destination.deliver(due(notice=dim), make_attempt())).answer
    await bench.read("R1")
    assert "no device there" in (await destination.deliver(inventory("R1"), make_attempt())).answer
    with pytest.raises(Rejected, match="of nothing else"):
        await destination.deliver(due(notice=None), make_attempt())
    assert bench.received == []


async def test_a_part_that_fails_is_sent_again_with_all_others(bench: Clouds, make_attempt: MakeAttempt) -> None:
    port = await bench.started(Demands("extended", TOKEN), Misbehaviour(), Misbehaviour(Reply(503)))
    destination = bench.destination(port, profile="extended", max_devices=1)
    await bench.read("R1", kept("1"), kept("2"))
    with pytest.raises(TryLater):
        await destination.deliver(inventory("R1"), make_attempt())
    await destination.deliver(inventory("R1"), make_attempt())
    first, second, again, rest = [one["key"] for one in bench.received]
    assert ((first, second), bench.received[2]["repeat"]) == ((again, rest), True)
    assert sorted(bench.cloud.records.devices) == ["xp-hq:camera:1", "xp-hq:camera:2"]


async def test_a_store_that_cannot_be_read_is_asked_later(bench: Clouds, make_attempt: MakeAttempt) -> None:
    destination = bench.destination(await bench.started())
    await bench.store.aclose()
    with pytest.raises(TryLater, match="cannot be read"):
        await destination.deliver(inventory("R1"), make_attempt())


async def test_a_cancelled_delivery_can_be_sent_again(bench: Clouds, make_attempt: MakeAttempt) -> None:
    slow = Misbehaviour(fault="silent")
    destination = bench.destination(await bench.started(KNOWN, slow), timeout="30s")
    sending = asyncio.create_task(destination.deliver(due(), make_attempt()))
    while not bench.received:
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (await destination.deliver(due(), make_attempt())).answer == "HTTP 200 OK"


async def test_what_comes_late_does_not_overwrite_what_is_newer(bench: Clouds, make_attempt: MakeAttempt) -> None:
    destination = bench.destination(await bench.started())
    await bench.read("R1", kept(KEY))
    await destination.deliver(inventory("R1"), make_attempt())
    restored = msgspec.structs.replace(NOTICE, status="online")
    await destination.deliver(due("b", minutes=2, notice=restored), make_attempt())
    await destination.deliver(due("a"), make_attempt())
    assert bench.cloud.records.devices[CAMERA].status == "online"
    assert "older than what is known" in bench.received[-1]["note"]


async def test_private_authority(bench: Clouds, authority: Any, make_attempt: MakeAttempt) -> None:
    cert, key = authority.issue("127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    cloud = CloudStandin("127.0.0.1:0", bench.received.append, bench.surroundings.clock, tls=context)
    port = await bench.serve(cloud.web)
    urls = {f"{name}_url": f"https://127.0.0.1:{port}/{path}" for name, path in PATHS}
    unknown = bench.destination(port, **urls)
    with pytest.raises(LinkDown, match="not trusted here"):
        await unknown.deliver(due(), make_attempt())
    known = bench.destination(port, **urls, tls={"ca_file": authority.ca})
    assert (await known.deliver(due(), make_attempt())).answer == "HTTP 200 OK"
    assert all(step.ok for step in await known.check())


async def together(bench: Clouds, destination: CloudDestination, make_attempt: MakeAttempt, count: int) -> list[Any]:
    """So many devices go offline at once; how each delivery ended, with its attempt."""
    attempts = [make_attempt() for _ in range(count)]
    told = [destination.deliver(due(f"e{n}", device_id=f"xp:camera:{n}"), one) for n, one in enumerate(attempts)]
    return list(zip(await asyncio.gather(*told, return_exceptions=True), attempts, strict=True))


SEVERAL = Demands(token=TOKEN, several=True)
SLOW = Misbehaviour(delay_s=0.05)


async def test_many_events_go_together_and_few_by_themselves(bench: Clouds, make_attempt: MakeAttempt) -> None:
    port = await bench.started(SEVERAL, SLOW)
    destination = bench.destination(port, max_events=50, concurrency=1)
    ended = await together(bench, destination, make_attempt, 120)
    assert {receipt.answer for receipt, _ in ended} == {"HTTP 200 OK"}
    assert len(bench.cloud.records.early) == 120
    assert [len(one["said"].get("events", [1])) for one in bench.received] == [1, 50, 50, *[1] * 19]
    exchange = ended[1][1].exchanges[0]
    assert "50 events in one request" in exchange.note
    assert '{"events":[' in exchange.sent
    assert "Bearer ***" in exchange.sent
    assert '"device_id":"xp:camera:2"' in ended[2][1].exchanges[0].sent
    assert "the whole request stands with delivery 7.cloud" in ended[2][1].exchanges[0].note


async def test_one_of_many_that_is_refused_is_lost_alone(bench: Clouds, make_attempt: MakeAttempt) -> None:
    refused = ("xp:camera:17", "xp:camera:60")
    port = await bench.started(Demands(token=TOKEN, several=True, refused=refused), SLOW)
    destination = bench.destination(port, max_events=100, concurrency=1)
    ended = await together(bench, destination, make_attempt, 100)
    lost = [n for n, (end, _) in enumerate(ended) if isinstance(end, Rejected)]
    assert lost == [17, 60]
    assert len(bench.cloud.records.early) == 98
    assert len(bench.received) < 40, "by halves, not one by one"


@pytest.mark.parametrize(
    ("answer", "error", "requests"),
    [(Reply(503), TryLater, 2), (Reply(401), LinkDown, 2), (Reply(404), Rejected, 2), (Reply(429), TryLater, 2)],
)
async def test_what_meets_all_alike_is_not_tried_one_by_one(
    bench: Clouds, make_attempt: MakeAttempt, answer: Reply, error: type[Exception], requests: int
) -> None:
    port = await bench.started(SEVERAL)
    bench.cloud.web.always = Misbehaviour(answer, delay_s=0.02)
    destination = bench.destination(port, max_events=100, concurrency=1)
    ended = await together(bench, destination, make_attempt, 100)
    assert [type(end) for end, _ in ended] == [error] * 100
    assert len(bench.received) == requests


async def test_several_again_are_the_same_request(bench: Clouds, make_attempt: MakeAttempt) -> None:
    """The answer is lost; what was taken is known again by its key."""
    port = await bench.started(SEVERAL, SLOW, Misbehaviour(fault="close"))
    destination = bench.destination(port, max_events=100, concurrency=1)
    first = await together(bench, destination, make_attempt, 60)
    assert [type(end) for end, _ in first[1:]] == [TryLater] * 59
    bench.cloud.web.scripted = [SLOW]
    bench.received.clear()
    again = await together(bench, destination, make_attempt, 60)
    assert {end.answer for end, _ in again} == {"HTTP 200 OK"}
    assert [one.get("repeat", False) for one in bench.received] == [True, True]


async def test_whoever_is_cancelled_leaves_the_others_to_be_sent(bench: Clouds, make_attempt: MakeAttempt) -> None:
    port = await bench.started(SEVERAL, Misbehaviour(fault="silent"))
    destination = bench.destination(port, max_events=100, concurrency=1, timeout="30s")
    sending = [
        asyncio.create_task(destination.deliver(due(f"e{n}", device_id=f"xp:camera:{n}"), make_attempt()))
        for n in range(60)
    ]
    while not bench.received:
        await asyncio.sleep(0)
    sending[0].cancel()
    sending[5].cancel()
    ended = await asyncio.gather(*sending, return_exceptions=True)
    assert [n for n, end in enumerate(ended) if isinstance(end, asyncio.CancelledError)] == [0, 5]
    assert len(bench.cloud.records.early) == 59, "the first was taken though nobody heard the answer"


async def test_how_a_system_itself_is_told_where_it_is_asked_for(bench: Clouds, make_attempt: MakeAttempt) -> None:
    notice = SourceNotice("xp-hq", "acct-4410", "unreachable", AT, "no answer", 1204, AT)
    told = due("s1", device_id="", notice=notice)
    port = await bench.started(Demands("extended", TOKEN))
    silent = bench.destination(port, profile="extended")
    assert "sources_url" in silent.address(told.event, None).unsupported
    destination = bench.destination(port, profile="extended", sources_url=f"http://127.0.0.1:{port}/sources")
    assert destination.address(told.event, None).queue == "xp-hq acct-4410 itself"
    assert (await destination.deliver(told, make_attempt())).answer == "HTTP 200 OK"
    assert bench.received[0]["said"] == {
        "system_id": "xp-hq",
        "customer_id": "acct-4410",
        "source_status": "unreachable",
        "since": "2025-03-08T06:14:02.037Z",
        "last_complete_sync": "2025-03-08T06:14:02.037Z",
        "error": "no answer",
        "devices_affected": 1204,
    }
    assert bench.received[0]["key"] == "src:s1"
    assert bench.cloud.records.sources == {"xp-hq acct-4410": "unreachable"}
    assert destination.render(told, ())[1].name == "system.json"
    with pytest.raises(ValueError, match="goes with profile"):
        bench.destination(port, sources_url="https://cloud.example.net/sources")


async def test_what_happens_to_a_device_is_told_after_the_inventory_that_names_it(
    bench: Clouds, make_attempt: MakeAttempt
) -> None:
    port = await bench.started(KNOWN, Misbehaviour(delay_s=0.1), Misbehaviour(), Misbehaviour(Reply(503), delay_s=0.1))
    destination = bench.destination(port)
    await bench.read("R1", kept(KEY))
    told = [destination.deliver(inventory("R1"), make_attempt()), destination.deliver(due(), make_attempt())]
    await asyncio.gather(*told)
    assert [(one["key"][:3], one["note"]) for one in bench.received] == [("inv", ""), ("evt", "")]
    told = [destination.deliver(inventory("R1"), make_attempt()), destination.deliver(due("b"), make_attempt())]
    failed, receipt = await asyncio.gather(*told, return_exceptions=True)
    assert isinstance(failed, TryLater)
    assert receipt.answer == "HTTP 200 OK", "an inventory that cannot be told holds nothing up"
