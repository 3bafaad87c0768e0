"""Locks: renewed beside the work, fenced in time, lost, taken by others, withdrawn by people (9.2, 13)."""

import random
from types import SimpleNamespace

import pytest

from tocsin.evidence.contracts import Fenced
from tocsin.evidence.locking import JobLock, LockParts
from tocsin.evidence.registry.client import Granted
from tocsin.standins.blobs import Fault
from tocsin.store.evidence import JobQuery, Superseded
from tocsin.telemetry.occurrences import LockFenced, LockRenewed


async def test_a_lock_of_ten_seconds_outlives_a_block_of_fifteen(scene):
    one = await scene("lock_s=4")
    one.blobs.switches.lasting["blob"] = Fault(delay_s=6.0)
    job = one.media_request(30)
    async with one.working():
        await one.until(lambda: job.state == "locked" and one.stored)
        one.blobs.switches.lasting.clear()
        assert await one.job_ended(job) == "completed"
    assert job.locks == 1
    assert any(isinstance(occurrence, LockRenewed) for occurrence in one.occurrences)


async def test_with_renewals_refused_nothing_is_written_after_the_fence(scene):
    one = await scene("lock_s=3")
    one.fault("renew=503")
    async with one.fetching(poll_interval=60.0) as job:
        assert await one.job_ended(job) == "lost"
        until = one.requests("lock")[0]["until"]
        one.recordings.gate.set()
    assert one.stored == []
    assert [line for line in one.told if line["request"] in ("initialize_upload", "complete_media", "complete")] == []
    fenced = [occurrence for occurrence in one.occurrences if isinstance(occurrence, LockFenced)]
    assert [(each.agent, each.job) for each in fenced] == [("city", job.id)]
    assert until


async def test_a_machine_that_was_suspended_writes_nothing_when_it_wakes(scene):
    """The lock's deadline is over on waking: the first thing asked is the clock that counted the sleep."""
    one = await scene("lock_s=60")
    async with one.fetching(poll_interval=60.0) as job:
        one.fault("renew=409")
        one.boot_ahead_s = 3600.0
        one.recordings.gate.set()
        assert await one.job_ended(job) == "lost"
    assert one.requests("initialize_upload") == []


async def test_a_late_renewal_that_succeeds_lets_the_work_go_on(scene):
    """The registry never gave the job away (13.1)."""
    one = await scene("lock_s=60")
    async with one.fetching(poll_interval=60.0) as job:
        one.boot_ahead_s = 3600.0
        await one.until(lambda: one.requests("renew"))
        one.recordings.gate.set()
        assert await one.job_ended(job) == "completed"
    assert job.locks == 1


async def test_a_job_that_people_withdraw_stops_and_leaves_nothing(scene):
    one = await scene("lock_s=2")
    job = one.media_request(120)
    one.fault("initialize_upload=withdraw*1+1")
    async with one.working():
        assert await one.job_ended(job) == "withdrawn"
    assert [file.completed for file in job.files] == [True]
    assert list((one.folder / "spool-city").iterdir()) == []
    (kept,) = await one.store.jobs(JobQuery("city"))
    files = await one.store.job_files(kept.id)
    assert (kept.state, kept.failures) == ("lost", 0)
    assert [file.upload for file in files if file.state == "abandoned"] == [None]


async def test_withdrawn_while_the_recorder_works_is_seen_by_the_renewal(scene):
    one = await scene("lock_s=2")
    async with one.fetching() as job:
        one.registry.ledger.withdraw(job.id)
        assert await one.job_ended(job) == "withdrawn"
    assert one.stored == []


async def test_another_agent_was_faster(scene):
    one = await scene()
    one.fault("lock=steal*1")
    job = one.media_request(30)
    async with one.working():
        assert await one.job_ended(job) == "refused"
    assert job.locked_by == "another agent"


async def test_a_lock_whose_answer_was_lost_is_found_to_be_ours(scene):
    one = await scene()
    one.fault("lock=lost*1")
    job = one.media_request(30)
    async with one.working():
        assert await one.job_ended(job) == "completed"
    assert (job.locks, len(one.requests("lock"))) == (1, 1)


async def test_an_agent_without_answer_to_its_lock_takes_the_job_when_it_is_still_on_offer(scene):
    one = await scene()
    one.fault("lock=close*1")
    job = one.media_request(30)
    async with one.working():
        assert await one.job_ended(job) == "completed"
    assert len(one.requests("lock")) == 2


async def test_lost_answers_to_completions_are_settled(scene):
    one = await scene()
    one.fault("complete_media=lost*1")
    one.fault("complete=lost*1")
    job = one.media_request(30)
    async with one.working():
        assert await one.job_ended(job) == "completed"
    assert (job.state, [file.completed for file in job.files]) == ("ended", [True])
    assert [line["status"] for line in one.requests("complete_media")] == [0, 409]


OTHER_WAYS = (
    ("expiry=absent", "list=object", "spelling=second"),
    ("expiry=null", "token=true", "case=upper", "spelling=last"),
    ("date=false", "extra=false", "unknown=false", "case=lower"),
    ("ahead_s=7200", "refused=403", "gone=410", "lock_s=30"),
)


@pytest.mark.parametrize("assumed", OTHER_WAYS)
async def test_assumptions_the_other_way(scene, assumed):
    one = await scene(*assumed)
    job = one.media_request(30)
    async with one.working():
        assert await one.job_ended(job) == "completed"


class Holder:
    """A lock of a minute's length, its node's clock and lease, and what is recorded."""

    def __init__(self):
        self.now, self.owned, self.told = 0.0, True, []
        holding = SimpleNamespace(job=SimpleNamespace(registry_id="job-1"))
        around = (lambda: self.now, random.Random(1), self.told.append, "city", lambda: self.owned)
        self.lock = JobLock(holding, Granted(0.0, 60.0, ""), LockParts(None, None, *around))


def test_a_node_that_was_frozen_writes_nothing_where_another_one_works_now():
    holder = Holder()
    holder.lock.fence()
    holder.owned = False
    with pytest.raises(Superseded, match="city"):
        holder.lock.fence()
    holder.owned = True
    holder.lock.fence()


def test_whoever_comes_to_the_fence_first_it_is_told_once():
    holder = Holder()
    holder.now = 53.9
    holder.lock.fence()
    holder.now = 54.0
    for _ in range(2):
        with pytest.raises(Fenced, match="not renewed in time"):
            holder.lock.fence()
    assert holder.told == [LockFenced("city", "job-1")]
