"""Rounds over the fleet: who answers, who does not, and whether it is the gateway that is cut off."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from tocsin.config.listening import split_listen
from tocsin.engine.systems import Unreachable
from tocsin.model.inventory import FoundState, Marker
from tocsin.systems.onvif.fleet import Fleet, Listed
from tocsin.systems.onvif.health import Hearing, Look, condition
from tocsin.systems.onvif.settings import OnvifSettings
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.transports import contract

JITTER = 0.1
SPREAD = 0.8
"""The looks of a round are spread over this part of the interval, so that alarms never wait behind hundreds."""


class Polling:
    """The rounds of one system, one at a time."""

    def __init__(self, settings: OnvifSettings, fleet: Fleet, surroundings: SystemSurroundings) -> None:
        self._every_s = settings.health.every
        self._canary = settings.canary
        self._timeout_s = settings.timeout
        self._fleet = fleet
        self._around = surroundings
        self._hearing = Hearing()
        self._one_at_a_time = asyncio.Lock()

    async def baseline(self) -> AsyncGenerator[FoundState, None]:
        """One round at once. Raises Unreachable when nobody answers and the gateway itself is suspected."""
        async with aclosing(self._round(0.0)) as states:
            async for state in states:
                yield state
        if self._hearing.blind:
            raise Unreachable(
                "none of the devices answers: the gateway's own link to them is suspected. Check its network; if they "
                "are all really off, name something near them that is not as canary"
            )

    async def states(self) -> AsyncGenerator[FoundState | Marker, None]:
        """Rounds for ever, each spread over the interval; they confirm what is known, so that it never grows stale."""
        yield "new_session"
        blind = False
        while True:
            began = self._around.clock.monotonic()
            async with aclosing(self._round(SPREAD * self._every_s)) as states:
                async for state in states:
                    if blind:
                        blind = False
                        yield "live"
                    yield state
            if self._hearing.blind and not blind:
                blind = True
                yield "blind"
            due = began + self._every_s * (1 + JITTER * (2 * self._around.randomness.random() - 1))
            await asyncio.sleep(max(0.0, due - self._around.clock.monotonic()))

    async def _round(self, spread_s: float) -> AsyncGenerator[FoundState, None]:
        async with self._one_at_a_time:
            failed: dict[str, tuple[Look, str]] = {}
            async with aclosing(self._looks(spread_s)) as looks:
                async for one, look, detail in looks:
                    if look in ("silent", "closed"):
                        failed[one.endpoint] = look, detail
                        continue
                    self._hearing.heard()
                    for state in one.states(condition(look, detail)):
                        yield state
            asked = [one.endpoint for one in self._fleet.listed]
            blind = self._hearing.suspicious(failed, len(asked)) and not await self._canary_answers()
            self._hearing.ended(failed, asked, blind)
            for one in () if blind else self._fleet.listed:
                if one.endpoint in failed:
                    for state in one.states(condition(*failed[one.endpoint])):
                        yield state

    async def _looks(self, spread_s: float) -> AsyncGenerator[tuple[Listed, Look, str], None]:
        step_s = spread_s / len(self._fleet.listed)
        tasks = [asyncio.create_task(self._later(place * step_s, one)) for place, one in enumerate(self._fleet.listed)]
        try:
            for done in asyncio.as_completed(tasks):
                yield await done
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _later(self, wait_s: float, one: Listed) -> tuple[Listed, Look, str]:
        await asyncio.sleep(wait_s)
        return await self._fleet.look(one)

    async def _canary_answers(self) -> bool:
        """A refused connection is an answer too, but the transport does not tell it apart: it counts as none."""
        if self._canary is None:
            return False
        with suppress(contract.Unreachable):
            endpoint = contract.Endpoint(*split_listen(self._canary))
            link = await self._around.network.connect(endpoint, None, self._timeout_s)
            await link.aclose()
            return True
        return False
