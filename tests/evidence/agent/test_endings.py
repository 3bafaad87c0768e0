"""How jobs end: what is there, what is not, and what never made sense (clearance.md 7.3)."""

import pytest
from agentkit.recordings import at, span

from tocsin.evidence.contracts import Impossible, NotNow
from tocsin.evidence.discovery_job import DeviceList
from tocsin.store.evidence import JobQuery
from tocsin.telemetry.occurrences import Trouble


@pytest.fixture
def at_once(monkeypatch):
    """What failed is not left to others."""
    monkeypatch.setattr("tocsin.evidence.jobs.choosing.HOLD_OFF_S", (0.0,))


async def test_gaps_and_segments_that_fail_for_good_make_it_partial(scene):
    one = await scene()
    one.recordings.held["cam"] = [span(10, 40), span(60, 100)]
    one.recordings.faults = [Impossible("the file is damaged")]
    job = one.post("mediarequest", "cam", at(0), at(100))
    async with one.working():
        assert await one.job_ended(job) == "partial"
    assert (job.outcome, job.message) == ("PartiallyCompleted", "the file is damaged")
    assert [file.name for file in job.files] == ["Camera_cam_20260304T080100Z_40s.mp4"]
    assert one.problems() == []


async def test_what_was_recorded_of_the_request_is_delivered_as_part_of_it(scene):
    one = await scene()
    one.recordings.held["cam"] = [span(10, 40)]
    job = one.post("mediarequest", "cam", at(0), at(100))
    async with one.working():
        assert await one.job_ended(job) == "partial"
    assert job.message == "not everything of it was recorded"
    assert job.files[0].said["start"] == "2026-03-04T08:00:10.000000Z"


async def test_nothing_recorded_unknown_camera_and_one_that_is_not_shared_fail(scene):
    one = await scene()
    one.recordings.held |= {"cam": [], "hidden": [span(0, 100)]}
    jobs = {name: one.post("mediarequest", name, at(0), at(100)) for name in ("cam", "nobody", "hidden")}
    jobs["thumb"] = one.post("thumbnail", "hidden")
    async with one.working():
        for job in jobs.values():
            assert await one.job_ended(job) == "failed"
    said = {name: (job.outcome, job.message) for name, job in jobs.items()}
    unknown = ("Failed", "unknown device")
    assert said == {"cam": ("Failed", "no recording"), "nobody": unknown, "hidden": unknown, "thumb": unknown}


async def test_a_job_that_never_makes_sense_is_cancelled(scene):
    one = await scene()
    one.recordings.held["cam"] = [span(0, 100)]
    job = one.post("mediarequest", "cam", at(100), at(0))
    async with one.working():
        assert await one.job_ended(job) == "cancelled"
    assert (job.state, job.message) == ("cancelled", "its end is not after its start")


async def test_a_recorder_that_is_away_makes_it_released_and_left_alone_for_a_while(scene):
    one = await scene()
    one.recordings.away = True
    job = one.media_request(100)
    async with one.working():
        assert await one.job_ended(job) == "released"
        polls = len(one.requests("get_jobs"))
        await one.until(lambda: len(one.requests("get_jobs")) > polls + 3)
    assert (job.state, job.locks) == ("available", 1)
    (kept,) = await one.store.jobs(JobQuery("city"))
    assert (kept.state, kept.failures) == ("released", 1)
    assert kept.hold_off_until > one.clock.now()


async def test_the_fifth_failure_is_the_last(scene, at_once):
    one = await scene()
    one.recordings.away = True
    job = one.media_request(100)
    async with one.working():
        await one.job_ended(job, 5)
    assert (job.state, job.outcome, job.message, job.locks) == ("ended", "Failed", "the recorder cannot be reached", 5)


async def test_a_recorder_that_goes_away_in_the_middle_is_asked_again(scene, monkeypatch):
    monkeypatch.setattr("tocsin.evidence.media_request.PAUSES_S", (0.0, 0.0))
    one = await scene()
    one.recordings.faults = [NotNow("cut off"), NotNow("cut off")]
    job = one.media_request(120)
    async with one.working():
        assert await one.job_ended(job) == "completed"
    assert len(one.recordings.asked) == 4


async def test_a_discovery_that_lists_nothing_or_suspiciously_little_is_put_off(scene, at_once):
    one = await scene()
    one.listed = DeviceList(b'{"devices":[]}', 0)
    job = one.post("discovery", "")
    async with one.working() as agent:
        assert await one.job_ended(job) == "released"
        one.listed = DeviceList(b'{"devices":[1]}', 10)
        await one.until(lambda: job.state == "ended")
        assert job.outcome == "Completed"
        one.listed = DeviceList(b'{"devices":[2]}', 6)
        less = one.post("discovery", "")
        assert await one.job_ended(less) == "released"
        agent.accept_shrink()
        await one.until(lambda: less.state == "ended")
        assert less.outcome == "Completed"
    said = [occurrence.text for occurrence in one.occurrences if isinstance(occurrence, Trouble)]
    assert {text[:20] for text in said} == {"no camera is shared:", "6 devices are there,"}
