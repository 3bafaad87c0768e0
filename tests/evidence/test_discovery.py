"""The list of devices for the registry (clearance.md 8.2)."""

import json

import pytest
from tests.media.video.conftest import BEGAN

from tocsin.engine.systems import Span
from tocsin.evidence.discovery import document, listed, shrunk
from tocsin.model.canonical import DeviceRecord


def camera(key: str, **facts: object) -> DeviceRecord:
    given = {"name": f"Camera {key}", "type": "camera", "system": "xp", "kind": "camera", **facts}
    return DeviceRecord(id=f"xp:camera:{key}", native_key=key, **given)  # type: ignore[arg-type]


def test_the_same_devices_give_the_same_bytes_in_whatever_order() -> None:
    made = [listed(camera(key), online=True) for key in "bca"]
    assert document(made) == document(reversed(made))
    assert [one["id"] for one in json.loads(document(made))["devices"]] == ["xp:camera:a", "xp:camera:b", "xp:camera:c"]


def test_what_is_known_is_told_and_what_is_not_is_null() -> None:
    facts = {"vendor": "Axis", "model": "P3265", "serial": "B8A4", "gps": "59.437,24.753", "heading": 90}
    one = listed(camera("1", attributes=facts), False, "North depot", "gate", Span(BEGAN, BEGAN.replace(hour=6)))
    assert json.loads(document([one]))["devices"] == [
        {
            "id": "xp:camera:1", "name": "Camera 1", "online": False, "type": "Camera", "latitude": 59.437,
            "longitude": 24.753, "heading": 90.0, "fieldOfView": None, "description": "gate", "area": "North depot",
            "manufacturer": "Axis", "model": "P3265", "serialNumber": "B8A4",
            "firstRecordingUtc": "2026-03-08T05:00:00.000000Z", "lastRecordingUtc": "2026-03-08T06:00:00.000000Z",
        }
    ]  # fmt: skip
    bare = json.loads(document([listed(camera("1"), True)]))["devices"][0]
    assert {name for name, value in bare.items() if value is not None} == {"id", "name", "online", "type"}


@pytest.mark.parametrize("gps", ["0,0", "0.0,0.0", "91,0", "1,181", "north", "1,2,3", "nan,nan"])
def test_a_place_that_is_none_is_not_told(gps: str) -> None:
    one = listed(camera("1", attributes={"gps": gps}), True)
    assert (one.latitude, one.longitude) == (None, None)


def test_a_list_that_lost_more_than_three_tenths_is_suspicious() -> None:
    assert [shrunk(10, now) for now in (10, 8, 7, 6, 0)] == [False, False, False, True, True]
    assert not shrunk(0, 0)
