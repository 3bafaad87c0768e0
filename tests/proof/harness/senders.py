"""Sources of the simulation: they repeat what was not acknowledged, lose patience, send twice, and add things later."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from harness.scripted import REFUSED_TEXT
from tocsin.engine.contracts import Clock, IntakeClosed, PhotoIn, Submission, Taken
from tocsin.model.event import Address, Event
from tocsin.model.kinds import Kind
from tocsin.store.contract import StoreUnavailable

KINDS: tuple[Kind, ...] = (
    *("motion", "motion", "motion", "tamper", "burglary", "fire", "panic", "alarm"),
    *("armed", "disarmed", "battery_low", "connection_lost", "aux_power_lost", "supervision_lost"),
    *("routine_check", "routine_check", "test", "info", "snapshot"),
)
DEVICES = 12
ACCOUNTS = 4
PHOTO = b"\xff\xd8 a picture \xff\xd9"


class Door(Protocol):
    """The gateway as its senders reach it, whichever life it is in."""

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[Taken]:
        """Raises IntakeClosed, also when the process died meanwhile."""

    async def amend(self, event_id: str) -> None: ...

    async def add_photo(self, event_id: str) -> None: ...


class Sender:
    """One source. `promised` collects the marks of what was acknowledged; each event carries its mark in `raw`."""

    def __init__(
        self,
        name: str,
        door: Door,
        clock: Clock,
        randomness: random.Random,
        pause_s: float,
        make: "Callable[[Sender], Submission]",
    ) -> None:
        self.name = name
        self.random = randomness
        self.sent = 0
        self.promised: dict[str, Taken] = {}
        self._door = door
        self._clock = clock
        self._pause_s = pause_s
        self._make = make
        self._additions: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        while True:
            await asyncio.sleep(self.random.expovariate(1 / self._pause_s))
            burst = self.random.choice((1, 1, 1, 1, 2, 5, 40)) if self.random.random() < 0.2 else 1
            await self._bring([self._make(self) for _ in range(burst)])

    async def _bring(self, batch: Sequence[Submission]) -> None:
        """Again and again until it is acknowledged, as a good panel does."""
        while True:
            try:
                patience_s = 0.003 if self.random.random() < 0.05 else 30.0
                answers = await asyncio.wait_for(self._door.submit(batch), patience_s)
            except (IntakeClosed, TimeoutError):
                await asyncio.sleep(self.random.uniform(1, 5))
                continue
            for submission, taken in zip(batch, answers, strict=True):
                self._acknowledged(submission, taken)
            if self.random.random() < 0.05:
                continue  # the acknowledgement was lost on the way
            return

    def _acknowledged(self, submission: Submission, taken: Taken) -> None:
        self.promised[submission.event.raw] = taken
        if taken.duplicate:
            return
        if submission.event.classification == "pending":
            self._add(self._door.amend, taken.id)
        if submission.event.photos_expected:
            self._add(self._door.add_photo, taken.id)

    def _add(self, addition: Callable[[str], Awaitable[None]], event_id: str) -> None:
        async def later() -> None:
            await asyncio.sleep(self.random.uniform(0.5, 15))
            try:
                await addition(event_id)
            except (StoreUnavailable, IntakeClosed):
                return  # without it, the event goes when its time has come

        task = asyncio.create_task(later())
        self._additions.add(task)
        task.add_done_callback(self._additions.discard)

    def event(self, address: Address | None = None, **facts: object) -> Event:
        self.sent += 1
        chance = self.random.random()
        now = self._clock.now()
        return Event(
            id="",
            kind=self.random.choice(KINDS),
            occurred_at=now,
            accepted_at=now,
            source=self.name,
            state="restore" if chance < 0.1 else "new",
            device_id=f"dev-{self.random.randrange(DEVICES)}",
            address=address,
            text=f"{REFUSED_TEXT} arc" if 0.1 < chance < 0.12 else "",
            raw=f"{self.name}/{self.sent}",
            **facts,  # type: ignore[arg-type]
        )


def with_ids(sender: Sender) -> Submission:
    """As over HTTP: own ids; some wait for their classification or a picture."""
    late = sender.random.random()
    event = sender.event(
        _address(sender.random),
        classification="pending" if late < 0.1 else "done",
        photos_expected=1 if late > 0.9 else 0,
    )
    return Submission(replace(event, id=event.raw.replace("/", "-")), digest=event.raw.encode())


def with_repeats(sender: Sender) -> Submission:
    """As from a panel: no id, but a key by which repeats are known."""
    event = sender.event(_address(sender.random))
    return Submission(event, repeat_key=event.raw.encode(), repeat_window_s=90)


def with_nothing(sender: Sender) -> Submission:
    """As by mail: no id, no key; what is sent twice is there twice. Some bring no account."""
    event = sender.event(_address(sender.random) if sender.random.random() < 0.8 else None)
    return Submission(event, photos=[PhotoIn(PHOTO)] if sender.random.random() < 0.2 else ())


def _address(randomness: random.Random) -> Address:
    return Address(f"{randomness.randrange(ACCOUNTS):04}", "01", f"{randomness.randrange(30):03}")
