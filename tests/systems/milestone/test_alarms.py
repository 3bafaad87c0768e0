"""Events of XProtect on their way to the intake, and the pictures that follow them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tocsin.engine.contracts import IntakeClosed, PhotoIn, Refused, Submission, Taken
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.model.event import Event
from tocsin.standins.milestone.site import MOTION_STARTED, identity
from tocsin.standins.milestone.switches import Assumptions, Fault
from tocsin.systems.milestone.alarm_events import AlarmMeaning, Sighting, alarm_meanings, submission, unknown_names
from tocsin.systems.milestone.resources import EventType
from tocsin.systems.milestone.settings import MilestoneSettings
from tocsin.systems.milestone.states import Occurred
from tocsin.telemetry.occurrences import EventRefused, Notice, Trouble

CAMERA = f"xp:camera:{identity('camera', 3)}"
NOW = datetime(2025, 3, 8, 9, 0, tzinfo=UTC)


class MemoryIntake:
    """Keeps events and their late photos; `closed` times it says that it cannot. As in the gateway, an id is kept
    once."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.photos: dict[str, list[PhotoIn]] = {}
        self.closed = 0
        self.refuses = ""
        self.came = asyncio.Condition()

    async def accept(self, submission: Submission) -> Taken:
        if self.closed:
            self.closed -= 1
            raise IntakeClosed("the store is full")
        if self.refuses:
            raise Refused(self.refuses)
        event = submission.event
        assert bool(event.id) is bool(submission.digest)
        duplicate = bool(event.id) and event.id in [one.id for one in self.events]
        async with self.came:
            if not duplicate:
                self.events.append(event)
            self.came.notify_all()
        return Taken(event.id or f"made-{len(self.events)}", len(self.events), duplicate, ())

    async def add_photos(self, event_id: str, photos: Sequence[PhotoIn], last: bool = False) -> Any:
        if self.closed:
            self.closed -= 1
            raise IntakeClosed("the store is full")
        assert last
        async with self.came:
            self.photos[event_id] = list(photos)
            self.came.notify_all()
        return []

    async def until(self, there: Callable[["MemoryIntake"], bool]) -> None:
        async with asyncio.timeout(10), self.came:
            await self.came.wait_for(lambda: there(self))


Listening = Callable[..., Any]


@pytest.fixture
async def listening(bench: Any) -> AsyncIterator[Listening]:
    """A site, its connector, and an intake that gets its alarms."""
    tasks: list[asyncio.Task[None]] = []

    async def start(**settings: Any) -> tuple[Any, MemoryIntake]:
        one = await bench(**{"alarms": ["motion"], "area": "Depot", **settings})
        intake = MemoryIntake()
        tasks.append(asyncio.create_task(one.system.alarms(intake)))
        await subscribed(one, 1)
        return one, intake

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def subscribed(one: Any, times: int) -> None:
    async with asyncio.timeout(10):
        while len(one.site.events.subscribed("cameras")) < times:
            await asyncio.sleep(0.01)


async def test_motion_begins_with_a_picture_and_ends(listening: Listening) -> None:
    one, intake = await listening()
    assert await one.site.happens("motion", 3)
    assert await one.site.happens("still", 3)
    await intake.until(lambda self: len(self.events) == 2 and len(self.photos) == 1)
    begun, ended = intake.events
    assert (begun.kind, begun.state, begun.source, begun.device_id, begun.text, begun.place.area, begun.flags) == (
        "motion", "new", "xp", CAMERA, "Motion Started", "Depot", (),
    )  # fmt: skip
    assert (ended.kind, ended.state, ended.device_id) == ("motion", "restore", CAMERA)
    assert (begun.photos_expected, ended.photos_expected) == (1, 0)
    assert abs(begun.occurred_at - datetime.now(UTC)) < timedelta(seconds=30)
    [picture] = intake.photos[begun.id]
    assert isinstance(jpeg_facts(picture.data), JpegFacts)
    asked = [told["recorder"] for told in one.told if "recorder" in told]
    assert asked == ["connect", "goto"], "of the recording, not of now"


async def test_what_is_not_named_is_no_alarm(listening: Listening) -> None:
    one, intake = await listening()
    await one.site.happens("unplug", 3)
    await one.site.happens("input", 1)
    await one.site.happens("motion", 3)
    await intake.until(lambda self: bool(self.events))
    assert [event.text for event in intake.events] == ["Motion Started"]


