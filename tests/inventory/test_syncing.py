"""From a system's facts to what a customer has: the scenarios of connectors.md 10.2 that are the engine's."""

from tests.inventory.conftest import CUSTOMER, ScriptedSystem, camera, site, virtually


def test_the_thin_path_first_run_right_after_start() -> None:
    async def main(clock):
        async with site(clock, ScriptedSystem(camera(1), camera(2))) as s:
            run = await s.first_run()
            assert (run.state, run.trigger, run.counts.added) == ("succeeded", "schedule", 2)
            assert await s.alive() == ["1", "2"]
            await s.until(lambda: len(s.inventories()) == 1)
            assert s.inventories()[0].customer_id == CUSTOMER

    virtually(main)
