"""A process that ends, another node that goes on, permissions that run out: nothing is lost, nothing done twice
(clearance.md 13.2 to 13.4).
"""

import asyncio
import hashlib
import json

import pytest
from agentkit.recordings import at, content, span

from tocsin.evidence.custody import lines_of, verify
from tocsin.standins.blobs import Fault
from tocsin.store.evidence import JobQuery, Superseded


def faults(lines):
    return verify(lines_of(line.text for line in lines), lines[-1].sha256).faults


async def test_what_was_under_way_goes_on_where_the_journal_stands(scene):
    one = await scene()
    one.recordings.bytes_per_s = 300_000
    one.blobs.switches.lasting["blocklist"] = Fault(kind="busy")
    job = one.media_request(50)
    async with one.working():
        await one.until(lambda: [line for line in one.stored if line["request"] == "PUT blocklist"])
    one.blobs.switches.lasting.clear()
    blocks = len([line for line in one.stored if line["request"] == "PUT block"])
    async with one.working():
        assert await one.job_ended(job) == "completed"
    assert len([line for line in one.stored if line["request"] == "PUT block"]) == blocks
    assert job.files[0].check["sha256"] == hashlib.sha256(content("cam", span(0, 50), 300_000)).hexdigest()
    assert (job.locks, len(job.files), len(one.recordings.asked)) == (1, 1, 1)


@pytest.mark.parametrize("how", ["silent", "hang"])
@pytest.mark.parametrize("call", ["lock", "initialize_upload", "complete_media", "complete"])
async def test_stopped_at_any_call_it_is_done_once(scene, call, how):
    """Whether the registry has carried it out is not known: it hangs, or it never began."""
    one = await scene()
    one.fault(f"{call}={how}*1")
    job = one.media_request(110)
    async with one.working():
        await one.until(lambda: one.requests(call))
    async with one.working():
        assert await one.job_ended(job) == "completed"
    assert (job.outcome, job.locks) == ("Completed", 1)
    assert [file.completed for file in job.files if file.completed] == [True, True]
    (kept,) = await one.store.jobs(JobQuery())
    assert (kept.state, kept.attempt) == ("ended", 1)


async def test_a_job_that_is_gone_after_the_restart_is_lost_and_its_keys_with_it(scene):
    one = await scene()
    one.recordings.bytes_per_s = 300_000
    one.blobs.switches.lasting["block"] = Fault(kind="busy")
    job = one.media_request(50)
    async with one.working():
        await one.until(lambda: one.stored)
    (kept,) = await one.store.jobs(JobQuery())
    assert (await one.store.job_files(kept.id))[0].upload.sealed_key
    one.registry.ledger.withdraw(job.id)
    async with one.working():
        assert await one.job_ended(job) == "lost"
    assert [file.upload for file in await one.store.job_files(kept.id)] == [None]


async def test_an_attempt_that_was_lost_leaves_nothing_once_another_one_has_ended_the_job(scene):
    one = await scene()
    one.blobs.switches.lasting["blob"] = Fault(kind="busy")
    job = one.media_request(50)
    async with one.working():
        await one.until(lambda: one.stored)
    one.registry.ledger.expire(job.id)
    one.blobs.switches.lasting.clear()
    async with one.working():
        assert await one.job_ended(job, times=2) == "completed"
    assert (job.locks, len(one.recordings.asked)) == (2, 1), "the second attempt took over what the first had fetched"
    assert list((one.folder / "spool-city").iterdir()) == []


async def test_let_go_at_the_stop_another_agent_may_have_it_at_once(scene):
    one = await scene()
    async with one.fetching(on_stop="release") as job:
        pass
    assert (job.state, job.message) == ("available", "the gateway stops")
    (kept,) = await one.store.jobs(JobQuery())
    assert (kept.state, kept.failures) == ("released", 0)


async def test_two_nodes_never_work_on_one_registry_at_once(scene):
    one = await scene()
    async with one.working("first") as first:
        await one.until(lambda: one.requests("get_jobs"))
        async with one.working("second") as second:
            jobs = [one.media_request(50) for _ in range(3)]
            for job in jobs:
                assert await one.job_ended(job) == "completed"
            assert (await first.status()).state == "asking"
            assert (await second.status()).state == "elsewhere"
            assert [job.locks for job in jobs] == [1, 1, 1]
            await first.aclose()
            await one.until(lambda: second._parts.keeper.lease is not None)
            late = one.media_request(50)
            assert await one.job_ended(late) == "completed"


async def test_a_node_that_does_not_work_for_the_agent_asks_the_registry_for_nothing(scene):
    one = await scene()
    agent = one.agent()
    with pytest.raises(Superseded, match="get_jobs was not sent"):
        await agent._parts.lock.client.jobs()
    assert one.requests("get_jobs") == []
    await agent.aclose()


