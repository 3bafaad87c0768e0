"""A node that freezes in the middle of a transaction keeps what it has locked; the others get through all the same."""

import asyncpg
import pytest
from storekit.values import arrival, at

from tocsin.store.contract import Lease
from tocsin.store.open import open_store
from tocsin.store.postgres import SETTINGS, Queries
from tocsin.store.steps import Query


@pytest.mark.parametrize(
    "held", [Query("lock_sequence"), Query("lease_epoch", ("arc",)), Query("lease", ("arc",))], ids=lambda one: one.name
)
async def test_others_accept_events_and_take_over(postgres_server, held):
    place = postgres_server.new_database(f"frozen-{held.name}")
    frozen, store = await asyncpg.connect(place, server_settings=SETTINGS), open_store(place)
    await store.open()
    try:
        await store.claim("arc", "frozen", 2, at(0))
        await frozen.execute("BEGIN")
        await frozen.fetch(Queries().text(held), *held.values)
        assert [accepted.seq for accepted in await store.accept([arrival("E1")])] == [1]
        assert await store.claim("arc", "other", 2, at(3)) == Lease("arc", "other", 2, at(5))
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
            await frozen.execute("COMMIT")
    finally:
        frozen.terminate()
        await store.aclose()
