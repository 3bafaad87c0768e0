"""Events that become alarms, over a session of their own with the Events and State service: each is on disk before the
next is taken, and its picture follows when there is one (connectors.md 4.6, 4.9).
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta

from tocsin.engine.contracts import Intake, IntakeClosed, PhotoIn, Refused, Submission, Taken
from tocsin.engine.systems import Misconfigured, NotSupported, SystemFault
from tocsin.systems.milestone.alarm_events import AlarmMeaning, Sighting, alarm_meanings, submission, unknown_names
from tocsin.systems.milestone.event_socket import EventSocket, accepted
from tocsin.systems.milestone.joining import CHANNELS
from tocsin.systems.milestone.moments import instant
from tocsin.systems.milestone.resources import EventType, guid, read_item
from tocsin.systems.milestone.rest import Rest
from tocsin.systems.milestone.settings import MilestoneSettings
from tocsin.systems.milestone.states import Occurred, identity_of
from tocsin.systems.milestone.stored_events import StoredEvents
from tocsin.systems.milestone.stream import COMMAND_DEADLINE_S, STEADY_S, StateStream, start_session
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.telemetry.occurrences import EventRefused, Notice, TaskFailed, Trouble

PAUSES_S = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
CLOSED_S = 1.0
MOST_PHOTOS = 16
"""So many pictures are fetched at once; an event that comes then has none."""
SETTLED = timedelta(seconds=1.5)
"""The newest pictures reach the recording about a second late."""
STILL_THE_SAME = timedelta(seconds=10)
"""A picture of now shows what happened so short a time ago."""
TRY_AGAIN_S = 3600.0

Photo = Callable[[str, datetime | None], Awaitable[bytes]]


class Alarms:
    """`photo` gives a camera's picture of a moment, or of now."""

    def __init__(
        self,
        settings: MilestoneSettings,
        around: SystemSurroundings,
        stream: StateStream,
        stored: StoredEvents,
        rest: Rest,
        photo: Photo,
    ) -> None:
        self._settings = settings
        self._around = around
        self._stream = stream
        self._stored = stored
        self._rest = rest
        self._photo = photo
        self._zone = settings.time_zone or "UTC"
        self._session_id = ""
        self._last_event = ""
        self._since: datetime | None = None
        self._down = ""
        self._missing = ""
        self._meanings: Mapping[str, AlarmMeaning] = {}
        self._fetching: set[asyncio.Task[None]] = set()

    async def run(self, intake: Intake) -> None:
        """Until cancelled. What fails is told once, and once when it is over."""
        failures = 0
        try:
            while True:
                began = self._around.clock.monotonic()
                try:
                    await self._once(intake)
                except SystemFault as fault:
                    self._tell(f"events for alarms do not come: {fault}")
                failures = 0 if self._around.clock.monotonic() - began > STEADY_S else failures + 1
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
        finally:
            for task in self._fetching:
                task.cancel()
            await asyncio.gather(*self._fetching, return_exceptions=True)

    async def _once(self, intake: Intake) -> None:
        try:
            socket = await self._stream.open()
        except NotSupported as missing:
            every_s = self._settings.health.every
            self._tell(f"{missing}; only events that XProtect stores become alarms, asked for every {every_s:g} s")
            await self._from_stored(intake)
            return
        async with aclosing(socket):
            await self._begin(socket, intake)
            self._up()
            while True:
                for event in await socket.next_events():
                    await self._hand_over(event, intake)
                    self._last_event = event.id or self._last_event

    async def _begin(self, socket: EventSocket, intake: Intake) -> None:
        """A session that is gone has lost what happened since: of that there is what XProtect has stored."""
        status, self._session_id = await start_session(socket, self._session_id, self._last_event)
        if status == 200:
            return
        self._last_event = ""
        self._meanings = await self._read_meanings()
        accepted(await socket.command("addSubscription", COMMAND_DEADLINE_S, {"filters": [self._filter()]}), "alarms")
        if self._since is None:
            self._since = self._around.clock.now()
        else:
            await self._catch_up(intake)

    async def _catch_up(self, intake: Intake) -> None:
        assert self._since is not None
        for event in await self._stored.after(self._since):
            await self._hand_over(event, intake)

    async def _from_stored(self, intake: Intake) -> None:
        """Where there is no Events and State service; for an hour, then it is looked for again. Raises SystemFault."""
        self._meanings = await self._read_meanings()
        self._since = self._since or self._around.clock.now()
        ends_at = self._around.clock.monotonic() + TRY_AGAIN_S
        while self._around.clock.monotonic() < ends_at:
            await self._catch_up(intake)
            await asyncio.sleep(self._settings.health.every)

    def _filter(self) -> dict[str, object]:
        resources = [*CHANNELS, "hardware", "recordingServers"] if self._settings.alarm_events else ["cameras"]
        return {
            "modifier": "include",
            "resourceTypes": resources,
            "sourceIds": ["*"],
            "eventTypes": sorted(self._meanings),
        }

    async def _read_meanings(self) -> Mapping[str, AlarmMeaning]:
        """A server that does not list its event types has the fixed ones. Raises SystemFault."""
        named = self._settings.alarm_events
        listing = await self._rest.listing("eventTypes", "")
        if listing.fault is not None and named:
            raise listing.fault
        types = [read for item in listing.items if (read := read_item(item, EventType)) is not None]
        missing = ", ".join(unknown_names(types, named))
        if missing and missing != self._missing:
            text = f"XProtect has no type of event called {missing}, which alarm_events names"
            self._around.record(Trouble(f"system {self._settings.name}", text))
        self._missing = missing
        found = alarm_meanings(types, named, self._settings.alarms)
        if not found:
            raise Misconfigured(f"XProtect has none of the types of events that are to become alarms: {missing}")
        return found

    async def _hand_over(self, event: Occurred, intake: Intake) -> None:
        """Returns when the event is on disk, or is none to be kept."""
        means = self._meanings.get(guid(event.type))
        at = instant(event.time, self._zone)
        self._since = max(self._since, at) if self._since is not None and at is not None else self._since
        if means is None:
            return
        seen = Sighting(event, means, identity_of(event.source))
        expected = int(self._is_pictured(seen))
        now = self._around.clock.now()
        made = submission(self._settings.name, self._settings.area, seen, self._zone, now, expected)
        taken = await self._kept(made, intake)
        if expected and taken is not None and not taken.duplicate and seen.device is not None:
            self._fetch(seen.device[1], made, taken, intake)

    async def _kept(self, made: Submission, intake: Intake) -> Taken | None:
        while True:
            try:
                return await intake.accept(made)
            except IntakeClosed:
                await asyncio.sleep(CLOSED_S)
            except Refused as refused:
                self._around.record(EventRefused(self._settings.name, "refused", str(refused)))
                return None

    # Pictures

    def _is_pictured(self, seen: Sighting) -> bool:
        camera = seen.device is not None and seen.device[0] == "camera"
        room = len(self._fetching) < MOST_PHOTOS
        return self._settings.alarm_photos and camera and seen.means.state == "new" and room

    def _fetch(self, camera: str, made: Submission, taken: Taken, intake: Intake) -> None:
        at = made.event.occurred_at if not made.event.flags else None
        task = asyncio.create_task(self._follow_up(camera, at, taken.id, intake))
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    async def _follow_up(self, camera: str, at: datetime | None, event_id: str, intake: Intake) -> None:
        """The picture, or that there is none: then nobody waits for it any longer."""
        photos: list[PhotoIn] = []
        try:
            async with asyncio.timeout(self._settings.alarm_photo_wait):
                photos.append(PhotoIn(await self._picture(camera, at)))
        except (TimeoutError, SystemFault):
            pass
        except Exception as error:  # noqa: BLE001 - a picture must never cost an alarm
            trace = "".join(traceback.format_exception(error))
            self._around.record(TaskFailed(f"photo of {self._settings.name}", repr(error), trace, 0.0))
        while True:
            try:
                await intake.add_photos(event_id, photos, last=True)
            except IntakeClosed:
                await asyncio.sleep(CLOSED_S)
            else:
                return

    async def _picture(self, camera: str, at: datetime | None) -> bytes:
        """Of the moment, once it can be recorded; where it is not, of now, as long as that is the same."""
        if at is None:
            return await self._photo(camera, None)
        wait_s = (at + SETTLED - self._around.clock.now()).total_seconds()
        await asyncio.sleep(min(max(wait_s, 0.0), 2 * SETTLED.total_seconds()))
        try:
            return await self._photo(camera, at)
        except SystemFault:
            if abs(self._around.clock.now() - at) > STILL_THE_SAME:
                raise
            return await self._photo(camera, None)

    def _tell(self, text: str) -> None:
        if text != self._down:
            self._down = text
            self._around.record(Trouble(f"system {self._settings.name}", text))

    def _up(self) -> None:
        if self._down:
            self._down = ""
            self._around.record(Notice(f"system {self._settings.name}", "events for alarms come again"))
