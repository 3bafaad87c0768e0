"""An OnGuard of our own and the connector to it, over real sockets."""

import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.engine.clock import LoopClock
from tocsin.model.inventory import FoundDevice, FoundState, Note
from tocsin.standins.onguard import Access, Assumed, Broker, OnGuardStandin
from tocsin.standins.onguard_site import Site, example
from tocsin.systems.onguard.settings import OnGuardSettings
from tocsin.systems.onguard.system import OnGuardSystem, build
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.telemetry.record import Occurrence

PASSWORD = "let-me-in"
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
QUICK = {"every": 0.05, "hint_every": 0.02, "settle": 0.0}
"""Waits that no configuration may ask for."""


class HeldClock(LoopClock):
    """Its monotonic time is the loop's, and what is added to it."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Bench:
    """Stand-ins and systems, closed at the end."""

    def __init__(self) -> None:
        self.clock = HeldClock()
        self.recorded: list[Occurrence] = []
        self.received: list[dict[str, Any]] = []
        self.closing = contextlib.AsyncExitStack()

    async def server(
        self, site: Site | None = None, tls: Any = None, broker: Any = None, access: Any = None, **assumed: Any
    ) -> tuple[OnGuardStandin, int]:
        given, named = Access(**(access or {})), Broker(**(broker or {}))
        standin = OnGuardStandin(
            "127.0.0.1:0", self.received.append, self.clock, site or example(), given, Assumed(**assumed), named, tls
        )
        port = await standin.web.start()
        self.closing.push_async_callback(standin.web.aclose)
        return standin, port

    def system(self, port: int, scheme: str = "http", health: Any = None, **changes: Any) -> OnGuardSystem:
        system = build(settings(port, scheme, health, **changes), self.surroundings())
        system.pauses_s = (0.02,)
        system._alarms.pauses_s = (0.02,)
        self.closing.push_async_callback(system.aclose)
        return system

    def surroundings(self) -> SystemSurroundings:
        return SystemSurroundings(self.clock, random.Random(1), self.recorded.append)


def settings(port: int, scheme: str = "http", health: Any = None, **changes: Any) -> OnGuardSettings:
    table: dict[str, Any] = {
        "name": "og-main",
        "type": "onguard",
        "url": f"{scheme}://127.0.0.1:{port}",
        "application_id": "TOCSIN_TEST",
        "username": "openaccess-svc",
        "password": PASSWORD,
        "timeout": "1s",
        **changes,
    }
    made = OnGuardSettings.model_validate(table)
    quick = made.health.model_copy(update={**QUICK, **(health or {})})
    return made.model_copy(update={"health": quick})


async def inventory(system: OnGuardSystem) -> tuple[dict[tuple[str, str], FoundDevice], list[Note]]:
    found = [one async for one in system.devices()]
    devices = [one for one in found if isinstance(one, FoundDevice)]
    assert len({(one.kind, one.native_key) for one in devices}) == len(devices)
    return {(one.kind, one.native_key): one for one in devices}, [one for one in found if isinstance(one, Note)]


async def baseline(system: OnGuardSystem) -> dict[tuple[str, str], FoundState]:
    return {(one.kind, one.native_key): one async for one in system.baseline()}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.closing.aclose()
