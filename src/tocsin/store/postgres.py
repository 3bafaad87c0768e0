"""PostgreSQL: one writing connection per node with group commit, and a pool for questions."""

import asyncio
import contextlib
import json
import re
from collections.abc import Sequence
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg

from tocsin.store.contract import StoreTooNew, StoreUnavailable
from tocsin.store.migrations import marks, scripts
from tocsin.store.queries import load_queries
from tocsin.store.steps import Bulk, Operation, Query, Row, Steps, alone, together
from tocsin.store.surroundings import Watch
from tocsin.store.writer import MOST_TOGETHER, MOST_WAITING, Room, Waiting, delays, settle_future

T = TypeVar("T")
OUTSIDE = (
    OSError,  # TimeoutError among them
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection whose server died in the middle of an answer is of no more use
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
"""What the server, the network or their state does to us, as opposed to what we asked wrongly."""
CONNECT_S = 5.0
COMMAND_S = 15.0
CLOSE_S = 5.0
SETTINGS = {
    "application_name": "tocsin",
    "synchronous_commit": "on",
    "statement_timeout": "14000",
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "5000",
}
"""The last is a node that has frozen in the middle of a transaction: the others wait for its locks, and must get them
before they give up.
"""
_MARK = re.compile(r"\?")


def numbered(text: str) -> str:
    """Question marks as PostgreSQL's $1, $2 …"""
    parts = _MARK.split(text)
    return parts[0] + "".join(f"${n}{part}" for n, part in enumerate(parts[1:], 1))


def shown(url: str) -> str:
    """Hosts and database, without user and password."""
    parts = urlsplit(url)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


class Queries:
    """The named queries in PostgreSQL's form."""

    def __init__(self) -> None:
        self._texts = {name: query.text for name, query in load_queries("postgres").items()}

    def text(self, step: Query | Bulk) -> str:
        text = self._texts[step.name]
        if isinstance(step, Query) and step.conditions:
            text = text.replace("{where}", " AND ".join(step.conditions))
        return numbered(text)

    async def run(self, connection: Any, steps: Steps[T]) -> T:
        """One plan on one connection."""
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._do(connection, step))
        except StopIteration as stop:
            answer: T = stop.value
            return answer

    async def _do(self, connection: Any, step: Query | Bulk) -> list[Row]:
        if isinstance(step, Query):
            values = [_parameter(value) for value in step.values]
        elif step.rows:
            values = [list(column) for column in zip(*step.rows, strict=True)]
        else:
            return []
        return [tuple(record) for record in await connection.fetch(self.text(step), *values)]


def _parameter(value: Any) -> Any:
    """Lists of tuples travel as JSON, other lists as arrays."""
    return json.dumps(value) if isinstance(value, list) and value and isinstance(value[0], tuple) else value


