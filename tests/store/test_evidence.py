"""Jobs of evidence registries: job, files and custody lines in one transaction, fenced by the agent's lease."""

import asyncio

import pytest
from msgspec import Raw
from msgspec.structs import replace
from storekit.values import at

from tocsin.model.evidence import CustodyLine, Job, JobFile, SourceIdentity, Upload
from tocsin.store.contract import Retention
from tocsin.store.evidence import CustodyBroken, JobQuery, Superseded
from tocsin.store.open import open_store

JOB = Job("J1", "city", "r-\0 1", "mediarequest", "locked", at(0), at(1), "cam", at(2), at(3), Raw(b'{"x":"\\u0000"}'))
UPLOAD = Upload("f1", "https://x/?sig=1", "k", b"\0\xff", b"w", b"i" * 16, b"t" * 8, 64, SourceIdentity(1, 2, 3), at(4))
FILE = JobFile("J1", 1, 1, "a.mp4", "video/mp4", "uploading", upload=UPLOAD)


def line(number, text="{}", agent="city", seconds=1.0):
    return CustodyLine(agent, number, at(seconds), text, f"{number:064x}" if text == "{}" else "f" * 64)


async def test_what_is_kept_is_seen_by_another_node(store, place):
    await store.keep_job(JOB, [FILE], [line(1), line(2)])
    other = open_store(place)
    await other.open()
    assert await other.job("J1") == JOB
    assert bytes((await other.job("J1")).received) == b'{"x":"\\u0000"}'
    assert await other.job_known("city", "r-\0 1") == JOB
    assert list(await other.job_files("J1")) == [FILE]
    assert list(await other.open_jobs("city")) == [JOB]
    assert await other.last_custody("city") == line(2)
    assert list(await other.custody("city", after=1)) == [line(2)]
    assert (await other.job("J2"), await other.job_known("town", "r-\0 1"), await other.last_custody("town")) == (
        None,
    ) * 3
    await other.aclose()


async def test_a_file_alone_overwrites_only_itself(store):
    await store.keep_job(JOB, [FILE, replace(FILE, number=2), replace(FILE, attempt=2)])
    later = replace(FILE, state="uploading", upload=replace(UPLOAD, next=7, chain=b"c" * 16))
    await store.keep_file(later)
    assert list(await store.job_files("J1")) == [later, replace(FILE, number=2), replace(FILE, attempt=2)]


async def test_lists(store):
    for n, state in enumerate(("seen", "ended", "fetching", "released", "ended")):
        await store.keep_job(replace(JOB, id=f"J{n}", registry_id=f"r{n}", state=state))
    await store.keep_job(replace(JOB, id="J9", agent="town"))
    assert [job.id for job in await store.jobs(JobQuery())] == ["J9", "J4", "J3", "J2", "J1", "J0"]
    assert [job.id for job in await store.jobs(JobQuery("city", limit=2))] == ["J4", "J3"]
    assert [job.id for job in await store.jobs(JobQuery("city", before="J3", limit=2))] == ["J2", "J1"]
    assert [job.id for job in await store.jobs(JobQuery(state="ended"))] == ["J4", "J1"]
    assert [job.id for job in await store.open_jobs("city")] == ["J0", "J2"]


async def test_a_gap_or_another_line_in_the_custody_log_writes_nothing(store):
    await store.keep_job(JOB, [], [line(1)])
    for wrong in (line(3), line(1, "other")):
        with pytest.raises(CustodyBroken):
            await store.keep_job(replace(JOB, state="ended"), [FILE], [wrong])
    assert (await store.job("J1")).state == "locked"
    assert list(await store.job_files("J1")) == []


async def test_a_repeat_after_a_lost_answer_is_no_second_line(store):
    await store.keep_job(JOB, [], [line(1), line(2)])
    await store.keep_job(replace(JOB, state="ended"), [], [line(1), line(2), line(3)])
    assert [one.number for one in await store.custody("city")] == [1, 2, 3]
    assert (await store.job("J1")).state == "ended"


async def test_of_two_nodes_that_write_the_same_number_one_fails(place):
    nodes = [open_store(place) for _ in range(2)]
    for node in nodes:
        await node.open()
    lines = [CustodyLine("city", 1, at(1), f'{{"n":{n}}}', f"{n:064x}") for n in range(6)]
    keeping = [nodes[n % 2].keep_job(replace(JOB, id=f"J{n}"), [], [one]) for n, one in enumerate(lines)]
    answers = await asyncio.gather(*keeping, return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["CustodyBroken"] * 5 + ["NoneType"]
    assert len(await nodes[0].custody("city")) == 1
    assert len(await nodes[1].jobs(JobQuery())) == 1
    for node in nodes:
        await node.aclose()


async def test_who_has_lost_the_lease_writes_nothing(store):
    old = await store.claim("evidence/city", "n1", 2, at(0))
    await store.keep_job(JOB, [FILE], lease=old)
    new = await store.claim("evidence/city", "n2", 2, at(3))
    for writing in (
        store.keep_job(replace(JOB, state="ended"), [], [line(1)], old),
        store.keep_file(replace(FILE, state="done"), old),
    ):
        with pytest.raises(Superseded):
            await writing
    assert (await store.job("J1")).state == "locked"
    assert [file.state for file in await store.job_files("J1")] == ["uploading"]
    assert await store.last_custody("city") is None
    await store.keep_file(replace(FILE, state="done"), new)
    assert [file.state for file in await store.job_files("J1")] == ["done"]


def before(audit, custody=None):
    return Retention(at(-1), at(-1), at(-1), at(audit), None if custody is None else at(custody))


async def test_closed_jobs_go_with_the_audit_and_open_ones_never(store):
    for n in range(6):
        state = "fetching" if n == 1 else "ended"
        await store.keep_job(replace(JOB, id=f"J{n}", state=state, updated_at=at(n)), [replace(FILE, job_id=f"J{n}")])
    assert await store.prune(before(4.5), 3) == 3
    assert await store.prune(before(4.5), 3) == 1
    assert [job.id for job in await store.jobs(JobQuery())] == ["J5", "J1"]
    assert [len(await store.job_files(f"J{n}")) for n in range(6)] == [0, 1, 0, 0, 0, 1]


async def test_a_custody_log_loses_its_oldest_lines_and_never_the_last(store):
    """A clock that was set back makes no gap."""
    seconds = [1, 9, 2, 3, 10]
    await store.keep_job(JOB, [], [line(n, seconds=at_s) for n, at_s in enumerate(seconds, 1)])
    await store.keep_job(JOB, [], [line(1, agent="town", seconds=1), line(2, agent="town", seconds=1)])
    assert await store.prune(before(-1), 100) == 0
    assert await store.prune(before(-1, 5), 100) == 2
    assert [one.number for one in await store.custody("city")] == [2, 3, 4, 5]
    assert [one.number for one in await store.custody("town")] == [2]
    assert await store.prune(before(-1, 99), 2) == 2
    assert await store.prune(before(-1, 99), 2) == 1
    assert [one.number for one in await store.custody("city")] == [5]
    await store.keep_job(JOB, [], [line(6)])
