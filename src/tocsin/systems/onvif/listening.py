"""Hands the events of the whole fleet to the intake: one subscription for each device, until cancelled."""

import asyncio
from contextlib import aclosing
from datetime import datetime
from functools import partial

from tocsin.engine.contracts import Intake, IntakeClosed, Refused, Submission
from tocsin.engine.systems import SystemFault
from tocsin.engine.tasks import Supervised
from tocsin.systems.onvif.alarms import Changes, Sender, submission
from tocsin.systems.onvif.facts import Notification
from tocsin.systems.onvif.fleet import Fleet, Listed
from tocsin.systems.onvif.meaning import meaning
from tocsin.systems.onvif.pullpoint import BACK_OFF_S, PullPoint
from tocsin.systems.onvif.settings import OnvifSettings
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.telemetry.occurrences import EventRefused, Notice, Trouble

INTAKE_PAUSE_S = 1.0


class Listening:
    """`points` tell how each device's subscription stands."""

    def __init__(self, settings: OnvifSettings, fleet: Fleet, surroundings: SystemSurroundings) -> None:
        self._settings = settings
        self._kinds = frozenset(settings.alarms)
        self._fleet = fleet
        self._clock = surroundings.clock
        self._record = surroundings.record
        self.points = {one.endpoint: PullPoint(one.device, surroundings.clock, self._told) for one in fleet.listed}

    async def run(self, intake: Intake) -> None:
        await asyncio.to_thread(_load_parsers)
        async with asyncio.TaskGroup() as group:
            for one in self._fleet.listed:
                group.create_task(self._supervised(one, intake).run())

    def _supervised(self, one: Listed, intake: Intake) -> Supervised:
        """A defect that one device brings out ends nobody else's listening."""
        listen = partial(self._listen, one, intake, Changes())
        return Supervised(f"events of {one.endpoint}", "system", listen, self._clock, self._record)

    async def _listen(self, one: Listed, intake: Intake, changes: Changes) -> None:
        await self._learned(one)
        async with aclosing(self.points[one.endpoint].messages()) as messages:
            async for said in messages:
                made = await self._made(one, said, changes)
                if made is not None:
                    await self._kept(intake, made)

    async def _learned(self, one: Listed) -> None:
        """Events carry the device's name in ids, which it gets once it was read."""
        pause = BACK_OFF_S[0]
        while one.facts is None:
            try:
                await self._fleet.learn(one)
            except SystemFault:
                await asyncio.sleep(pause)
                pause = min(2 * pause, BACK_OFF_S[1])

    async def _made(self, one: Listed, said: Notification, changes: Changes) -> Submission | None:
        means = await meaning(said)
        if means is None or means.kind not in self._kinds or said.operation == "Deleted":
            return None
        if not changes.is_new(said, means.active):
            return None
        return submission(self._sender(one), said, means, one.device.offset, self._now())

    def _sender(self, one: Listed) -> Sender:
        identity, facts = one.identity, one.facts
        assert identity is not None
        assert facts is not None
        configurations = {each.configuration: each.source for each in facts.profiles if each.configuration}
        return Sender(self._settings.name, identity.key, self._settings.area, one.cameras(), configurations)

    async def _kept(self, intake: Intake, made: Submission) -> None:
        """The device has forgotten the message; it is offered until it is on disk or refused for good."""
        while True:
            try:
                await intake.accept(made)
                return
            except IntakeClosed:
                await asyncio.sleep(INTAKE_PAUSE_S)
            except Refused as refused:
                self._record(EventRefused(self._settings.name, "refused", str(refused)))
                return

    def _told(self, endpoint: str, trouble: str) -> None:
        """Once on the way down, once on the way up."""
        name = f"system {self._settings.name}"
        if trouble:
            self._record(Trouble(name, f"events of {endpoint} do not come: {trouble}; tried again until they do"))
        else:
            self._record(Notice(name, f"events of {endpoint} come again"))

    def _now(self) -> datetime:
        return self._clock.now()


def _load_parsers() -> None:
    """Beside the loop: it brings a whole SOAP library with it."""
    import onvif_parsers  # noqa: F401
