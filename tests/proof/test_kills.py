"""The real process killed at random moments: what was acknowledged arrives, in order (DESIGN.md 10).

A killed process keeps what the kernel holds: this proves restart logic. Durability is proved by test_power.py.
"""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.scene import Scene
from storekit.postgres import PostgresServer, running_server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


async def killed(scene: Scene, times: int, seed: int) -> None:
    """Kill the process so often, while panels and senders go on."""
    moments = random.Random(seed)
    await scene.start()
    scene.send()
    for _ in range(times):
        await asyncio.sleep(moments.uniform(0.05, 1.0))  # the moment is what is tried
        await scene.kill()
        await scene.start()
    await scene.settle(90)
    print(f"{times} kills: {scene.summary()}")


def proved(scene: Scene, times: int) -> None:
    assert len(scene.acknowledged) > 20 * times
    assert scene.lost() == []
    assert scene.disorder() == []


@pytest.mark.parametrize("times", [5, pytest.param(100, marks=[pytest.mark.prove, pytest.mark.timeout(1800)])])
async def test_kills_on_sqlite(tmp_path: Path, times: int) -> None:
    async with Scene(tmp_path) as scene:
        await killed(scene, times, seed=1)
        proved(scene, times)


@pytest.mark.parametrize("times", [5, pytest.param(100, marks=[pytest.mark.prove, pytest.mark.timeout(1800)])])
async def test_kills_on_postgres(tmp_path: Path, postgres: PostgresServer, times: int) -> None:
    async with Scene(tmp_path, database=postgres.new_database(f"kills{times}")) as scene:
        await killed(scene, times, seed=2)
        proved(scene, times)


@pytest.mark.parametrize("times", [3, pytest.param(30, marks=[pytest.mark.prove, pytest.mark.timeout(1800)])])
async def test_the_database_server_killed(tmp_path: Path, postgres: PostgresServer, times: int) -> None:
    moments = random.Random(3)
    async with Scene(tmp_path, database=postgres.new_database(f"server{times}")) as scene:
        await scene.start()
        scene.send()
        for _ in range(times):
            await asyncio.sleep(moments.uniform(0.1, 1.0))
            before = len(scene.acknowledged)
            await asyncio.to_thread(postgres.kill)
            await asyncio.to_thread(postgres.start)

            async def goes_on(before: int = before) -> bool:
                return len(scene.acknowledged) > before + 20

            await scene.wait_until(goes_on, 60, "events are acknowledged again")
        await scene.settle(90)
        print(f"{times} kills of the server: {scene.summary()}")
        proved(scene, times)
