"""A stand-in site on a free port and the connector in front of it, over real sockets."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.model.inventory import FoundDevice, Note
from tocsin.standins.milestone.site import Plan
from tocsin.standins.milestone.standin import MilestoneStandin
from tocsin.standins.milestone.switches import Assumptions, Login
from tocsin.systems.milestone.image_server import Answers
from tocsin.systems.milestone.settings import MilestoneSettings
from tocsin.systems.milestone.system import MilestoneSystem, build
from tocsin.systems.surroundings import SystemSurroundings

Start = Callable[..., Any]
PLAN, LOGIN, ASSUMED = Plan(), Login(), Assumptions()


def answers_in(*parts: bytes) -> list[Any]:
    """What a recording server said in a stream that comes in these parts."""
    answers = Answers()
    seen = []
    for part in parts:
        answers.feed(part)
        while (answer := answers.next()) is not None:
            seen.append(answer)
    return seen


class SkippingClock:
    """The loop's clock, plus hours that can be skipped."""

    def __init__(self) -> None:
        self.skipped_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.skipped_s)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.skipped_s


class Bench:
    """One site and one connector. `told`: every request and command the site saw; `occurrences`: what was recorded."""

    def __init__(self, plan: Plan, login: Login, assumptions: Assumptions, tls: ssl.SSLContext | None = None) -> None:
        self.scheme = "http" if tls is None else "https"
        self.told: list[dict[str, Any]] = []
        self.occurrences: list[Any] = []
        self.clock = SkippingClock()
        self.site = MilestoneStandin("127.0.0.1:0", self.told.append, self.clock, plan, login, assumptions, tls)
        self.system: MilestoneSystem

    async def start(self, **settings: Any) -> None:
        port = await self.site.start()
        login = self.site.gateway.login
        given = {"name": "xp", "url": f"{self.scheme}://127.0.0.1:{port}", "username": login.username}
        given |= {"password": login.password, "timeout": "2s", **settings}
        around = SystemSurroundings(self.clock, random.Random(1), self.occurrences.append)
        self.system = build(MilestoneSettings.model_validate(given), around)

    async def read(self) -> tuple[list[FoundDevice], list[Note]]:
        found = [one async for one in self.system.devices()]
        devices = [one for one in found if isinstance(one, FoundDevice)]
        return devices, [one for one in found if isinstance(one, Note)]

    def requests(self, part: str) -> list[dict[str, Any]]:
        return [one for one in self.told if part in one.get("request", "")]

    async def aclose(self) -> None:
        await self.system.aclose()
        await self.site.aclose()


@pytest.fixture
async def bench() -> AsyncIterator[Start]:
    open_: list[Bench] = []

    async def start(
        plan: Plan = PLAN,
        login: Login = LOGIN,
        assumptions: Assumptions = ASSUMED,
        tls_context: ssl.SSLContext | None = None,
        **settings: Any,
    ) -> Bench:
        one = Bench(plan, login, assumptions, tls_context)
        open_.append(one)
        await one.start(**settings)
        return one

    yield start
    for one in open_:
        await one.aclose()
