"""Every test of the contract runs on both engines, each with a database of its own."""

import itertools
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from storekit.postgres import PostgresServer, running_server

from tocsin.store.contract import Store
from tocsin.store.open import open_store

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A path or URL where a store can be opened, and opened again."""
    if request.param == "sqlite":
        yield str(tmp_path / "tocsin.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    yield server.new_schema(f"test{next(_numbers)}")


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    opened = open_store(place)
    await opened.open()
    yield opened
    await opened.aclose()
