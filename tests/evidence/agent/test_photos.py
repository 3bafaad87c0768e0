"""Photos of a camera's events where no recording can be had: delivered, and never called video."""

import json

from agentkit.recordings import at, span

from tocsin.evidence.contracts import EVENT_PHOTO, Impossible, Taken
from tocsin.standins.blobs import Fault
from tocsin.store.evidence import JobQuery

WHY = "no video but 2 photos of the camera's events, taken from 2026-03-04 08:00:10 to 2026-03-04 08:00:40 UTC: "
JPEG = b"\xff\xd8\xff\xe0 photo "


def photos():
    return [Taken(JPEG + bytes([n]), f"{EVENT_PHOTO} {n} of E1, motion", at(10 + 30 * n)) for n in range(2)]


async def asked(one, device="cam", **settings):
    job = one.post("mediarequest", device, at(0), at(60))
    async with one.working(**settings):
        return job, await one.job_ended(job)


async def told(one):
    return [json.loads(line.text) for line in await one.store.custody("city")]


async def test_where_nothing_was_recorded_the_photos_are_delivered_and_said_to_be_photos(scene):
    one = await scene()
    one.recordings.held["cam"], one.photos = [], photos()
    job, ended = await asked(one)
    assert (ended, job.outcome, job.message) == ("partial", "PartiallyCompleted", WHY + "no recording")
    assert [file.name for file in job.files] == [
        "Camera_cam_photo_1_20260304T080010Z_0s.jpg",
        "Camera_cam_photo_2_20260304T080040Z_0s.jpg",
    ]
    assert [(file.said["mime"], file.said["start"]) for file in job.files] == [
        ("image/jpeg", "2026-03-04T08:00:10.000000Z"),
        ("image/jpeg", "2026-03-04T08:00:40.000000Z"),
    ]
    assert [file.check["sha256"] for file in job.files] == [photo.sha256 for photo in photos()]
    lines = [line for line in await told(one) if line["event"] == "photo in place of a recording"]
    assert [(line["origin"], line["delivered"][0]) for line in lines] == [
        ("event photo 0 of E1, motion", "2026-03-04T08:00:10Z"),
        ("event photo 1 of E1, motion", "2026-03-04T08:00:40Z"),
    ]
    delivered = [line for line in await told(one) if line["event"] == "file delivered"]
    assert all(line["origin"].startswith(EVENT_PHOTO) for line in delivered)
    assert (await told(one))[-1]["reason"] == WHY + "no recording"
    assert one.problems() == []
    assert list((one.folder / "spool-city").iterdir()) == []


async def test_a_recording_that_is_damaged_and_one_nobody_holds_count_as_none(scene):
    one = await scene()
    one.recordings.held["cam"], one.photos = [span(0, 50)], photos()
    one.recordings.faults = [Impossible("the file is damaged")]
    job, ended = await asked(one)
    assert (ended, job.message) == ("partial", WHY + "the file is damaged")
    job, ended = await asked(one, "door")
    assert (ended, job.message) == ("partial", WHY + "unknown device")


async def test_with_a_recording_there_are_no_photos_and_of_hidden_cameras_there_are_none(scene):
    one = await scene()
    one.recordings.held["cam"], one.photos = [span(0, 30)], photos()
    job, ended = await asked(one)
    assert (ended, len(job.files)) == ("partial", 1)
    assert job.files[0].name.endswith(".mp4")
    job, ended = await asked(one, "hidden")
    assert (ended, job.message, job.files) == ("failed", "unknown device", [])


async def test_a_recorder_that_is_away_is_waited_for_until_the_last_attempt(scene, monkeypatch):
    monkeypatch.setattr("tocsin.evidence.jobs.choosing.HOLD_OFF_S", (0.0,))
    one = await scene()
    one.recordings.held["cam"], one.photos = [span(0, 60)], photos()
    one.recordings.away = True
    job = one.post("mediarequest", "cam", at(0), at(60))
    async with one.working():
        assert await one.job_ended(job, 5) == "partial"
    assert [outcome for _, outcome in one.ended()] == ["released"] * 4 + ["partial"]
    assert job.message == WHY + "the recorder cannot be reached"


async def test_photos_that_were_begun_are_ended_by_the_next_process(scene):
    one = await scene()
    one.recordings.held["cam"], one.photos = [], photos()
    one.blobs.switches.lasting["blob"] = Fault(kind="busy")
    job = one.post("mediarequest", "cam", at(0), at(60))
    async with one.working():
        await one.until(lambda: one.stored)
    one.blobs.switches.lasting.clear()
    one.photos, one.recordings.held["cam"] = [], [span(0, 60)]
    async with one.working():
        assert await one.job_ended(job) == "partial"
    assert (job.message, len(job.files), job.locks) == (WHY + "no recording", 2, 1)


async def test_photos_that_the_spool_has_lost_are_looked_for_anew(scene, monkeypatch):
    monkeypatch.setattr("tocsin.evidence.jobs.choosing.HOLD_OFF_S", (0.0,))
    one = await scene()
    one.recordings.held["cam"], one.photos = [], photos()
    one.blobs.switches.lasting["blob"] = Fault(kind="busy")
    job = one.post("mediarequest", "cam", at(0), at(60))
    async with one.working():
        await one.until(lambda: one.stored)
    one.blobs.switches.lasting.clear()
    for path in (one.folder / "spool-city").iterdir():
        path.unlink()
    async with one.working():
        assert await one.job_ended(job, 2) == "partial"
    (kept,) = await one.store.jobs(JobQuery("city"))
    assert (kept.attempt, kept.outcome) == (2, "PartiallyCompleted")


async def test_a_thumbnail_that_is_a_photo_says_so(scene, monkeypatch):
    one = await scene()
    one.recordings.held["cam"] = []

    async def picture(device, when=None):
        return photos()[0]

    monkeypatch.setattr(one.recordings, "picture", picture)
    job = one.post("thumbnail", "cam")
    async with one.working():
        assert await one.job_ended(job) == "completed"
    said = "no picture of now but a photo of the camera's newest event, taken at 2026-03-04 08:00:10 UTC"
    assert (job.outcome, job.message) == ("Completed", said)
