"""Jobs from the registry's list to their end, over real sockets."""

import hashlib
import json

from agentkit.recordings import content, span

from tocsin import __version__


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


async def test_the_custody_log_says_all_that_can_be_asked_for_later(scene):
    """clearance.md 14, field by field."""
    one = await scene()
    job = one.media_request(50, approved_by="Officer Tamm")
    async with one.working():
        assert await one.job_ended(job) == "completed"
    told = [json.loads(line.text) for line in await one.store.custody("city")]
    assert [line["event"] for line in told] == ["locked", "recording fetched", "file stored", "file delivered", "ended"]
    for line in told:
        assert (line["job"], line["type"], line["device"]) == (job.id, "mediarequest", "cam")
        assert (line["approved_by"], line["attempt"]) == ("Officer Tamm", 1)
        assert (line["software"], line["node"]) == (f"tocsin {__version__}", "node")
        assert abs(line["clock_offset_s"]) < 60
        assert line["requested"] == ["2026-03-04T08:00:00Z", "2026-03-04T08:00:50Z"]
    assert told[0]["received"]["id"] == job.id, "as the registry wrote it"
    fetched, stored, delivered = told[1:4]
    data, check = content("cam", span(0, 50), 1000), job.files[0].check
    for line in (fetched, stored, delivered):
        assert line["origin"] == "recorder of cam"
        assert line["delivered"] == line["requested"]
        assert (line["sha256"], line["size"]) == (hashlib.sha256(data).hexdigest(), len(data))
    for line in (stored, delivered):
        assert (line["cipher_sha256"], line["cipher_size"]) == (check["sha256_cipher"], check["cipher"])
        assert (line["file_id"], line["blob"].partition("?")[2]) == (job.files[0].id, "")
        assert line["key_id"]
    times = [
        line[name] for line, name in ((delivered, "begun_at"), (stored, "committed_at"), (delivered, "completed_at"))
    ]
    assert sorted(times) == times
    assert "outcome" in told[4]


async def test_what_small_results_were_made_of_is_in_the_custody_log(scene):
    one = await scene()
    one.recordings.held["cam"] = []
    jobs = [one.post("thumbnail"), one.post("discovery", "")]
    async with one.working():
        assert [await one.job_ended(job) for job in jobs] == ["completed", "completed"]
    told = [json.loads(line.text) for line in await one.store.custody("city")]
    made = {line["type"]: line for line in told if line["event"] == "result made"}
    assert (made["thumbnail"]["origin"], made["discovery"]["origin"]) == (
        "recorder of cam",
        "inventory of this gateway",
    )
    assert made["discovery"]["devices"] == 3
    assert made["thumbnail"]["delivered"][0] == made["thumbnail"]["delivered"][1], "when it was taken"
    for line in made.values():
        [file] = [each for job in jobs for each in job.files if each.name == line["file"]]
        assert (line["sha256"], line["size"]) == (file.check["sha256"], file.check["size"])
