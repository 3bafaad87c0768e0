"""The engine on virtual time over a real SQLite without threads, with a wall clock that can be set."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import wraps
from inspect import Signature, signature
from typing import Any

from tests.engine.conftest import House, ScriptedStation, any_picture
from tests.proof.harness.virtual import VirtualClock, run_virtually

from tocsin.engine.backoff import Retry
from tocsin.engine.gateway import Gateway, GatewayParts, Member
from tocsin.model.device import Device
from tocsin.store.contract import Store
from tocsin.store.open import open_inline_store
from tocsin.telemetry.record import Occurrence


class SetClock:
    """engine.contracts.Clock whose wall time somebody sets."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.put_forward = timedelta()

    def now(self) -> datetime:
        return self._clock.now() + self.put_forward

    def monotonic(self) -> float:
        return self._clock.monotonic()


class VirtualHouse(House):
    clock: SetClock

    async def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        """Virtual time passes until it holds."""
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def virtual_house(
    clock: SetClock,
    *stations: ScriptedStation,
    retry: Retry | None = None,
    hold_s: float = 10.0,
    store: Store | None = None,
    devices: Sequence[Device] = (),
    **parts: Any,
) -> AsyncIterator[VirtualHouse]:
    occurrences: list[Occurrence] = []
    kept = store or open_inline_store()
    await kept.open()
    members = [
        Member(one, "scripted", "", retry=retry or Retry(), hold_s=hold_s, wants_photos=True) for one in stations
    ]
    given = GatewayParts(kept, clock, random.Random(parts.get("node", "")), occurrences.append, any_picture, **parts)
    gateway = Gateway("test", given, members, devices=devices)
    await gateway.start()
    work = asyncio.create_task(gateway.run(announce=False))
    house = VirtualHouse(gateway, kept, occurrences)
    house.clock = clock
    try:
        yield house
        await gateway.stop(announce=False)
    finally:
        work.cancel()
        await asyncio.wait([work])
        if store is None:
            await kept.aclose()


def on_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The whole test runs on a virtual loop of its own, whose clock is the test's first argument."""

    @wraps(test)
    def run(*given: Any, **named: Any) -> None:
        run_virtually(lambda clock: test(SetClock(clock), *given, **named))

    _, *others = signature(test).parameters.values()
    run.__signature__ = Signature(others)  # type: ignore[attr-defined]  # what pytest is to fill in
    return run
