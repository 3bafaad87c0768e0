"""The real program killed at every step of an evidence job: each job ends once, with the files of an undisturbed run
(clearance.md 13.4).
"""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.agency import Agency, Delivered, Node, stored
from harness.recordings import archive
from tests.azurite import Azurite, azurite, why_not

from tocsin.model.evidence import Job, JobFile
from tocsin.standins.clearance.keys import Integration
from tocsin.store.evidence import JobQuery
from tocsin.store.open import open_store

SPANS = [(0, 60), (5, 125), (10, 50), (0, 140), (45, 75), (30, 135)]
"""Of the jobs, in turn, in seconds from the beginning of what is recorded; each on the next camera."""
ACROSS_THE_GAP = (100, 180)
MISSING = 7
"""The number of the file that is not there: nothing was recorded from 140 s to 160 s."""
HELD_UP_S = 0.1
STEPS = ("start", "cutting", "lock", "initialize_upload", "block", "blocklist", "complete_media", "complete")
"""What kills wait for, each in turn by chance, before they strike a moment later."""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    if why_not():
        pytest.skip(why_not())
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="module")
def integration() -> Integration:
    return Integration("proof-tenant", "proof-principal")


def offer(agency: Agency, number: int, cameras: int, jobs: int) -> None:
    """The last of them asks for what was not recorded, too."""
    begins_s, ends_s = ACROSS_THE_GAP if number == jobs - 1 else SPANS[number % len(SPANS)]
    agency.offer("mediarequest", f"cam{number % cameras + 1}", begins_s, ends_s)


async def undisturbed(agency: Agency, node: Node, cameras: int, jobs: int) -> set[Delivered]:
    for number in range(jobs):
        offer(agency, number, cameras, jobs)
    await node.program.start()
    await agency.all_ended(120 + 30 * jobs)
    return agency.delivered()


class Killing:
    """Kills in steps that a seed has drawn. `phases`: where the jobs under way were, by the journal of the dead."""

    def __init__(self, agency: Agency, node: Node, seed: int) -> None:
        self._agency = agency
        self._node = node
        self._random = random.Random(seed)
        self.phases = Counter[str]()

    async def strike(self, step: str) -> None:
        """Start it, wait for the step, kill it a moment later."""
        calls, writes = len(self._agency.calls), len(self._agency.writes)
        await self._node.program.launch()

        def there() -> bool:
            asked = [self._agency.asked(one)[0] for one in self._agency.calls[calls:]]
            over = all(job.state == "ended" for job in self._agency.jobs)
            return over or step in asked or step in map(stored, self._agency.writes[writes:]) or self._cuts(step)

        await self._agency.until(lambda: step == "start" or there(), 90)
        moment = self._random.uniform(0, 2.0 if step == "start" else 3 * HELD_UP_S)
        await self._agency.until(lambda: False, moment)
        await self._node.program.kill()
        self.phases.update(await self._found())

    def _cuts(self, step: str) -> bool:
        return step == "cutting" and any(self._node.spool.glob("*.part"))

    async def _found(self) -> list[str]:
        if not (self._node.data / "tocsin.db").exists():
            return ["before the first start was over"]
        store = open_store(str(self._node.data / "tocsin.db"))
        await store.open()
        try:
            jobs = await store.open_jobs("city")
            return [phase(job, await store.job_files(job.id)) for job in jobs] or ["before a lock"]
        finally:
            await store.aclose()

    def forget(self) -> None:
        """Now and then a lock runs out while nobody is there."""
        locked = [job for job in self._agency.jobs if job.state == "locked"]
        if locked and self._random.random() < 0.15:
            self._agency.registry.ledger.expire(self._random.choice(locked).id)
            self.phases["(its lock ran out meanwhile)"] += 1


def phase(job: Job, files: list[JobFile]) -> str:
    """Of a job under way."""
    if job.state not in ("locked", "fetching"):
        return {"locking": "during lock", "seen": "during lock", "ending": "during complete"}.get(job.state, job.state)
    file = next((one for one in files if one.attempt == job.attempt and one.state not in ("done", "abandoned")), None)
    if file is None:
        return "between lock and plan" if job.state == "locked" else "between the last file and complete"
    if file.state == "init":
        return "before InitializeUpload was kept" if file.spool else "cutting"
    return {"uploading": "uploading", "commit_sent": "during the commit", "committed": "after the commit"}[file.state]


@pytest.mark.parametrize(
    ("jobs", "kills", "again"),
    [
        pytest.param(2, 4, "other", id="a few", marks=pytest.mark.timeout(300)),
        pytest.param(12, 45, "same", id="many", marks=[pytest.mark.prove, pytest.mark.timeout(1800)]),
    ],
)
async def test_jobs_survive_kills(
    tmp_path: Path, emulator: Azurite, integration: Integration, jobs: int, kills: int, again: str
) -> None:
    cameras = max(jobs // 3, 1)
    archive(tmp_path / "archive", cameras, 10, missing=(MISSING,))
    async with Agency(emulator, integration=integration) as agency:
        calm = await agency.node(tmp_path, tmp_path / "archive", name="calm")
        wanted = await undisturbed(agency, calm, cameras, jobs)

    async with Agency(emulator, f"again={again}", integration=integration, pause_s=held_up) as agency:
        node = await agency.node(tmp_path, tmp_path / "archive")
        killing = Killing(agency, node, seed=kills)
        steps = list(STEPS) * (kills // len(STEPS) + 1)
        random.Random(kills).shuffle(steps)
        for number, step in enumerate(steps[:kills]):
            while len(agency.jobs) < min(jobs, 2 + number * jobs // kills):
                offer(agency, len(agency.jobs), cameras, jobs)
            await killing.strike(step)
            killing.forget()
        while len(agency.jobs) < jobs:
            offer(agency, len(agency.jobs), cameras, jobs)
        await node.program.start()
        await agency.all_ended(150 + 60 * jobs)
        print(f"\n{kills} kills, {jobs} jobs, {len(wanted)} files: {dict(killing.phases.most_common())}")
        await proved(agency, node, wanted, tmp_path)


def held_up(what: str) -> float:
    return HELD_UP_S if what not in ("read", "renew", "update", "get_jobs") else 0.0


async def proved(agency: Agency, node: Node, wanted: set[Delivered], folder: Path) -> None:
    *whole, gap = agency.jobs
    assert agency.outcomes() == {**{job.id: ["Completed"] for job in whole}, gap.id: ["PartiallyCompleted"]}
    assert agency.delivered() == wanted
    assert agency.problems() == []
    assert agency.beyond_the_lock() == []
    assert await agency.doubts(node, folder) == ""
    assert node.left_in_spool() == []
    await node.program.kill()
    await of_one_attempt_each(agency, node)


async def of_one_attempt_each(agency: Agency, node: Node) -> None:
    """No blob has a block of another attempt than the one that the journal has for it, if it still knows."""
    known = {file.upload.file_id: file.upload.tag for file in await journal(node) if file.upload}
    several = 0
    for _, file in agency.files():
        tags = {name[:8] for name in agency.emulator.block_ids(file.blob)}
        several += bool(tags)
        assert len(tags) <= 1
        assert tags <= {known.get(file.id, next(iter(tags), b""))}
    assert several, "blobs of several blocks"


async def journal(node: Node) -> list[JobFile]:
    """All files of all jobs, once the program is dead."""
    store = open_store(str(node.data / "tocsin.db"))
    await store.open()
    try:
        return [file for job in await store.jobs(JobQuery("city", limit=200)) for file in await store.job_files(job.id)]
    finally:
        await store.aclose()
