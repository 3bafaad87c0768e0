"""Reading what XProtect says, without a network: published shapes, odd ones, and anything at all."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.systems import NotSupported, ProtocolFault, Unreachable
from tocsin.systems.milestone.event_socket import accepted, frame_of
from tocsin.systems.milestone.joining import Membership, Reading, Topology, joined, topology_of
from tocsin.systems.milestone.moments import instant, written
from tocsin.systems.milestone.paging import MOST_PAGES, all_pages, id_written
from tocsin.systems.milestone.resources import (
    CameraGroup,
    Channel,
    DriverSettings,
    EventType,
    Hardware,
    RecordingServer,
    Reference,
    Relations,
    Unread,
    listed,
    page_of,
    read_driver_settings,
    read_item,
)
from tocsin.systems.milestone.settings import MilestoneSettings
from tocsin.systems.milestone.states import Occurred, meanings_with, read_frame, settled, states_of
from tocsin.transports.http import HttpAnswer

GOLDEN = Path(__file__).parent / "golden"
CAMERA = "98ec38b9-66b3-48a5-b477-79aeb9e3331c"
BOX = "b4d7cd44-31fc-4024-b4f9-52cf07e044ea"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["id", "array", "data", "name"]), inner)
    ),
)


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def test_the_published_camera_and_its_box() -> None:
    camera = read_item(listed(golden("cameras.json"), "cameras")[0], Channel)
    box = read_item(listed(golden("hardware.json"), "hardware")[0], Hardware)
    assert camera is not None
    assert box is not None
    driver = read_driver_settings(golden("driver_settings.json"))
    assert driver == DriverSettings("B8A44F0A117E", "B8A44F0A117E", "11.8.61", "AXIS P3265-LV")
    reading = Reading("HQ", (), (box,), {"cameras": (camera,)}, (), {BOX: driver})
    (found,) = joined(reading, frozenset({"camera"}))
    assert (found.kind, found.native_key, found.name, found.subtype) == (
        "camera",
        CAMERA,
        "Loading dock north",
        "fixed",
    )
    assert (found.macs, found.address, found.location, found.channel) == (
        ("B8A44F0A117E",), "http://192.0.2.22/", "HQ", 0,
    )  # fmt: skip
    assert found.parent == ("hardware", BOX)
    assert found.attributes["gps"] == "55.6761,12.5683"


def test_published_states_and_events() -> None:
    topology = Topology()
    states = [
        (state.native_key[:8], state.state, state.reason, f"{state.since:%H:%M:%S.%f}")
        for name in ("states.json", "events.json")
        for frame in [read_frame(json.dumps(golden(name)))]
        for one in (frame.states or frame.events or [])
        for state in states_of(one, meanings_with(()), topology, "UTC", "event")
    ]
    assert states == [
        ("98ec38b9", "online", "communication_started", "22:00:09.114000"),
        ("8a5fd483", "offline", "communication_lost", "05:58:41.030000"),
        ("98ec38b9", "offline", "communication_lost", "06:14:02.037000"),
    ]


def test_published_answers_to_commands() -> None:
    assert accepted(read_frame(json.dumps(golden("start_session.json"))), "x", (200, 201)).status == 201
    with pytest.raises(NotSupported, match="400 Invalid filter"):
        accepted(read_frame(json.dumps(golden("error.json"))), "addSubscription")


def test_a_type_of_the_same_name_with_another_guid_means_the_same() -> None:
    own = "11111111-2222-3333-4444-555555555555"
    meanings = meanings_with(
        [EventType(id=own.upper(), name="Communication Error (Device)"), EventType(id="x", name="?")]
    )
    assert (meanings[own].state, len(meanings)) == ("offline", 7)


def test_motion_and_recording_are_not_health() -> None:
    frame = read_frame(
        '{"events":[{"type":"6eb95dd6-7ccc-4bce-99f8-af0d0b582d77","source":"cameras/a","time":"2025-03-08T06:14:02Z"},'
        '{"type":"79a94f89-92de-4fca-8a43-5561d407423d","source":"cameras/a"},'
        '{"type":"DD3E6464-7DC0-405A-A92F-6150587563E8","source":"userDefinedEvents/a"},'
        '{"type":"dd3e6464-7dc0-405a-a92f-6150587563e8","source":""}]}'
    )
    found = [list(states_of(one, meanings_with(()), Topology(), "UTC", "event")) for one in frame.events or []]
    assert found == [[], [], [], []]


def test_an_odd_event_does_not_cost_the_others() -> None:
    good = golden("events.json")["events"][0]
    frame = read_frame(json.dumps({"events": [{"type": None}, 7, {**good, "time": None}, good]}))
    assert [one.id for one in frame.events or []] == [good["id"]]


def test_the_newer_of_box_and_camera_decides_and_at_once_the_cameras_own() -> None:
    error, started = "6baad64b-c395-4f52-b6a3-dd1b64aa2f0f", "dd3e6464-7dc0-405a-a92f-6150587563e8"
    topology = Topology({"camera": {"b": ("c",)}})

    def state(box_at: int, camera_at: int) -> str:
        frame = read_frame(
            json.dumps(
                {
                    "states": [
                        {"type": error, "source": "hardware/B", "time": f"2025-03-08T06:14:{box_at:02}Z"},
                        {"type": started, "source": "cameras/C", "time": f"2025-03-08T06:14:{camera_at:02}Z"},
                    ]
                }
            )
        )
        found = settled(
            one for each in frame.states or [] for one in states_of(each, meanings_with(()), topology, "UTC", "event")
        )
        return found["camera"]["c"].state

    assert [state(2, 1), state(1, 2), state(1, 1)] == ["offline", "online", "online"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-03-08T06:14:02.0370000Z", "2025-03-08T06:14:02.037+0000"),
        ("2025-03-08T06:14:02Z", "2025-03-08T06:14:02.000+0000"),
        ("2025-03-08T06:14:02.123456789Z", "2025-03-08T06:14:02.123+0000"),
        ("2025-03-08T06:14:02+02:00", "2025-03-08T04:14:02.000+0000"),
        ("2025-03-08T06:14:02", "2025-03-08T05:14:02.000+0000"),
        ("2025-13-08T06:14:02Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times(text: str, expected: str | None) -> None:
    moment = instant(text, "Europe/Copenhagen")
    shown = moment and f"{moment:%FT%T}.{moment.microsecond // 1000:03d}{moment:%z}"
    assert shown == expected


def test_a_time_in_a_filter() -> None:
    assert written(datetime(2025, 3, 8, 6, 0, 0, 37_999, UTC)) == "2025-03-08T06:00:00.0379990Z"


def test_groups_make_paths_even_when_they_go_round() -> None:
    def group(key: str, parent: str) -> CameraGroup:
        return CameraGroup(id=key, name=key, relations=Relations(Reference("cameraGroups", parent)))

    members = frozenset({"c"})
    groups = [
        Membership(group("A", "B"), members),
        Membership(group("B", "A"), members),
        Membership(group("Z", ""), members),
    ]
    reading = Reading("HQ", channels={"cameras": (Channel(id="C"),)}, groups=groups)
    (found,) = joined(reading, frozenset({"camera"}))
    assert (found.location, found.attributes["groups"]) == ("A/B", "A/B, B/A, Z")


def test_a_camera_without_its_box_is_still_there() -> None:
    reading = Reading("HQ", (RecordingServer(id="R"),), (), {"cameras": (Channel(id="{C}"),)})
    assert [(one.kind, one.native_key, one.parent) for one in joined(reading, frozenset({"camera"}))] == [
        ("camera", "c", None)
    ]
    assert set(topology_of(reading).devices()) == {("recorder", "r"), ("camera", "c")}


async def test_a_listing_without_an_end_is_not_complete() -> None:
    async def page(number: int, size: int) -> list[Any]:
        return [{"id": f"{number}-{n}"} for n in range(size)]

    listing = await all_pages(page, id_written)
    assert (len(listing.items), listing.fault is not None) == (MOST_PAGES * 200, True)


async def test_the_same_item_on_two_pages_is_one() -> None:
    pages = [[{"id": str(n)} for n in range(200)], [{"id": str(n)} for n in range(199, 250)]]

    async def page(number: int, size: int) -> list[Any]:
        return pages[number]

    assert len((await all_pages(page, id_written)).items) == 250


async def test_a_page_that_fails_keeps_those_before() -> None:
    async def page(number: int, size: int) -> list[Any]:
        if number:
            raise Unreachable("gone")
        return [{"id": str(n)} for n in range(size)]

    listing = await all_pages(page, id_written)
    assert (len(listing.items), str(listing.fault)) == (200, "gone")


@given(JSON)
def test_any_json_is_read_or_refused(body: Any) -> None:
    for form in (Channel, Hardware, RecordingServer):
        item = read_item(body, form)
        assert item is None or item.key
    for read in (lambda: read_driver_settings(body), lambda: listed(body, "x")):
        try:
            read()
        except ProtocolFault:
            continue


ITEMS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.sampled_from(["A", "{b}", "{}", ""]) | JSON,
            "displayName": st.text() | JSON,
            "enabled": st.booleans() | JSON,
            "channel": st.integers() | JSON,
            "userName": JSON,
            "relations": st.fixed_dictionaries({"parent": st.fixed_dictionaries({"id": st.text() | JSON})}) | JSON,
        },
    )
    | JSON,
    max_size=4,
)


@given(ITEMS)
def test_a_page_read_at_once_is_what_its_items_are_one_by_one(items: list[Any]) -> None:
    body = msgspec.json.encode({"array": items})
    for item, read in zip(
        msgspec.json.decode(body)["array"], page_of(HttpAnswer(200, "", (), body), "x", Channel), strict=True
    ):
        if isinstance(item, dict):
            assert read == (read_item(item, Channel) or Unread(str(item.get("id", ""))))
        else:
            assert read is None


def test_a_page_cut_off_at_the_limit_is_none() -> None:
    with pytest.raises(ProtocolFault, match="64 MiB"):
        page_of(HttpAnswer(200, "", (), b'{"array":[]}', complete=False), "x", Channel)


@pytest.mark.parametrize("source", ["cameras/", "cameras/{}", "cameras/ ", "/{b}/", "", "users/b"])
def test_a_state_of_nothing_that_is_named_is_left_out(source: str) -> None:
    changed = Occurred("a", "6baad64b-c395-4f52-b6a3-dd1b64aa2f0f", source, "2025-03-08T06:14:02Z")
    assert list(states_of(changed, meanings_with(()), Topology(), "UTC", "event")) == []


@given(st.binary() | JSON.map(lambda body: json.dumps(body).encode()))
def test_any_frame_is_read_or_refused(data: bytes) -> None:
    try:
        frame = read_frame(data)
    except ProtocolFault:
        return
    for one in [*(frame.states or []), *(frame.events or [])]:
        list(states_of(one, meanings_with(()), Topology(), "UTC", "event"))


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://xp.example.net", "https://xp.example.net"),
        ("https://xp.example.net:8443/api/", "https://xp.example.net:8443"),
        ("https://xp.example.net/API", "https://xp.example.net"),
        ("xp.example.net", None),
        ("https://user:pass@xp.example.net", None),
        ("https://xp.example.net/portal/", None),
    ],
)
def test_addresses(url: str, kept: str | None) -> None:
    given = {"name": "xp", "url": url, "username": "u", "password": "p"}
    if kept is None:
        with pytest.raises(ValueError):
            MilestoneSettings.model_validate(given)
    else:
        assert MilestoneSettings.model_validate(given).url == kept


async def test_14_a_frame_of_a_large_site_is_read_beside_the_loop() -> None:
    """And one state in it that is none is left out."""
    states = [{"type": "t", "source": f"cameras/{n}", "time": "", "id": str(n)} for n in range(20_000)]
    data = msgspec.json.encode({"commandId": 1, "status": 200, "states": [*states, {"type": 7}]})
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(others())
    await asyncio.sleep(0)
    before = turns
    frame = await frame_of(data)
    ticking.cancel()
    assert (len(frame.states or ()), turns > before) == (20_000, True)
