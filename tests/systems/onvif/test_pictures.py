"""Alarms of cameras, and the pictures that come after them: over a real gateway on virtual time."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import RULES, ScriptedSystem, camera, site

from tocsin.engine.contracts import Intake, PhotoIn, Submission, Taken
from tocsin.engine.systems import NotSupported, Unreachable
from tocsin.model.event import Event
from tocsin.systems.onvif.pictures import MOST_FETCHED, PicturedIntake
from tocsin.telemetry.occurrences import Notice, Trouble
from tocsin.telemetry.record import Occurrence

JPEG = b"\xff\xd8\xff\xe0 a picture"
ALARMS = replace(RULES, alarms=frozenset({"motion"}))


class Seeing(ScriptedSystem):
    """A system with alarms and pictures. `shows`: what it gives as picture, or raises, after `picture_takes_s`."""

    capabilities = frozenset({"inventory", "alarms", "photo"})

    def __init__(self) -> None:
        super().__init__(camera(1), camera(2))
        self.offered: asyncio.Queue[Sequence[Submission]] = asyncio.Queue()
        self.taken: list[Taken] = []
        self.asked: list[str] = []
        self.said: list[Occurrence] = []
        self.shows: bytes | Exception = JPEG
        self.picture_takes_s = 0.0

    async def alarms(self, intake: Intake) -> None:
        pictured = PicturedIntake(self, intake, self.said.append)
        try:
            await self._hand_over(pictured)
        finally:
            await pictured.aclose()

    async def _hand_over(self, intake: Intake) -> None:
        while True:
            batch = await self.offered.get()
            self.taken += [await intake.accept(batch[0])] if len(batch) == 1 else await intake.accept_many(batch)

    async def photo(self, native_key: str, at: datetime | None = None) -> bytes:
        self.asked.append(native_key)
        await asyncio.sleep(self.picture_takes_s)
        if isinstance(self.shows, Exception):
            raise self.shows
        return self.shows


def seen(clock: Any, key: str = "1", kind: str = "motion", photos: Sequence[PhotoIn] = (), **facts: Any) -> Submission:
    now = clock.now()
    return Submission(Event("", kind, now, now, "xp", device_id=f"xp:camera:{key}", **facts), photos)  # type: ignore[arg-type]


@on_virtual_time
async def test_an_alarm_is_on_disk_before_its_picture_is_asked_for_and_goes_with_it(clock: SetClock) -> None:
    system, station = Seeing(), ScriptedStation("arc")
    system.picture_takes_s = 3.0
    async with site(clock, system, ALARMS, stations=[station], wants_photos=True) as s:
        await s.first_run()
        system.offered.put_nowait([seen(clock)])
        await s.until(lambda: bool(system.asked))
        assert [one.id for one in system.taken]
        assert station.seen == [], "it waits for the picture"
        await s.until(lambda: bool(station.seen))
        assert (station.seen[0].event.photos, system.asked) == (1, ["1"])
        assert [photo.data for photo in await s.store.photos(system.taken[0].seq)] == [JPEG]


@on_virtual_time
async def test_without_a_picture_nobody_waits_and_it_is_said_once(clock: SetClock) -> None:
    system, station = Seeing(), ScriptedStation("arc")
    async with site(clock, system, ALARMS, stations=[station], wants_photos=True) as s:
        await s.first_run()
        for system.shows in (Unreachable("no answer"), NotSupported("no pictures"), ValueError("defect"), b"GIF"):
            began, before = clock.monotonic(), len(station.seen)
            system.offered.put_nowait([seen(clock)])
            await s.until(lambda before=before: len(station.seen) > before)
            assert clock.monotonic() - began < 5, "shorter than stations wait for pictures"
            assert station.seen[-1].event.photos == 0
        system.shows = JPEG
        system.offered.put_nowait([seen(clock)])
        await s.until(lambda: station.seen[-1].event.photos == 1)
        said = [one.text for one in system.said if isinstance(one, Trouble | Notice) and "camera 1" in one.text]
        assert ["no answer" in said[0], "come again" in said[1], len(said)] == [True, True, 2]


@on_virtual_time
async def test_a_camera_that_does_not_answer_holds_its_own_alarm_only_as_long_as_stations_wait(clock: SetClock) -> None:
    system, station = Seeing(), ScriptedStation("arc")
    system.picture_takes_s = 3600.0
    async with site(clock, system, ALARMS, stations=[station], wants_photos=True) as s:
        await s.first_run()
        system.offered.put_nowait([seen(clock), seen(clock, "2")])
        await s.until(lambda: len(station.seen) == 2)
        assert sorted(system.asked) == ["1", "2"]


@on_virtual_time
async def test_what_shows_nothing_or_brings_its_picture_is_left_alone(clock: SetClock) -> None:
    system, station = Seeing(), ScriptedStation("arc")
    async with site(clock, system, ALARMS, stations=[station], wants_photos=True) as s:
        await s.first_run()
        panel = replace(seen(clock).event, device_id="xp:panel:3")
        left = [
            seen(clock, kind="video_loss"),
            seen(clock, state="restore"),
            seen(clock, photos=[PhotoIn(JPEG)]),
            Submission(panel),
        ]
        system.offered.put_nowait(left)
        await s.until(lambda: len(station.seen) == len(left))
        assert system.asked == []


@on_virtual_time
async def test_too_many_at_once_go_without(clock: SetClock) -> None:
    system, station = Seeing(), ScriptedStation("arc", concurrency=100)
    system.picture_takes_s = 3600.0
    async with site(clock, system, ALARMS, stations=[station], wants_photos=True) as s:
        await s.first_run()
        for _ in range(MOST_FETCHED + 5):
            system.offered.put_nowait([seen(clock)])
        await s.until(lambda: len(system.taken) == MOST_FETCHED + 5)
        expected = [(await s.store.event(one.id)).event.photos_expected for one in system.taken]  # type: ignore[union-attr]
        assert (expected.count(1), expected.count(0)) == (MOST_FETCHED, 5)
