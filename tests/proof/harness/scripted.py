"""Stations that behave as badly as real ones, by a seed: down, silent, slow, forgetful of their answers, broken."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Literal

from harness.ledger import Ledger
from tocsin.engine.contracts import (
    Addressed,
    Attempt,
    CheckStep,
    Clock,
    LinkDown,
    Rejected,
    Rendered,
    TryLater,
)
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo

Weather = Literal["fair", "down", "silent", "busy", "slow", "deaf", "defect"]
TROUBLES: tuple[Weather, ...] = ("down", "down", "silent", "busy", "slow", "deaf", "defect")
REFUSED_TEXT = "refuse"
"""An event with this text and the station's name in it is refused for good by that station."""


def by_account(event: Event) -> Addressed:
    """As DC-09: the panel's account is the line."""
    if event.address is None:
        return Addressed(problem="no account") if event.device_id else Addressed("1#gateway", "1", counter="1")
    account = event.address.account
    return Addressed(f"{account}#{event.device_id}", account, counter=account)


def by_device(event: Event) -> Addressed:
    """As a webhook: the device is the line."""
    return Addressed(f"device/{event.device_id}", event.device_id)


def one_line(event: Event) -> Addressed:
    """As an e-mail box: everything in one line."""
    return Addressed(f"box/{event.device_id}", "box")


class ScriptedStation:
    """engine.contracts.Destination with a station inside. `weather` decides how it behaves at the moment."""

    def __init__(
        self,
        name: str,
        addressing: Callable[[Event], Addressed],
        clock: Clock,
        randomness: random.Random,
        ledger: Ledger,
        concurrency: int = 4,
        supervision_s: float | None = None,
    ) -> None:
        self.name = name
        self.concurrency = concurrency
        self.supervision_s = supervision_s
        self.weather: Weather = "fair"
        self._addressing = addressing
        self._clock = clock
        self._random = randomness
        self._ledger = ledger

    def address(self, event: Event, device: Device | None) -> Addressed:
        return self._addressing(event)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        return [Rendered("event", f"{due.address} {due.event.kind}".encode())]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        self._ledger.begins(due, self._clock.now())
        try:
            return await self._exchange(due, attempt)
        finally:
            self._ledger.ends(due)

    async def _exchange(self, due: Due, attempt: Attempt) -> Receipt:
        await asyncio.sleep(self._random.uniform(0.005, 0.3))
        await self._before_it_arrives()
        if due.event.text == f"{REFUSED_TEXT} {self.name}":
            raise Rejected("the station does not take this event")
        if due.address != self._addressing(due.event).address:
            self._ledger.broken(f"{due.key}: sent to {due.address}")
        self._ledger.received(due)
        if self.weather == "deaf" or self._random.random() < 0.01:
            await asyncio.sleep(10)
            raise self._random.choice((LinkDown("broken while waiting"), TryLater("no answer")))
        attempt.exchanged(self.name, "delivered", str(due.key), "ACK")
        return Receipt(self.name, "ACK")

    async def _before_it_arrives(self) -> None:
        if self.weather == "down":
            raise LinkDown("connection refused")
        if self.weather == "silent":
            await asyncio.sleep(10)
            raise LinkDown("no answer within 10 s")
        if self.weather == "busy":
            raise TryLater("NAK", self._random.choice((None, 30.0)))
        if self.weather == "slow":
            await asyncio.sleep(self._random.uniform(1, 20))
        if self.weather == "defect" and self._random.random() < 0.5:
            raise ZeroDivisionError("a defect in a destination")

    async def supervise(self, attempt: Attempt) -> Receipt:
        await asyncio.sleep(self._random.uniform(0.005, 0.1))
        if self.weather in ("down", "silent", "deaf"):
            raise LinkDown("no answer to supervision")
        return Receipt(self.name, "ACK")

    async def check(self) -> Sequence[CheckStep]:
        return []

    def hosts_in_use(self) -> str:
        return self.name

    async def aclose(self) -> None: ...

    async def live(self) -> None:
        """Change the weather by the seed, for ever."""
        while True:
            self.weather = "fair"
            await asyncio.sleep(self._random.expovariate(1 / 1500))
            self.weather = self._random.choice(TROUBLES)
            await asyncio.sleep(self._random.choice((60, 300, 1200, 3 * 3600)) * self._random.uniform(0.5, 1.5))
