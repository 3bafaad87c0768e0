"""`agentkit` can be imported; a scene for each test."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[3]))

from agentkit.scene import Scene

from tocsin.standins.clearance.standin import Storage
from tocsin.standins.clearance.switches import read_assumptions
from tocsin.store.open import open_store

Start = Callable[..., Awaitable[Scene]]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Start]:
    """`await scene("lock_s=10", profile=…)`."""
    open_: list[Scene] = []
    store = open_store(str(tmp_path / "tocsin.db"))
    await store.open()

    async def start(*assumed: str, profile: str = "", storage: Storage | None = None) -> Scene:
        one = Scene(store, tmp_path, read_assumptions(assumed), profile, storage)
        await one.open()
        open_.append(one)
        return one

    yield start
    for one in open_:
        await one.aclose()
    await store.aclose()
