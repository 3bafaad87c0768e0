"""Whether a PostgreSQL database is fit for this program: looked at and tried out, and left exactly as it was."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import asyncpg
from msgspec import Struct

from tocsin.store.migrations import marks, scripts
from tocsin.store.postgres import COMMAND_S, CONNECT_S, SETTINGS, Queries, close, mark, meta_of, probe, shown
from tocsin.store.queries import read_sql
from tocsin.store.steps import Query, Steps

_TABLE = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)


class Server(Struct, frozen=True):
    """Who answered, and as whom we were let in. `schema` is empty where there is none to make tables in."""

    version: str
    user: str
    database: str
    schema: str


class Standing(Struct, frozen=True):
    """How far the database is. `lacking`: how many migrations the next start carries out."""

    empty: bool
    lacking: int = 0
    denied: tuple[str, ...] = ()
    """Our tables that this user may not read, write or (when scripts are lacking) change."""
    may_create: bool = True


class NotOurs(Exception):
    """The database holds a table of the name we look for, and somebody else's."""


class Trial:
    """One connection to the database."""

    def __init__(self, connection: Any, url: str) -> None:
        self._connection = connection
        self._shown = shown(url)
        self._queries = Queries()

    async def server(self) -> Server:
        """Raises asyncpg's errors, as everything here does."""
        [(version, user, database, schema)] = await self._ask(_rows("server"))
        return Server(version, user, database, schema or "")

    async def standing(self) -> Standing:
        """What is there and what is missing; in an empty database the tables are made, and taken back. Raises
        StoreTooNew, NotOurs.
        """
        async with self._undone():
            meta = await self._meta()
            lacking = scripts("postgres", meta, self._shown)
            if meta is None:
                for script in lacking:
                    await self._connection.execute(script)
                await self._queries.run(self._connection, mark(marks("postgres")))
                return Standing(empty=True)
            return await self._rights(len(lacking))

    async def write(self) -> None:
        """A row is written and taken back."""
        async with self._undone():
            await self._queries.run(self._connection, probe())

    async def _meta(self) -> dict[str, str] | None:
        try:
            meta = await self._queries.run(self._connection, meta_of())
        except asyncpg.UndefinedColumnError as error:
            raise NotOurs from error
        if meta is not None and not meta.get("schema", "").isdecimal():
            raise NotOurs
        return meta

    async def _rights(self, lacking: int) -> Standing:
        tables = _TABLE.findall(read_sql("postgres", "schema.sql"))
        denied = [name for (name,) in await self._queries.run(self._connection, _rows("denied_tables", tables))]
        if not lacking:
            return Standing(False, 0, tuple(denied))
        foreign = [name for (name,) in await self._queries.run(self._connection, _rows("foreign_tables", tables))]
        [(may_create,)] = await self._queries.run(self._connection, _rows("may_create"))
        return Standing(False, lacking, tuple(sorted({*denied, *foreign})), may_create)

    async def _ask(self, steps: Steps[Any]) -> Any:
        return await self._queries.run(self._connection, steps)

    @asynccontextmanager
    async def _undone(self) -> AsyncIterator[None]:
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            yield
        finally:
            with suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):  # a lost connection undoes it too
                await transaction.rollback()


@asynccontextmanager
async def on_trial(url: str) -> AsyncIterator[Trial]:
    """Raises asyncpg's errors, OSError."""
    connection = await asyncpg.connect(url, timeout=CONNECT_S, command_timeout=COMMAND_S, server_settings=SETTINGS)
    try:
        yield Trial(connection, url)
    finally:
        await close(connection)


def _rows(name: str, *values: Any) -> Steps[list[Any]]:
    return cast("list[Any]", (yield Query(name, values)))
