"""What an evidence agent may show of a gateway's cameras: a real gateway over a real store, on virtual time."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import RULES, ScriptedSystem, Site, camera, site

from tocsin.app import evidence_cameras as room
from tocsin.app.evidence_cameras import SharedCameras
from tocsin.engine.contracts import PhotoIn, Submission
from tocsin.engine.systems import Span
from tocsin.evidence.settings import EvidenceSettings
from tocsin.model.device import Area
from tocsin.model.event import Event

AT = datetime(2026, 3, 4, 8, 0, 0, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0 "
HELD = Span(AT - timedelta(days=30), AT)


class Recorder(ScriptedSystem):
    """Tells of camera 1 from when to when it has recordings."""

    capabilities = frozenset({"inventory", "photo", "recordings", "export"})

    async def extents(self, native_keys: Sequence[str]) -> AsyncGenerator[tuple[str, Span], None]:
        for key in native_keys:
            if key == "1":
                yield key, HELD


@asynccontextmanager
async def depot(clock: SetClock, system: ScriptedSystem) -> AsyncIterator[Site]:
    """Its cameras stand in the depot."""
    async with site(clock, system, replace(RULES, area="Depot")) as one:
        one.gateway.devices.areas.put(Area("Depot"))
        await one.first_run()
        yield one


def cameras(one: Site, **settings: Any) -> SharedCameras:
    given = {"name": "city", "type": "clearance", "connection_file": "none.json", "shared_areas": ["Depot"]}
    return SharedCameras(EvidenceSettings.model_validate({**given, **settings}), one.gateway, {"xp": one.system})


@on_virtual_time
async def test_the_list_says_from_when_to_when_there_are_recordings_where_that_is_known(clock: SetClock) -> None:
    async with depot(clock, Recorder(camera(1), camera(2))) as one:
        listed = await cameras(one).list_devices()
    first, second = json.loads(listed.data)["devices"]
    assert (first["id"], second["id"], listed.count) == ("xp:camera:1", "xp:camera:2", 2)
    assert (first["firstRecordingUtc"], first["lastRecordingUtc"]) == (
        "2026-02-02T08:00:00.000000Z",
        "2026-03-04T08:00:00.000000Z",
    )
    assert (second["firstRecordingUtc"], second["lastRecordingUtc"]) == (None, None)


@on_virtual_time
async def test_nothing_is_listed_of_areas_that_are_not_shared(clock: SetClock) -> None:
    async with depot(clock, Recorder(camera(1))) as one:
        listed = await cameras(one, shared_areas=["Yard"]).list_devices()
    assert (json.loads(listed.data), listed.count) == ({"devices": []}, 0)


def motion(clock: SetClock, after_s: float, *photos: bytes, key: str = "1") -> Submission:
    at = clock.now() + timedelta(seconds=after_s)
    event = Event(f"E{after_s:g}", "motion", at, at, "xp", device_id=f"xp:camera:{key}")
    return Submission(event, [PhotoIn(JPEG + photo) for photo in photos])


@on_virtual_time
async def test_photos_near_the_time_only_where_the_operator_allows_them(clock: SetClock) -> None:
    async with depot(clock, Recorder(camera(1), camera(2))) as one:
        now = clock.now()
        for after_s, photos in ((-300, [b"a"]), (-50, [b"b"]), (5, [b"c", b"d"]), (7, []), (200, [b"e"])):
            await one.gateway.intake.accept(motion(clock, after_s, *photos))
        await one.gateway.intake.accept(motion(clock, 6, b"f", key="2"))
        span = Span(now, now + timedelta(seconds=60))
        found = await cameras(one, photos_fallback=True).photos("xp:camera:1", span)
        assert [(taken.data, taken.at, taken.origin) for taken in found] == [
            (JPEG + b"b", now - timedelta(seconds=50), "event photo 1 of E-50, motion"),
            (JPEG + b"c", now + timedelta(seconds=5), "event photo 1 of E5, motion"),
            (JPEG + b"d", now + timedelta(seconds=5), "event photo 2 of E5, motion"),
        ]
        assert await cameras(one).photos("xp:camera:1", span) == []
        far = Span(now - timedelta(days=2), now - timedelta(days=1))
        assert await cameras(one, photos_fallback=True).photos("xp:camera:1", far) == []


@on_virtual_time
async def test_photos_are_found_behind_thousands_of_later_events_and_are_not_too_many(
    clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PAGE", 3)
    monkeypatch.setattr(room, "MOST_PHOTOS", 2)
    async with depot(clock, Recorder(camera(1))) as one:
        now = clock.now()
        for after_s in range(3):
            await one.gateway.intake.accept(motion(clock, after_s, b"x"))
        for after_s in range(1000, 1010):
            await one.gateway.intake.accept(motion(clock, after_s))
        found = await cameras(one, photos_fallback=True).photos("xp:camera:1", Span(now, now + timedelta(seconds=9)))
        assert [taken.at for taken in found] == [now, now + timedelta(seconds=1)]
