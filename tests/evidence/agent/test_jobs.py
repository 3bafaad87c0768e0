"""Jobs from the registry's list to their end, over real sockets."""

import hashlib

from agentkit.recordings import content, span


async def test_a_media_request_is_delivered_whole(scene):
    one = await scene()
    job = one.media_request(150)
    async with one.working():
        assert await one.job_ended(job) == "completed"
    assert (job.state, job.outcome, len(job.files)) == ("ended", "Completed", 3)
    assert [file.check["sha256"] for file in job.files] == [
        hashlib.sha256(content("cam", span(n * 50, n * 50 + 50), 1000)).hexdigest() for n in range(3)
    ]
    assert job.files[0].name == "Camera_cam_20260304T080000Z_50s.mp4"
    assert one.problems() == []
    assert [path.name for path in (one.folder / "spool-city").iterdir()] == []


async def test_discovery_and_thumbnail(scene):
    one = await scene()
    one.recordings.held["cam"] = []
    jobs = [one.post("thumbnail"), one.post("discovery", "")]
    async with one.working():
        assert [await one.job_ended(job) for job in jobs] == ["completed", "completed"]
    assert [job.files[0].check["looks_like"] for job in jobs] == ["jpeg", "json"]
    assert one.problems() == []
