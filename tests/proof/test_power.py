"""The real process on a disk that forgets what was not synced, and on one that is full or failing (DESIGN.md 10.1)."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.powercut import Faults, PowerCut, unavailable
from harness.scene import Scene

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


@pytest.fixture
def power(tmp_path: Path) -> Iterator[PowerCut]:
    """With a data folder that has been there for a while."""
    with PowerCut(tmp_path) as mounted:
        (mounted.mount_point / "data").mkdir()
        mounted.restore()
        yield mounted


def on(power: PowerCut, folder: Path, **environment: str) -> Scene:
    return Scene(folder, power.mount_point / "data", **environment)


async def cuts(scene: Scene, power: PowerCut, times: int, seed: int, patience_s: float = 90) -> None:
    """Cut the power so often while senders go on. Every other time nobody answers before the cut, so that what was
    acknowledged is on the disk and nowhere else.
    """
    moments = random.Random(seed)
    await scene.start()
    scene.send()
    for n in range(times):
        if n % 2 == 0:
            scene.close_stations()
        faults = Faults(seed=moments.getrandbits(32), cut_at=moments.randint(200, 1500), torn=moments.random() < 0.5)
        await asyncio.to_thread(power.inject, faults)
        assert (await asyncio.to_thread(power.wait_for_cut, 60)).cut
        await scene.kill()
        await asyncio.to_thread(power.restore)
        scene.open_stations()
        await scene.start()
    await scene.settle(patience_s)
    print(f"{times} power cuts: {scene.summary()}")


@pytest.mark.parametrize("times", [3, pytest.param(50, marks=[pytest.mark.prove, pytest.mark.timeout(3600)])])
async def test_power_cuts_lose_nothing(tmp_path: Path, power: PowerCut, times: int) -> None:
    async with on(power, tmp_path) as scene:
        await cuts(scene, power, times, seed=1)
        assert len(scene.acknowledged) > 20 * times
        assert scene.lost() == []
        assert scene.disorder() == []


async def test_a_new_data_folder_survives_its_first_power_cut(tmp_path: Path, power: PowerCut) -> None:
    (power.mount_point / "data").rmdir()
    power.restore()
    async with on(power, tmp_path) as scene:
        await cuts(scene, power, 1, seed=3, patience_s=30)
        assert len(scene.acknowledged) > 20
        assert scene.lost() == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
async def test_a_weakened_store_is_found_out(tmp_path: Path, power: PowerCut, synchronous: str) -> None:
    async with on(power, tmp_path, TOCSIN_PROOF_SYNCHRONOUS=synchronous) as scene:
        await cuts(scene, power, 1, seed=2, patience_s=5)
        assert len(scene.acknowledged) > 20
        assert scene.lost() != []


async def failing(scene: Scene, power: PowerCut, faults: Faults) -> None:
    """The disk fails while impatient senders post; then it is well again; then the power is cut."""
    await scene.start()
    scene.close_stations()
    scene.send(patient=False)
    await scene.wait_until(lambda: some(len(scene.acknowledged) > 50), 30, "50 events are acknowledged")
    await asyncio.to_thread(power.inject, faults)
    await scene.wait_until(lambda: some(len(scene.refused) > 20), 30, "events are refused")
    assert (await asyncio.to_thread(power.inject, Faults())).refused > 0
    before = len(scene.acknowledged)
    await scene.wait_until(lambda: some(len(scene.acknowledged) > before + 50), 60, "events are taken again")
    await asyncio.to_thread(power.cut)
    await scene.kill()
    await asyncio.to_thread(power.restore)
    await scene.start()
    await scene.settle(60)
    kept = await scene.kept()
    both = set(scene.refused) & kept
    print(f"{scene.summary()}; {len(scene.refused)} refused, {len(both)} of them kept")
    assert scene.lost() == []
    assert set(scene.acknowledged) <= kept
    assert both == set()


async def some(truth: bool) -> bool:
    return truth


async def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path, power: PowerCut) -> None:
    async with on(power, tmp_path) as scene:
        await failing(scene, power, Faults(space=100_000))


async def test_failing_syncs_refuse_and_lose_nothing(tmp_path: Path, power: PowerCut) -> None:
    async with on(power, tmp_path) as scene:
        await failing(scene, power, Faults(good_syncs=20, failing_syncs=1_000_000))


async def test_one_failed_sync_loses_nothing(tmp_path: Path, power: PowerCut) -> None:
    """After it the page cache shows what the disk never got: what is built upon that must not be acknowledged."""
    async with on(power, tmp_path) as scene:
        await scene.start()
        scene.close_stations()
        scene.send()
        for n in range(3):
            await asyncio.to_thread(power.inject, Faults(good_syncs=30 + n, failing_syncs=1))
            before = len(scene.acknowledged)

            async def goes_on(before: int = before) -> bool:
                return len(scene.acknowledged) > before + 100

            await scene.wait_until(goes_on, 60, "events are taken again")
        assert power.status().refused > 0
        await asyncio.to_thread(power.cut)
        await scene.kill()
        await asyncio.to_thread(power.restore)
        await scene.start()
        await scene.settle(60)
        print(f"three failed syncs: {scene.summary()}")
        assert scene.lost() == []
        assert scene.disorder() == []
