"""The gateway's own events: started, stopped, a destination down or up, a panel silent. They go the way of every
event.
"""

import asyncio
from collections import deque

from tocsin.engine.contracts import Clock, Intake, IntakeClosed, Submission, Supervised
from tocsin.engine.routing import GATEWAY, destination_device
from tocsin.model.event import Address, Event, Place
from tocsin.model.kinds import Kind
from tocsin.telemetry.occurrences import Trouble
from tocsin.telemetry.record import Recorder

MOST_WAITING = 1000
AGAIN_S = 1.0


class Announcer:
    """Queues what is to be said and hands it to the intake, again and again while the intake is closed."""

    def __init__(self, intake: Intake, clock: Clock, record: Recorder, gateway: str) -> None:
        self._intake = intake
        self._clock = clock
        self._record = record
        self._gateway = gateway
        self._waiting: deque[Event] = deque()
        self._woken = asyncio.Event()

    def say(self, kind: Kind, text: str, device_id: str = "", address: Address | None = None, area: str = "") -> None:
        """Say it soon. Beyond a thousand waiting, the oldest is dropped and that is said."""
        self.announce(self.event(kind, text, device_id, address, area))

    def announce(self, event: Event) -> None:
        """The same for an event made before."""
        if len(self._waiting) >= MOST_WAITING:
            dropped = self._waiting.popleft()
            self._record(Trouble("gateway", f"own event dropped, too many are waiting: {dropped.kind}"))
        self._waiting.append(event)
        self._woken.set()

    def destination_changed(self, name: str, reason: str) -> None:
        """`reason` empty: it is up again."""
        if reason:
            self.say("destination_down", f"Destination {name} cannot be reached: {reason}", destination_device(name))
        else:
            self.say("destination_up", f"Destination {name} is reachable again", destination_device(name))

    def path_changed(self, destination: str, path: str, reason: str) -> None:
        """Told to that destination too: its other path still stands."""
        if reason:
            self.say("supervision_lost", f"path {path} of destination {destination} is lost: {reason}")
        else:
            self.say("supervision_restored", f"path {path} of destination {destination} is back")

    def supervision_changed(self, source: str, subject: Supervised, restored: bool) -> None:
        """A source hears a subject again, or no more."""
        where = ("", subject.address, subject.area)
        who = f"{subject.subject}, {subject.path} path," if subject.path else subject.subject
        if restored:
            self.say("supervision_restored", f"{who} is heard again", *where)
        else:
            text = f"nothing heard from {who} on {source} for more than {subject.interval_s:g} s"
            self.say("supervision_lost", text, *where)

    def event(
        self, kind: Kind, text: str, device_id: str = "", address: Address | None = None, area: str = ""
    ) -> Event:
        now = self._clock.now()
        return Event(
            "",
            kind,
            now,
            now,
            GATEWAY,
            device_id=device_id,
            place=Place(area=area),
            address=address,
            text=f"{self._gateway}: {text}",
        )

    async def run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                event = self._waiting.popleft()
                try:
                    await self._intake.accept(Submission(event))
                except IntakeClosed:
                    self._waiting.appendleft(event)
                    await asyncio.sleep(AGAIN_S)