async def test_events_that_the_site_names(listening: Listening) -> None:
    one, intake = await listening(alarms=["alarm"], alarm_events={"input activated": "alarm"})
    await one.site.happens("motion", 3)
    await one.site.happens("input", 1)
    await one.site.happens("input-off", 1)
    await intake.until(lambda self: len(self.events) == 2)
    assert [(event.kind, event.state, event.device_id, event.photos_expected) for event in intake.events] == [
        ("alarm", "new", f"xp:input:{identity('input', 1)}", 0),
        ("alarm", "restore", f"xp:input:{identity('input', 1)}", 0),
    ]


async def test_a_recorder_that_is_gone_holds_up_no_alarm(listening: Listening) -> None:
    one, intake = await listening()
    await one.site.recorder.aclose()
    for number in (1, 2, 3):
        await one.site.happens("motion", number)
    await intake.until(lambda self: len(self.events) == 3 and len(self.photos) == 3)
    assert all(photos == [] for photos in intake.photos.values()), "nobody waits for them any longer"


async def test_a_slow_picture_comes_to_nothing_in_time(listening: Listening) -> None:
    one, intake = await listening(alarm_photo_wait="1s")
    one.site.recorder.delay_s = 30.0
    await one.site.happens("motion", 3)
    await one.site.happens("motion", 4)
    await intake.until(lambda self: len(self.events) == 2)
    assert intake.photos == {}
    await intake.until(lambda self: len(self.photos) == 2)
    assert set(map(len, intake.photos.values())) == {0}


async def test_a_picture_of_now_where_nothing_was_recorded(listening: Listening) -> None:
    one, intake = await listening()
    one.site.recorder.gaps.append((0, 4_000_000_000_000))
    await one.site.happens("motion", 3)
    await intake.until(lambda self: bool(self.photos))
    assert len(next(iter(intake.photos.values()))) == 1
    assert [told["recorder"] for told in one.told if "recorder" in told][-1] == "live"


async def test_without_pictures(listening: Listening) -> None:
    one, intake = await listening(alarm_photos=False)
    await one.site.happens("motion", 3)
    await intake.until(lambda self: bool(self.events))
    assert intake.events[0].photos_expected == 0


async def test_a_flood_has_pictures_for_some_and_alarms_for_all(listening: Listening) -> None:
    one, intake = await listening()
    for n in range(60):
        await one.site.happens("motion", 1 + n % 12)
    await intake.until(lambda self: len(self.events) == 60)
    expected = sum(event.photos_expected for event in intake.events)
    assert 0 < expected < 60
    await intake.until(lambda self: len(self.photos) == expected)


async def test_a_closed_intake_is_offered_it_again(listening: Listening) -> None:
    one, intake = await listening(alarm_photos=False)
    intake.closed = 1
    await one.site.happens("motion", 3)
    await one.site.happens("motion", 4)
    await intake.until(lambda self: len(self.events) == 2)
    assert [event.device_id for event in intake.events] == [CAMERA, f"xp:camera:{identity('camera', 4)}"]


async def test_what_is_refused_is_told_and_the_next_is_taken(listening: Listening) -> None:
    one, intake = await listening(alarm_photos=False)
    intake.refuses = "no such device"
    await one.site.happens("motion", 3)
    async with asyncio.timeout(5):
        while not any(isinstance(told, EventRefused) for told in one.occurrences):
            await asyncio.sleep(0.01)
    intake.refuses = ""
    await one.site.happens("motion", 4)
    await intake.until(lambda self: bool(self.events))


async def test_an_interruption_loses_nothing_and_doubles_nothing(listening: Listening) -> None:
    one, intake = await listening(alarm_photos=False)
    await one.site.happens("motion", 1)
    await intake.until(lambda self: len(self.events) == 1)
    await one.site.happens("drop", 0)
    await one.site.happens("motion", 2)
    await intake.until(lambda self: len(self.events) == 2)
    assert [event.device_id[-36:] for event in intake.events] == [identity("camera", n) for n in (1, 2)]
    troubles = [
        str(told.what if hasattr(told, "what") else told) for told in one.occurrences if isinstance(told, Trouble)
    ]
    async with asyncio.timeout(5):
        while not any(isinstance(told, Notice) for told in one.occurrences):
            await asyncio.sleep(0.01)
    assert len(troubles) == 1


async def test_a_session_that_is_gone_is_made_good_from_what_xprotect_has_stored(listening: Listening) -> None:
    one, intake = await listening(alarm_photos=False)
    await one.site.happens("motion", 1)
    await intake.until(lambda self: len(self.events) == 1)
    await one.site.happens("forget", 0)
    await one.site.happens("motion", 2)
    await intake.until(lambda self: len(self.events) == 2)
    await subscribed(one, 1)
    await one.site.happens("motion", 3)
    await intake.until(lambda self: len(self.events) == 3)
    assert [event.device_id[-36:] for event in intake.events] == [identity("camera", n) for n in (1, 2, 3)]


