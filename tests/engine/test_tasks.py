"""Tasks under supervision: what fails is begun anew, whatever it fails with."""

import asyncio

from tests.engine.virtual_house import SetClock, on_virtual_time

from tocsin.engine.tasks import Supervised
from tocsin.telemetry.occurrences import TaskFailed
from tocsin.telemetry.record import Occurrence


@on_virtual_time
async def test_a_cancellation_that_leaks_out_of_a_library_ends_no_task(clock: SetClock) -> None:
    begun: list[float] = []
    noted: list[Occurrence] = []

    async def work() -> None:
        begun.append(clock.monotonic())
        if len(begun) < 3:
            raise asyncio.CancelledError
        await asyncio.Event().wait()

    task = asyncio.create_task(Supervised("bus", "system", work, clock, noted.append).run())
    await asyncio.sleep(60)
    assert len(begun) == 3
    assert [one.error for one in noted if isinstance(one, TaskFailed)] == ["CancelledError: "] * 2
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
