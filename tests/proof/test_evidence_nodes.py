"""Two gateways share an agent and a PostgreSQL: each job is done once, by one of them at a time (clearance.md 13.2)."""

import random
import signal
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from harness.agency import Agency, Node, job_of
from harness.recordings import LENGTH_S, archive
from storekit.postgres import PostgresServer, running_server
from tests.azurite import Azurite, azurite, why_not

from tocsin.standins.clearance.ledger import GivenFile

FILES = 6
LONGEST_S = 90.0
"""Until the other node goes on: the lease of the dead one has run out by then."""
KINDS = {"mediarequest": "mp4", "thumbnail": "jpeg", "discovery": "json"}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    if why_not():
        pytest.skip(why_not())
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


def offer(agency: Agency, number: int, randomness: random.Random) -> None:
    camera = f"cam{number % 2 + 1}"
    type_ = ("mediarequest", "thumbnail", "mediarequest", "thumbnail", "discovery")[number % 5]
    if type_ != "mediarequest":
        agency.offer(type_, camera if type_ == "thumbnail" else "")
        return
    begins_s = randomness.randrange(0, (FILES - 1) * LENGTH_S, 2)
    agency.offer(type_, camera, begins_s, begins_s + randomness.choice((2, 4, 8)))


class Pair:
    """Two nodes, of which one works. `stops`: how often the one that works was killed or frozen."""

    def __init__(self, agency: Agency, nodes: list[Node]) -> None:
        self._agency = agency
        self._nodes = {node.name: node for node in nodes}
        self.stops = 0

    @property
    def works(self) -> Node:
        return self._nodes[self.done()[-1][0]]

    def done(self) -> list[tuple[str, str]]:
        """Who did something about which job, in order. To ask for jobs is to do nothing yet."""
        told = [(one.at, one.by, self._agency.asked(one)[1]) for one in self._agency.calls]
        told += [(one.at, one.by, job_of(one)) for one in self._agency.writes if one.method == "PUT"]
        return [(by, job) for _, by, job in sorted(told) if job]

    def changes(self) -> int:
        """How often one did something after the other had."""
        return sum(one != other for (one, _), (other, _) in pairwise(self.done()))

    def shares(self) -> Counter[str]:
        """How many jobs each had to do with."""
        return Counter(by for by, _ in set(self.done()))

    async def kill(self) -> None:
        """The one that works; it is started again once the other goes on."""
        node = self.works
        await node.program.kill()
        await self._other_goes_on(node)
        await node.program.start()

    async def freeze(self) -> None:
        """The same; it wakes up and does not know that time has passed."""
        node = self.works
        node.program.signal(signal.SIGSTOP)
        await self._other_goes_on(node)
        node.program.signal(signal.SIGCONT)

    async def _other_goes_on(self, node: Node) -> None:
        self.stops += 1
        assert await self._agency.until(lambda: self.works is not node, LONGEST_S), "nobody goes on"


@pytest.mark.parametrize(
    ("jobs", "kills", "freezes"),
    [
        pytest.param(20, 1, 0, id="a few", marks=pytest.mark.timeout(300)),
        pytest.param(200, 5, 3, id="many", marks=[pytest.mark.prove, pytest.mark.timeout(1800)]),
    ],
)
async def test_two_nodes_share_an_agent(
    tmp_path: Path, emulator: Azurite, postgres: PostgresServer, jobs: int, kills: int, freezes: int
) -> None:
    randomness, database = random.Random(jobs), postgres.new_database(f"nodes{jobs}")
    archive(tmp_path / "archive", 2, FILES)
    async with Agency(emulator, "token=true") as agency:
        nodes = [
            await agency.node(tmp_path, tmp_path / "archive", name=name, database=database, workers=4)
            for name in ("north", "south")
        ]
        for node in nodes:
            await node.program.start()
        for number in range(jobs):
            offer(agency, number, randomness)
        pair = Pair(agency, nodes)
        stops = [pair.kill] * kills + [pair.freeze] * freezes
        randomness.shuffle(stops)
        for number, stop in enumerate(stops, 1):
            due = jobs * number // (len(stops) + 1)
            assert await agency.until(lambda due=due: ended(agency) >= due, 900), agency.outcomes()
            await stop()
        await agency.all_ended(150 + 3 * jobs)
        print(f"\n{jobs} jobs, {kills} kills, {freezes} freezes: {dict(pair.shares())}, {pair.changes()} changes")
        assert agency.outcomes() == {job.id: ["Completed"] for job in agency.jobs}
        assert pair.changes() == pair.stops
        assert agency.problems() == []
        assert agency.beyond_the_lock() == []
        assert await agency.doubts(nodes[0], tmp_path) == ""
        assert [(job.id, looks_like(file)) for job, file in agency.files()] == [
            (job.id, KINDS[job.type]) for job in agency.jobs
        ]


def ended(agency: Agency) -> int:
    return sum(job.state == "ended" for job in agency.jobs)


def looks_like(file: GivenFile) -> str:
    return str(file.check["looks_like"])