async def test_without_the_service_stored_events_are_asked_for(bench: Any) -> None:
    one = await bench(assumptions=Assumptions(events="absent"), alarms=["motion"], health={"every": "1s"})
    intake = MemoryIntake()
    task = asyncio.create_task(one.system.alarms(intake))
    try:
        async with asyncio.timeout(10):
            while not one.requests("/events?time=gt"):
                await asyncio.sleep(0.01)
        await one.site.happens("motion", 3)
        await intake.until(lambda self: bool(self.events))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert any("only events that XProtect stores become alarms" in str(told) for told in one.occurrences)


async def test_a_server_that_cannot_be_asked_is_told_once(bench: Any) -> None:
    one = await bench(alarms=["motion"])
    one.site.gateway.faults = [Fault("ws/events", "503", 0)]
    task = asyncio.create_task(one.system.alarms(MemoryIntake()))
    async with asyncio.timeout(10):
        while sum("GET /api/rest/v1/eventTypes" in told.get("request", "") for told in one.told) < 1:
            await asyncio.sleep(0.01)
        while not any(isinstance(told, Trouble) for told in one.occurrences):
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [str(told) for told in one.occurrences if "events for alarms do not come" in str(told)]


async def test_names_that_the_server_does_not_have_are_told(listening: Listening) -> None:
    one, _ = await listening(alarms=["motion", "fire"], alarm_events={"Smoke": "fire"})
    assert any("no type of event called Smoke" in str(told) for told in one.occurrences)


def event_type(key: str, name: str, counter: str = "") -> EventType:
    return EventType(id=key, name=name.replace(" ", ""), display_name=name, counter=counter)


def test_what_event_types_mean() -> None:
    types = [
        event_type("A-1", "Input Activated", "{A-2}"),
        event_type("a-2", "Input Deactivated", "a-1"),
        event_type("b-1", "Motion Started"),
        event_type("c-1", "Panic Button"),
    ]
    named = {"input activated": "alarm", "C-1": "panic"}
    found = alarm_meanings(types, named, ["motion", "alarm", "panic"])  # type: ignore[arg-type]
    assert {key: (one.kind, one.state) for key, one in found.items()} == {
        MOTION_STARTED: ("motion", "new"),
        "6f55a7a7-d21c-4629-ac18-af1975e395a2": ("motion", "restore"),
        "a-1": ("alarm", "new"),
        "a-2": ("alarm", "restore"),
        "b-1": ("motion", "new"),
        "c-1": ("panic", "new"),
    }
    assert unknown_names(types, ["Input Activated", "c-1", "Smoke"]) == ["Smoke"]
    assert alarm_meanings(types, named, ["panic"]).keys() == {"c-1"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("time", "occurred", "flags"),
    [
        ("2025-03-08T08:59:58.0370000Z", NOW - timedelta(seconds=1.963), ()),
        ("2025-03-01T00:00:00Z", NOW, ("time_absurd",)),
        ("soon", NOW, ("time_unreadable",)),
    ],
)
def test_times(time: str, occurred: datetime, flags: tuple[str, ...]) -> None:
    seen = Sighting(Occurred("t", "cameras/c", time, "e1"), AlarmMeaning("motion", "new", "Motion"), None)
    made = submission("xp", "", seen, "UTC", NOW)
    assert (made.event.occurred_at, made.event.flags, made.event.device_id) == (occurred, flags, "")
    assert made.event.id == submission("xp", "", seen, "UTC", NOW + timedelta(hours=1)).event.id
    assert made.event.id != submission("other", "", seen, "UTC", NOW).event.id


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"alarms": ["tamper"]}, "XProtect has no tamper of its own"),
        ({"alarms": ["motion"], "alarm_events": {"Input Activated": "alarm"}}, "which alarms does not name"),
        ({"alarms": ["nothing"]}, "motion"),
    ],
)
def test_settings_that_come_to_nothing_are_refused(settings: Any, words: str) -> None:
    given = {"name": "xp", "url": "https://xp.example.net", "username": "u", "password": "p", **settings}
    with pytest.raises(ValidationError, match=words):
        MilestoneSettings.model_validate(given)


@pytest.mark.parametrize(
    ("alarms", "able"),
    [([], False), (["connection_lost"], False), (["motion"], True), (["motion", "connection_lost"], True)],
)
async def test_alarms_are_declared_where_an_event_becomes_one(bench: Any, alarms: Any, able: bool) -> None:
    assert ("alarms" in (await bench(alarms=alarms)).system.capabilities) is able