class PostgresEngine:
    """Any number of nodes may share the database."""

    def __init__(self, url: str, watch: Watch, readers: int = 4, most_waiting: int = MOST_WAITING) -> None:
        self._url = url
        self._shown = shown(url)
        self._watch = watch
        self._readers = readers
        self._queries = Queries()
        self._room = Room(most_waiting)
        self._waiting: asyncio.Queue[Waiting | None] = asyncio.Queue()
        self._stopping = asyncio.Event()
        self._writable = False
        self._connection: Any = None
        self._pool: Any = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        try:
            await self._connect()
        except (*OUTSIDE, asyncpg.PostgresError) as error:  # whatever it is: there is nothing to go on with
            await self._disconnect()
            raise self._unavailable(error) from error
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._readers,
            timeout=CONNECT_S,
            command_timeout=COMMAND_S,
            server_settings=SETTINGS,
        )
        self._writable = True
        self._task = asyncio.create_task(self._run(), name="store-writer")

    async def write(self, operation: Operation) -> Any:
        await self._room.enter(operation.weight)
        if not self._writable:
            self._room.leave(operation.weight)
            raise StoreUnavailable("the store cannot write at the moment; it connects again by itself")
        answer = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(Waiting(operation, answer))
        return await answer

    async def read(self, steps: Steps[T]) -> T:
        try:
            async with self._pool.acquire(timeout=CONNECT_S) as connection:
                return await self._queries.run(connection, steps)
        except OUTSIDE as error:
            raise self._unavailable(error) from error

    def writable(self) -> bool:
        return self._writable

    async def aclose(self) -> None:
        """Writes what is waiting, then closes the connections."""
        self._writable = False
        self._room.wake_all()
        self._stopping.set()
        if self._task is not None:
            self._waiting.put_nowait(None)
            await self._task
            self._task = None
        await self._disconnect()
        if self._pool is not None:
            await close(self._pool)

    async def _run(self) -> None:
        while batch := await self._take():
            await self._commit(batch)

    async def _take(self) -> list[Waiting]:
        """All that is waiting, up to one transaction's weight; empty when it is time to stop."""
        batch: list[Waiting] = []
        weight = 0
        while weight < MOST_TOGETHER and not (self._waiting.empty() and (batch or self._stopping.is_set())):
            if (waiting := await self._waiting.get()) is None:  # it only wakes: `_stopping` says that it is time
                continue
            batch.append(waiting)
            weight += waiting.operation.weight
        return batch

    async def _commit(self, batch: list[Waiting]) -> None:
        started = monotonic()
        try:
            answers = await self._apply([waiting.operation for waiting in batch])
        except StoreUnavailable as error:
            await self._outage(batch, str(error))
        except Exception as error:  # noqa: BLE001 - top of the task: callers must be answered, the task goes on
            await self._outage(batch, f"unexpected {type(error).__name__}: {error}")
        else:
            self._watch.committed(monotonic() - started, len(batch))
            self._answer(batch, answers)

    async def _apply(self, operations: Sequence[Operation]) -> list[Any]:
        try:
            return await self._transaction(together(operations))
        except OUTSIDE as error:
            raise self._unavailable(error) from error
        except Exception as error:  # noqa: BLE001 - one caller's fault must not fail the others: each by itself
            if len(operations) == 1 and operations[0].cautious is None and not _by_chance(error):
                return [error]
            return [await self._apply_alone(operation) for operation in operations]

    async def _apply_alone(self, operation: Operation) -> Any:
        try:
            return await self._transaction(alone(operation))
        except OUTSIDE as error:
            raise self._unavailable(error) from error
        except Exception as error:  # noqa: BLE001 - handed to the one caller it belongs to
            return self._unavailable(error) if _by_chance(error) else error

    async def _transaction(self, steps: Steps[T]) -> T:
        async with self._connection.transaction():
            return await self._queries.run(self._connection, steps)

    async def _outage(self, batch: list[Waiting], reason: str) -> None:
        """Nothing of the batch counts as kept. Disconnect, refuse, connect again with growing pauses until a write
        goes through.
        """
        self._writable = False
        went_down = monotonic()
        self._watch.went_down(reason)
        self._refuse(batch, reason)
        await self._disconnect()
        for delay in delays():
            self._refuse(self._drain(), reason)
            if await self._stopped_within(delay):
                return
            if await self._connected_again():
                break
        self._refuse(self._drain(), reason)
        self._writable = True
        self._watch.came_back(monotonic() - went_down)

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()

    async def _connected_again(self) -> bool:
        try:
            await self._connect()
            await self._transaction(probe())
        except (*OUTSIDE, asyncpg.PostgresError, StoreTooNew):
            await self._disconnect()
            return False
        return True

    async def _connect(self) -> None:
        self._connection = await asyncpg.connect(
            self._url, timeout=CONNECT_S, command_timeout=COMMAND_S, server_settings=SETTINGS
        )
        await self._migrate()

    async def _migrate(self) -> None:
        async with self._connection.transaction():
            meta = await self._queries.run(self._connection, meta_of())
            for script in scripts("postgres", meta, self._shown):
                await self._connection.execute(script)
            if meta != (wanted := marks("postgres")):
                await self._queries.run(self._connection, mark(wanted))

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)

    def _drain(self) -> list[Waiting]:
        left: list[Waiting] = []
        while not self._waiting.empty():
            waiting = self._waiting.get_nowait()
            if waiting is not None:
                left.append(waiting)
        return left

    def _refuse(self, batch: list[Waiting], reason: str) -> None:
        self._answer(batch, [StoreUnavailable(reason)] * len(batch))

    def _answer(self, batch: list[Waiting], answers: list[Any]) -> None:
        for waiting, answer in zip(batch, answers, strict=True):
            self._room.leave(waiting.operation.weight)
            settle_future(waiting.answer, answer)

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"{self._shown}: {type(error).__name__}: {error}")


def _by_chance(error: Exception) -> bool:
    """Nodes got into each other's way: the transaction was undone, and may go through the next time."""
    return isinstance(error, asyncpg.TransactionRollbackError)


async def close(connection: Any) -> None:
    """Within five seconds, whatever the server does."""
    try:
        await asyncio.wait_for(connection.close(), CLOSE_S)
    except OUTSIDE:
        connection.terminate()


def meta_of() -> Steps[dict[str, str] | None]:
    """What the database says about itself; None: it holds nothing of ours."""
    yield Query("lock_schema")
    [(present,)] = yield Query("has_meta")
    return dict((yield Query("schema_version"))) if present else None


def mark(wanted: dict[str, str]) -> Steps[None]:
    """Have the database say this about itself."""
    for name, value in wanted.items():
        yield Query("put_meta", (name, value))


def probe() -> Steps[None]:
    """A write that leaves nothing behind."""
    yield Query("put_meta", ("probe", "written"))
    yield Query("drop_meta", ("probe",))
