"""A request to the storage, repeated until it is settled: what passes is waited for, what does not says who must give
up (clearance.md 11.4).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

from msgspec import Struct

from tocsin.engine.contracts import Clock, Randomness
from tocsin.evidence.contracts import Fenced, Impossible, NotNow, PlaceExpired, PlaceGone, Sleep, StartOver
from tocsin.evidence.pace import Pace
from tocsin.evidence.storage import Address, Answer
from tocsin.telemetry.occurrences import BlockStored, FileStored, StorageCameBack, StorageWentAway
from tocsin.telemetry.record import Recorder
from tocsin.transports.contract import TransportError, Unreachable

PURGED_AFTER = timedelta(hours=24)
"""The service removes what is not complete by then (9.3)."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 30.0
_MOST_DAMAGED = 3
_HELD_UP_AFTER_S = 60.0


class Watch(Protocol):
    """Told how uploads are doing; must not raise."""

    def block_stored(self, size: int, tries: int) -> None: ...

    def held_up(self, blob: str, reason: str) -> None:
        """Nothing has been stored for a minute; once until `went_on`."""

    def went_on(self, blob: str, after_s: float) -> None: ...

    def committed(self, blob: str, left_s: float | None) -> None:
        """`left_s`: how long the permission would have lasted; None when it does not say."""


class NoWatch:
    """For tools and tests that do not care."""

    def block_stored(self, size: int, tries: int) -> None: ...

    def held_up(self, blob: str, reason: str) -> None: ...

    def went_on(self, blob: str, after_s: float) -> None: ...

    def committed(self, blob: str, left_s: float | None) -> None: ...


class Telling(NoWatch):
    """Tells log and metrics: a storage that goes away and comes back, what had to be repeated, how near the end was."""

    def __init__(self, agent: str, record: Recorder) -> None:
        self._agent = agent
        self._record = record

    def block_stored(self, size: int, tries: int) -> None:
        self._record(BlockStored(self._agent, tries))

    def committed(self, blob: str, left_s: float | None) -> None:
        if left_s is not None:
            self._record(FileStored(self._agent, left_s))

    def held_up(self, blob: str, reason: str) -> None:
        self._record(StorageWentAway(self._agent, blob, reason))

    def went_on(self, blob: str, after_s: float) -> None:
        self._record(StorageCameBack(self._agent, blob, after_s))


class Surroundings(Struct, frozen=True):
    """What uploads take from outside. `slots` bounds the requests of all files together (11.5)."""

    clock: Clock
    randomness: Randomness
    sleep: Sleep
    slots: asyncio.Semaphore
    pace: Pace
    watch: Watch


class Settled(Struct, frozen=True):
    """`doubt`: an earlier try of the same request may have been carried out though its answer is not known."""

    answer: Answer
    tries: int
    doubt: bool


class Asking:
    """The requests of one file. `fence` is called right before each."""

    def __init__(
        self, surroundings: Surroundings, address: Address, begun_at: datetime, fence: Callable[[], None]
    ) -> None:
        self._around = surroundings
        self.address = address
        self._fence = fence
        purged_at = begun_at + PURGED_AFTER
        self._ends_at = min(address.expires_at or purged_at, purged_at)
        self._ahead = timedelta(0)
        self._failing_since: float | None = None
        self._told = False

    def left_s(self) -> float:
        """How long the storage will still take something, by its own clock."""
        return (self._ends_at - self._around.clock.now() - self._ahead).total_seconds()

    async def settled(self, send: Callable[[], Awaitable[Answer]], doubt: bool = False) -> Settled:
        """The answer that is not to be waited out any more. Raises Fenced, PlaceExpired, NotNow."""
        tries = damaged = 0
        while True:
            tries += 1
            try:
                answer = await self.once(send)
            except TransportError as error:
                doubt = doubt or not isinstance(error, Unreachable)
                await self._wait(str(error), tries, 0.0)
                continue
            if answer.meaning == "again":
                doubt = True
                said = f"{self.address.blob.partition('/')[0]} answers {answer.status} {answer.code}".strip()
                await self._wait(said, tries, answer.after_s)
            elif answer.meaning == "damaged":
                damaged += 1
                if damaged == _MOST_DAMAGED:
                    raise NotNow(
                        "A block arrived damaged three times in a row: look for a fault of this machine's memory or "
                        f"network card, or something on the way that changes data ({answer.code})"
                    )
            else:
                self._goes_on()
                return Settled(answer, tries, doubt)

    async def once(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """One try."""
        async with self._around.slots:
            self._must_be_open()
            self._fence()
            answer = await send()
        if answer.date is not None:
            self._ahead = answer.date - self._around.clock.now()
        return answer

    async def looked(self, look: Callable[[], Awaitable[bool | None]]) -> bool | None:
        """What is found; None also when the storage cannot be asked."""
        async with self._around.slots:
            self._must_be_open()
            self._fence()
            try:
                return await look()
            except TransportError:
                return None

    def _must_be_open(self) -> None:
        if self.left_s() <= 0:
            raise PlaceExpired("The permission to upload this file has run out; a new one is asked for")
        now = self._around.clock.now()
        if self._around.pace.bytes_per_s(now) == 0:
            opens = self._around.pace.opens_at(now)
            when = f"until {opens:%A %H:%M} UTC" if opens else "at any hour of the week"
            raise NotNow(f"The schedule of uploads allows none {when}")

    async def _wait(self, reason: str, tries: int, asked_s: float) -> None:
        """Full jitter: those that failed together do not come back together."""
        now = self._around.clock.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= _HELD_UP_AFTER_S and not self._told:
            self._told = True
            self._around.watch.held_up(self.address.blob, reason)
        longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(tries - 1, 10))
        await self._around.sleep(max(asked_s, self._around.randomness.random() * longest))

    def _goes_on(self) -> None:
        if self._failing_since is not None and self._told:
            self._around.watch.went_on(self.address.blob, self._around.clock.monotonic() - self._failing_since)
        self._failing_since, self._told = None, False


def give_up(answer: Answer, address: Address) -> NoReturn:
    """Raise what an answer other than `stored` means for the file."""
    said = f"{answer.status} {answer.code}".strip()
    match answer.meaning:
        case "expired":
            raise PlaceExpired(f"The storage does not accept the permission to upload any more ({said})")
        case "gone":
            raise PlaceGone(f"The storage does not know the place of this file any more ({said})")
        case "list":
            raise StartOver(f"The blocks of this upload are not there any more ({said}); it starts anew")
        case "taken":
            raise Fenced(f"Somebody else has finished this file ({said}); it is left to them")
        case "foreign":
            raise NotNow(
                f"{address.blob.partition('/')[0]} answers {said}, but not as the storage does: a proxy or filter in "
                "between refuses. Ask who runs it to let uploads pass"
            )
        case _:
            raise Impossible(f"The storage refuses the file: {said}")
