"""Who carries out changes: a thread of its own with group commit, or the loop itself (simulation)."""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, NamedTuple, Protocol

from tocsin.store.contract import StoreTooNew, StoreUnavailable
from tocsin.store.steps import Operation
from tocsin.store.surroundings import Watch

MOST_WAITING = 65_536
"""Weight of the operations that may wait for the writer; beyond it callers wait with theirs."""
MOST_TOGETHER = 16_384
"""Weight of one transaction."""
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0


class Database(Protocol):
    """What a writer drives. Used from one thread only. Everything may raise StoreUnavailable."""

    def open(self) -> None:
        """Connect, create or migrate. Raises StoreTooNew."""

    def probe(self) -> None:
        """A real write."""

    def apply(self, operations: Sequence[Operation]) -> list[Any]:
        """All in one transaction; an answer, or an exception, for each. After StoreUnavailable nothing was kept for
        certain.
        """

    def close(self) -> None: ...


class Waiting(NamedTuple):
    operation: Operation
    answer: asyncio.Future[Any]


def delays() -> Iterator[float]:
    """Seconds before each attempt to open again."""
    delay = FIRST_DELAY_S
    while True:
        yield delay
        delay = min(2 * delay, LONGEST_DELAY_S)


def settle_future(answer: asyncio.Future[Any], result: Any) -> None:
    """An exception among the answers is raised to its caller, each its own instance."""
    if answer.done():
        return
    if isinstance(result, StoreUnavailable):
        answer.set_exception(StoreUnavailable(str(result)))
    elif isinstance(result, BaseException):
        answer.set_exception(result)
    else:
        answer.set_result(result)


class Room:
    """Back-pressure: how much is waiting, and callers who wait until there is room again. Used on the loop only."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._load = 0
        self._callers: deque[asyncio.Future[None]] = deque()

    async def enter(self, weight: int) -> None:
        while self._load >= self._most:
            caller: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._callers.append(caller)
            await caller
        self._load += weight

    def leave(self, weight: int) -> None:
        self._load -= weight
        while self._callers and self._load < self._most:
            caller = self._callers.popleft()
            if not caller.done():
                caller.set_result(None)
                return

    def wake_all(self) -> None:
        while self._callers:
            caller = self._callers.popleft()
            if not caller.done():
                caller.set_result(None)


class ThreadWriter:
    """One thread owns the writing connection: it takes all that is waiting, commits once, and answers all at once."""

    def __init__(self, database: Database, watch: Watch, most_waiting: int = MOST_WAITING) -> None:
        self._database = database
        self._watch = watch
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._room = Room(most_waiting)
        self._writable = False
        self._stopping = False
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        ready: asyncio.Future[Any] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="store-writer", daemon=True)
        self._thread.start()
        await ready

    async def submit(self, operation: Operation) -> Any:
        """Returns the operation's answer when it is on disk. Raises StoreUnavailable."""
        await self._room.enter(operation.weight)
        if not self._writable:
            self._room.leave(operation.weight)
            raise StoreUnavailable("the store cannot write at the moment; it opens again by itself")
        answer = self._loop.create_future()
        self._queue.put(Waiting(operation, answer))
        return await answer

    def writable(self) -> bool:
        return self._writable

    async def aclose(self) -> None:
        """Writes what is waiting, then ends the thread and closes the database."""
        if self._thread is None:
            return
        self._writable = False
        self._room.wake_all()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._thread = None

    # On the writer's thread

    def _run(self, ready: asyncio.Future[Any]) -> None:
        try:
            self._database.open()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller of open() must hear it
            self._database.close()
            self._tell(settle_future, ready, error)
            return
        self._writable = True
        self._tell(settle_future, ready, None)
        while batch := self._take():
            self._commit(batch)
        self._database.close()

    def _take(self) -> list[Waiting]:
        """All that is waiting, up to one transaction's weight; empty when it is time to stop."""
        batch: list[Waiting] = []
        weight = 0
        while weight < MOST_TOGETHER and not self._stopping:
            try:
                waiting = self._queue.get(block=not batch)
            except queue.Empty:
                break
            if waiting is None:
                self._stopping = True
                break
            batch.append(waiting)
            weight += waiting.operation.weight
        return batch

    def _commit(self, batch: list[Waiting]) -> None:
        started = monotonic()
        try:
            answers = self._database.apply([waiting.operation for waiting in batch])
        except StoreUnavailable as error:
            self._outage(batch, str(error))
        except Exception as error:  # noqa: BLE001 - top of the thread: callers must be answered, the thread goes on
            self._outage(batch, f"unexpected {type(error).__name__}: {error}")
        else:
            self._tell(self._watch.committed, monotonic() - started, len(batch))
            self._tell(self._answer, batch, answers)

    def _outage(self, batch: list[Waiting], reason: str) -> None:
        """Nothing of the batch counts as kept. Close, refuse, open again with growing pauses until a write goes
        through.
        """
        self._writable = False
        went_down = monotonic()
        self._database.close()
        self._tell(self._watch.went_down, reason)
        self._refuse(batch, reason)
        for delay in delays():
            if not self._refuse_for(delay, reason):
                return
            if self._opened_again():
                break
        self._writable = True
        self._tell(self._watch.came_back, monotonic() - went_down)

    def _opened_again(self) -> bool:
        try:
            self._database.open()
            self._database.probe()
        except (StoreUnavailable, StoreTooNew):
            self._database.close()
            return False
        return True

    def _refuse_for(self, seconds: float, reason: str) -> bool:
        """Refuses what still comes for so long; False when it is time to stop."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            try:
                waiting = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if waiting is None:
                self._stopping = True
                return False
            self._refuse([waiting], reason)
        return not self._stopping

    def _refuse(self, batch: list[Waiting], reason: str) -> None:
        self._tell(self._answer, batch, [StoreUnavailable(reason)] * len(batch))

    def _tell(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            self._stopping = True  # the loop is closed: nobody is left to be told

    def _answer(self, batch: list[Waiting], answers: list[Any]) -> None:
        for waiting, answer in zip(batch, answers, strict=True):
            self._room.leave(waiting.operation.weight)
            settle_future(waiting.answer, answer)


class InlineWriter:
    """Carries each operation out on the loop, at once: for a loop with virtual time. No thread anywhere."""

    def __init__(self, database: Database, watch: Watch) -> None:
        self._database = database
        self._watch = watch
        self._open = False

    async def open(self) -> None:
        self._database.open()
        self._open = True

    async def submit(self, operation: Operation) -> Any:
        if not self._open:
            raise StoreUnavailable("the store is closed")
        [answer] = self._database.apply([operation])
        self._watch.committed(0.0, 1)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def writable(self) -> bool:
        return self._open

    async def aclose(self) -> None:
        self._open = False
        self._database.close()