async def test_two_registries_in_one_process_do_not_disturb_each_other(scene):
    one = await scene()
    jobs = [one.media_request(50) for _ in range(8)]
    async with one.working(), one.working("other", name="town"):
        await one.until(lambda: [outcome for _, outcome in one.ended()].count("completed") == 8)
    assert [job.locks for job in jobs] == [1] * 8
    done = await one.store.jobs(JobQuery(state="ended"))
    assert len(done) == 8
    for agent in ("city", "town"):
        assert faults(await one.store.custody(agent)) == ()


async def test_a_permission_that_runs_out_is_renewed_for_the_same_blob(scene):
    one = await scene("sas_s=3", "again=same")
    one.recordings.bytes_per_s = 400_000
    one.blobs.switches.lasting["block"] = Fault(delay_s=1.2)
    job = one.media_request(50)
    async with one.working(upload={"per_file": 1}):
        assert await one.job_ended(job) == "completed"
    assert len(job.files) == 1
    assert len(one.requests("initialize_upload")) > 1
    assert job.files[0].check["sha256"] == hashlib.sha256(content("cam", span(0, 50), 400_000)).hexdigest()


async def test_another_blob_makes_a_new_file_and_too_slow_a_link_shorter_ones(scene):
    one = await scene("sas_s=3")
    one.recordings.bytes_per_s = 100_000
    one.blobs.switches.lasting["block"] = Fault(delay_s=0.6)
    job = one.media_request(240)
    async with one.working(upload={"per_file": 1}, segment=240.0):
        assert await one.job_ended(job) == "completed"
    done = [file for file in job.files if file.completed]
    assert len(done) > 1
    assert sum(file.check["size"] - 8 for file in done) == 240 * 100_000
    assert len(job.files) > len(done), "what could not be finished is left alone"


async def test_the_custody_log_tells_the_whole_way_without_secrets(scene):
    one = await scene()
    one.recordings.held["cam"] = [span(0, 30)]
    job = one.registry.ledger.post("mediarequest", "cam", at(0).isoformat(), at(30).isoformat(), approved_by="eva")
    async with one.working():
        assert await one.job_ended(job) == "completed"
    lines = await one.store.custody("city")
    assert faults(lines) == ()
    said = [json.loads(line.text) for line in lines]
    told = ["locked", "recording fetched", "file stored", "file delivered", "ended"]
    assert [line["event"] for line in said] == told
    delivered = said[3]
    assert delivered["sha256"] == job.files[0].check["sha256"]
    assert delivered["cipher_sha256"] == job.files[0].check["sha256_cipher"]
    assert (delivered["file_id"], delivered["approved_by"]) == (job.files[0].id, "eva")
    assert said[2]["blob"].endswith(job.files[0].blob)
    assert said[1]["origin"] == "recorder of cam"
    assert "sig=" not in "".join(line.text for line in lines)


async def test_progress_never_falls_and_reaches_the_end_only_with_it(scene):
    one = await scene("lock_s=20")
    one.recordings.bytes_per_s = 500_000
    one.blobs.switches.lasting["block"] = Fault(delay_s=2.0)
    job = one.media_request(50)
    async with one.working(upload={"per_file": 1}):
        assert await one.job_ended(job) == "completed"
    told = [line["progress"] for line in one.requests("update")]
    assert told == sorted(told)
    assert told
    assert max(told) <= 980
    assert one.problems() == []


async def test_a_reload_lets_go_of_nothing(scene):
    """Whatever `on_stop` says: the same agent goes on a moment later."""
    one = await scene()
    one.recordings.gate.clear()
    job = one.media_request(50)
    async with one.working(on_stop="release") as agent:
        await one.until(lambda: one.recordings.asked)
        await agent.stop(for_good=False)
        assert (job.state, one.requests("release")) == ("locked", [])
        one.recordings.gate.set()
        assert await one.job_ended(job) == "completed"


async def test_a_lock_that_has_ended_is_not_given_back_at_the_stop(scene):
    """It may be another's by now."""
    one = await scene("lock_s=60")
    async with one.fetching(on_stop="release"):
        one.fault("renew=503")
        one.boot_ahead_s = 3600.0
    assert one.requests("release") == []


async def test_paused_between_two_locks_it_asks_for_no_second_one(scene):
    one = await scene()
    one.fault("lock=late:1*1")
    jobs = [one.media_request(30), one.media_request(30)]
    async with one.working(workers=2) as agent:
        while not (await agent.status()).unsettled:  # nobody may believe that nothing is under way
            await asyncio.sleep(0.01)
        agent.pause()
        await one.until(one.ended)
    assert sorted(job.locks for job in jobs) == [0, 1]
