"""The store alone on a disk that fails to sync and is well again: nothing acknowledged is built upon a hole
(docs/decisions/0013-failed-syncs.md).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness.powercut import Faults, PowerCut, unavailable

from tocsin.store.contract import AuditEntry, Store, StoreUnavailable
from tocsin.store.open import open_store

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())
FOR_GOOD = 1_000_000


@pytest.fixture
def power(tmp_path: Path) -> Iterator[PowerCut]:
    with PowerCut(tmp_path) as mounted:
        yield mounted


@asynccontextmanager
async def opened(power: PowerCut) -> AsyncIterator[Store]:
    store = open_store(power.mount_point / "tocsin.db")
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


async def note(store: Store, action: str) -> None:
    await store.audit(AuditEntry(datetime.now(UTC), "operator", action, "a device"))


async def refused(store: Store, power: PowerCut, action: str, failing_syncs: int) -> None:
    await asyncio.to_thread(power.inject, Faults(failing_syncs=failing_syncs))
    with pytest.raises(StoreUnavailable):
        await note(store, action)


async def well_again(store: Store, power: PowerCut) -> None:
    await asyncio.to_thread(power.inject, Faults())
    async with asyncio.timeout(30):
        while not store.writable():
            await asyncio.sleep(0.02)


async def cut(power: PowerCut) -> None:
    await asyncio.to_thread(power.cut)


async def on_disk(power: PowerCut) -> list[str]:
    await asyncio.to_thread(power.restore)
    async with opened(power) as store:
        return [entry.action for entry in await store.audit_entries(10)][::-1]


@pytest.mark.parametrize("read", [False, True], ids=["nobody has read", "a reader is there"])
@pytest.mark.parametrize("failing_syncs", [1, FOR_GOOD])
async def test_what_follows_a_refused_commit_outlives_a_power_cut(
    power: PowerCut, failing_syncs: int, read: bool
) -> None:
    async with opened(power) as store:
        await note(store, "before")
        if read:
            await store.audit_entries(1)
        await refused(store, power, "refused", failing_syncs)
        await well_again(store, power)
        await note(store, "after")
        await cut(power)
    assert await on_disk(power) == ["before", "after"]


async def test_a_restart_on_a_failing_disk_loses_nothing_of_what_follows(power: PowerCut) -> None:
    """What was refused may be there: it was in doubt when the process ended."""
    async with opened(power) as store:
        await note(store, "before")
        await refused(store, power, "refused", FOR_GOOD)
    await asyncio.to_thread(power.inject, Faults())
    async with opened(power) as store:
        await note(store, "after")
        await cut(power)
    assert [action for action in await on_disk(power) if action != "refused"] == ["before", "after"]
