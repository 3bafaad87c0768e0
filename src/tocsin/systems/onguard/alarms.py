"""Events that become alarms: from the message bus where it is set up, otherwise from the event log."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aio_pika.exceptions import ChannelNotFoundEntity

from tocsin.engine.contracts import Intake, IntakeClosed, Refused
from tocsin.engine.systems import SystemFault, Unreachable
from tocsin.systems.onguard.bus import consume, description_of, renewed, subscribed
from tocsin.systems.onguard.event_log import EventLog
from tocsin.systems.onguard.events import Knows, LoggedEvent, device_of, meaning_of, meanings, read_event, submission
from tocsin.systems.onguard.session import Session
from tocsin.systems.onguard.settings import AmqpSettings, OnGuardSettings
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.telemetry.occurrences import Notice, Trouble

PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0)
CLOSED_S = 1.0
LOOK_BACK = 200
"""Rows of the log that are read again after a start, at least: their ids tell what was kept before."""


class Alarms:
    """Hands events to the intake, in their order; nothing is passed over before it is on disk there."""

    def __init__(self, session: Session, settings: OnGuardSettings, around: SystemSurroundings, knows: Knows) -> None:
        self._session = session
        self._settings = settings
        self._around = around
        self._knows = knows
        self._zone = settings.zone()
        self._meanings = meanings(settings.alarm_texts)
        self._log = EventLog(session, self._zone)
        self._since = around.clock.now() - timedelta(seconds=settings.catch_up)
        self._down = ""
        self.pauses_s = PAUSES_S

    async def run(self, intake: Intake) -> None:
        """Until cancelled. What fails is told once, and once when it is over."""
        failures = 0
        while True:
            try:
                await self._once(intake)
            except SystemFault as fault:
                failures = failures + 1 if self._down else 1
                self._tell(fault)
            await asyncio.sleep(self.pauses_s[min(failures, len(self.pauses_s)) - 1])

    async def _once(self, intake: Intake) -> None:
        if self._settings.amqp is not None:
            await self._from_bus(self._settings.amqp, intake)
        await self._from_log(intake)

    async def _from_log(self, intake: Intake) -> None:
        await self._log.begin(LOOK_BACK, self._since)
        while True:
            for event in await self._log.more():
                if not self._is_of_old(event):
                    await self._hand_over(event, intake)
                self._log.last = event.serial_number
            self._up()
            await asyncio.sleep(self._settings.health.hint_every)

    def _is_of_old(self, event: LoggedEvent) -> bool:
        """Only what was in the log before is judged by its time: OnGuard's clock may be wrong by hours."""
        return event.serial_number <= self._log.end and event.at is not None and event.at < self._since

    async def _from_bus(self, amqp: AmqpSettings, intake: Intake) -> None:
        async def take(content: Any) -> None:
            self._up()
            rows = content if isinstance(content, list) else [content]
            for row in rows:
                event = read_event(row, self._zone, amqp.fields) if isinstance(row, Mapping) else None
                if event is not None:
                    await self._hand_over(event, intake)

        where = await subscribed(self._session, amqp, description_of(self._settings.name))
        try:
            await consume(amqp, where, take)
        except ChannelNotFoundEntity as gone:
            await renewed(self._session, amqp, where)
            raise Unreachable("the queue of the subscription was gone; events may be missing; made anew") from gone

    async def _hand_over(self, event: LoggedEvent, intake: Intake) -> None:
        """Returns when the event is on disk, or is not to be kept."""
        means = meaning_of(event, self._meanings, self._settings.alarms)
        if means is None:
            return
        device = device_of(event, self._knows)
        now = self._around.clock.now()
        made = submission(self._settings.name, self._settings.area, event, means, device, now)
        while True:
            try:
                await intake.accept(made)
            except IntakeClosed:
                await asyncio.sleep(CLOSED_S)
            except Refused as refused:
                self._around.record(Trouble(self._settings.name, f"event {made.event.id} was not taken: {refused}"))
                return
            else:
                return

    def _tell(self, fault: SystemFault) -> None:
        if str(fault) != self._down:
            self._down = str(fault)
            self._around.record(Trouble(self._settings.name, f"no events for alarms at the moment: {fault}"))

    def _up(self) -> None:
        if self._down:
            self._down = ""
            self._around.record(Notice(self._settings.name, "events for alarms arrive again"))
