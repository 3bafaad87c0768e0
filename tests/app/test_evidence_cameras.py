"""What an evidence agent may show of a gateway's cameras: a real gateway over a real store, on virtual time."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import RULES, ScriptedSystem, Site, camera, site

from tocsin.app.evidence_cameras import SharedCameras
from tocsin.engine.systems import Span
from tocsin.evidence.settings import EvidenceSettings
from tocsin.model.device import Area

AT = datetime(2026, 3, 4, 8, 0, 0, tzinfo=UTC)
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
