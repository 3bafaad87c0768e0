"""A process or a server killed under load: what was acknowledged is there, whole."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from storekit.postgres import running_server
from storekit.values import arrival, owed
from storekit.watching import SeenWatch

from tocsin.model.delivery import DeliveryKey
from tocsin.store.contract import EventFilter, StoreUnavailable
from tocsin.store.open import open_store

BUSY = Path(__file__).parent / "storekit" / "busy_gateway.py"


def killed_after(place: str, lines: int) -> list[str]:
    """Acknowledgements of a gateway that was killed in the middle of its work."""
    with subprocess.Popen([sys.executable, str(BUSY), place], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        seen += process.stdout.readlines()
    assert process.returncode == -9
    return [line.strip() for line in seen if line.endswith("\n")]


async def test_a_killed_gateway_loses_nothing(place):
    acknowledged = killed_after(place, 400)
    store = open_store(place)
    await store.open()
    kept = {one.event.id: one.seq for one in await store.events(EventFilter(limit=100_000))}
    settled = [int(line.removeprefix("settled ")) for line in acknowledged if line.startswith("settled ")]
    assert settled
    for seq in settled:
        assert (await store.delivery(DeliveryKey(seq, "arc"))).state == "delivered"
    assert {line for line in acknowledged if not line.startswith("settled ")} <= set(kept)
    owing = await store.deliveries_of(list(kept.values()))
    assert {len(deliveries) for deliveries in owing.values()} == {2}
    assert sorted(kept.values()) == list(range(1, len(kept) + 1))
    await store.aclose()


@pytest.fixture
def doomed_server():
    """A server of its own: should it not come back, the other tests keep theirs."""
    with running_server() as server:
        yield server


@pytest.mark.parametrize("kills", [2])
async def test_a_killed_server_loses_nothing_and_the_store_comes_back(doomed_server, kills):
    watch = SeenWatch()
    store = open_store(doomed_server.new_database("tocsin"), watch)
    await store.open()
    acknowledged: dict[str, int] = {}
    stop = asyncio.Event()

    async def source(name: str) -> None:
        """As the intake's callers do: what was not acknowledged is asked again."""
        n = 0
        while not stop.is_set():
            try:
                [kept] = await store.accept([arrival(f"{name}{n}", owed("arc"), owed("web"))])
            except StoreUnavailable:
                await asyncio.sleep(0.01)
                continue
            acknowledged[kept.event.id] = kept.seq
            n += 1

    sources = [asyncio.create_task(source(name)) for name in "ABCDEFGH"]
    for kill in range(kills):
        before = len(acknowledged)
        while len(acknowledged) < before + 200:
            await asyncio.sleep(0.01)
        doomed_server.kill()
        await asyncio.wait_for(watch.down.wait(), 20)
        assert not store.writable()
        with pytest.raises(StoreUnavailable):
            await store.accept([arrival(f"refused{kill}")])
        watch.down.clear()
        await asyncio.to_thread(doomed_server.start)
        await asyncio.wait_for(watch.back.wait(), 30)
        watch.back.clear()
    stop.set()
    await asyncio.gather(*sources)
    kept = {one.event.id: one.seq for one in await store.events(EventFilter(limit=1_000_000))}
    assert kept == acknowledged
    assert (len(watch.downs), len(watch.backs)) == (kills, kills)
    assert {len(ones) for ones in (await store.deliveries_of(list(kept.values()))).values()} == {2}
    await store.aclose()


async def test_a_store_that_is_connecting_again_can_be_closed(doomed_server):
    """The server is gone, and something on its port takes connections and says nothing."""
    watch = SeenWatch()
    store = open_store(doomed_server.new_database("tocsin"), watch)
    await store.open()
    doomed_server.kill()
    with pytest.raises(StoreUnavailable):
        await store.accept([arrival("refused")])
    knocked, ended = asyncio.Event(), asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocked.set()
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", doomed_server.port):
        await asyncio.wait_for(knocked.wait(), 20)
        await asyncio.wait_for(store.aclose(), 30)
        ended.set()


async def test_no_server():
    """The sentence names the server and never the password."""
    store = open_store("postgresql://tocsin:s3cret@127.0.0.1:1/tocsin")
    with pytest.raises(StoreUnavailable, match=r"postgresql://127\.0\.0\.1:1/tocsin: .*") as raised:
        await store.open()
    assert "s3cret" not in str(raised.value)
    await store.aclose()
