"""The real process killed while it reads a site and tells a cloud: in the end the cloud knows the site."""

import asyncio
import random
from pathlib import Path

import pytest
from harness.fleet import Fleet


@pytest.mark.parametrize("times", [5, pytest.param(50, marks=[pytest.mark.prove, pytest.mark.timeout(1800)])])
async def test_kills_during_sync_and_delivery(tmp_path: Path, times: int) -> None:
    moments = random.Random(times)
    async with Fleet(tmp_path, seed=times) as fleet:
        await fleet.start()
        fleet.live()
        for _ in range(times):
            await asyncio.sleep(moments.uniform(0.05, 2.0))  # the moment is what is tried
            await fleet.kill()
            await (fleet.start() if moments.random() < 0.7 else fleet.launch())
        await fleet.settle(90)
        print(f"{times} kills: {fleet.summary()}")
        assert fleet.differences() == []
        assert fleet.disorder() == []
        assert fleet.problems() == []
        assert len(fleet.events()) > 3 * times
