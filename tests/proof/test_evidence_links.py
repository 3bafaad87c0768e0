"""The real program with an evidence agent between links that break: every job ends once, and nothing is written once
its lock may be another's (clearance.md 9.2, 13.1, 18.5, 18.6).
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.agency import Agency, Node, stored
from harness.faults import CLEAN, Fault, Leg, Then
from harness.front import Request
from harness.recordings import archive
from tests.azurite import Azurite, azurite, why_not

from tocsin.standins.clearance.switches import read_fault

MIB = 1024 * 1024
SPANS = [(0, 60), (5, 125), (10, 50), (45, 75), (30, 135), (0, 140)]
ANSWERED_BADLY = (
    *("lock=lost*1", "complete=lost*1+1", "complete_media=lost*1", "initialize_upload=lost*1", "renew=lost*1"),
    *("*=503*2+5", "*=500*2+8", "complete=500*1", "complete_media=503*2+1", "get_jobs=429:1*1+1", "update=500*2"),
)
ANSWERED_NEVER = ("renew=hang*1", "complete_media=hang*1+2", "complete=silent*1+2", "initialize_upload=silent*1+3")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    if why_not():
        pytest.skip(why_not())
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


def any_fault(randomness: random.Random, most_bytes: int, ends: tuple[Then, ...]) -> Fault:
    """Ends a connection on the way there, or after an answer or two on the way back."""
    then, delay_s = randomness.choice(ends), randomness.choice((0.0, 0.0, 0.01))
    if randomness.random() < 0.6:
        return Fault(up=Leg(randomness.randint(0, most_bytes), then, delay_s))
    return Fault(down=Leg(randomness.randint(0, 1500), then, delay_s))


def break_links(node: Node, connections: int, randomness: random.Random, ends: tuple[Then, ...]) -> None:
    """The next connections of each link."""
    for proxy, most_bytes in ((node.to_registry, 4000), (node.to_storage, 6 * MIB)):
        proxy.script(*(any_fault(randomness, most_bytes, ends) for _ in range(connections)), CLEAN)


def now_and_then(randomness: random.Random) -> "dict[str, list[str]]":
    """What the storage's answers meet, by kind of request."""
    fates = {"block": ["busy"] * 4 + ["lost"] * 4 + [""] * 20, "blocklist": ["lost", "busy", "", "", ""]}
    for each in fates.values():
        randomness.shuffle(each)
    return fates


@pytest.mark.parametrize(
    ("jobs", "connections", "outages"),
    [
        pytest.param(3, 4, 0, id="a few", marks=pytest.mark.timeout(300)),
        pytest.param(8, 12, 2, id="many", marks=[pytest.mark.prove, pytest.mark.timeout(1800)]),
    ],
)
async def test_jobs_end_over_bad_links(
    tmp_path: Path, emulator: Azurite, jobs: int, connections: int, outages: int
) -> None:
    randomness = random.Random(jobs)
    archive(tmp_path / "archive", 2, 7)
    fates = now_and_then(randomness)

    def fate(write: Request) -> str:
        planned = fates.get(stored(write))
        return planned.pop() if planned else ""

    slow = 0.4 if outages else 0.0
    async with Agency(emulator, "lock_s=12", pause_s=lambda what: slow if what == "block" else 0.0) as agency:
        node = await agency.node(tmp_path, tmp_path / "archive", faulty=True, fate=fate)
        ends: tuple[Then, ...] = ("close", "reset", "half-close", *(("black hole",) if outages else ()))
        break_links(node, connections, randomness, ends)
        told = ANSWERED_BADLY + (ANSWERED_NEVER if outages else ())
        agency.registry.faults += [read_fault(one) for one in told]
        for number in range(jobs):
            agency.offer("mediarequest", f"cam{number % 2 + 1}", *SPANS[number % len(SPANS)])
        await node.program.start()
        for _ in range(outages):
            await outage(agency, node)
        await agency.all_ended(60 + 60 * jobs)
        lost = sum(job.locks - 1 for job in agency.jobs)
        broken = len(node.to_registry.connections) + len(node.to_storage.connections)
        print(f"\n{jobs} jobs, {broken} connections, {outages} outages, {lost} locks lost, {len(agency.writes)} writes")
        assert agency.outcomes() == {job.id: ["Completed"] for job in agency.jobs}
        assert agency.beyond_the_lock() == []
        assert agency.problems() == []
        assert lost >= outages
        assert broken > 2 * connections
        unmet = [one for one in agency.registry.faults if one.times > 0]
        assert len(unmet) <= (0 if outages else 2), "few jobs need too few calls to meet every fault"
        assert await agency.doubts(node, tmp_path) == ""
        assert node.left_in_spool() == []


async def outage(agency: Agency, node: Node) -> None:
    """The registry cannot be reached for longer than locks last, from the middle of an upload on."""
    writes = len(agency.writes)
    assert await agency.until(lambda: any(stored(one) == "block" for one in agency.writes[writes:]), 600)
    await node.to_registry.refuse()
    held = [job for job in agency.jobs if job.state == "locked"]
    assert await agency.until(lambda: all(job in agency.registry.ledger.available() for job in held), 60)
    await node.to_registry.listen()
