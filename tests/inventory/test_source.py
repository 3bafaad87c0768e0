"""Who asks a system, in two ways: what one of them meets is not hidden by the other."""

from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import camera
from tests.inventory.test_watching import watched

from tocsin.telemetry.occurrences import SystemCameBack, SystemWentAway


@on_virtual_time
async def test_a_run_that_works_does_not_say_that_the_stream_of_states_is_back(clock: SetClock) -> None:
    async with watched(clock, camera(1)) as s:
        s.system.stream.put_nowait("blind")
        await s.passes(5)
        await s.run()
        (status,) = await s.gateway.systems.statuses()
        assert (status.source.status, status.source.error) == (
            "degraded",
            "its inventory can be read, but: its stream of states is interrupted",
        )
        assert not [one for one in s.occurrences if isinstance(one, SystemCameBack)]
        s.system.stream.put_nowait("live")
        await s.passes(5)
        (status,) = await s.gateway.systems.statuses()
        assert (status.source.status, status.source.error) == ("ok", "")
        assert len([one for one in s.occurrences if isinstance(one, SystemWentAway)]) == 1
        assert len([one for one in s.occurrences if isinstance(one, SystemCameBack)]) == 1
