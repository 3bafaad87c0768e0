"""Commands that have not ended, in memory: what a device can fetch, when time is up, and who waits."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from tocsin.engine.contracts import Clock
from tocsin.model.command import OPEN_COMMANDS, Command, Order

ANSWER_WITHIN = timedelta(seconds=60)
"""After the time in which it could be fetched, a device still has this long to say how it ended."""
AGAIN_S = 2.0
"""What was fetched and not answered comes again after this pause: a device that never answers must not spin."""


class OpenCommands:
    """By device. Time is up by the wall clock or, for what was put here, by the monotonic one: a clock that is set
    back must not let a siren sound late.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._commands: dict[str, Command] = {}
        self._of_device: dict[str, dict[str, Command]] = {}
        self._latest: dict[str, float] = {}
        self._given: dict[str, float] = {}
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self.heeded: dict[str, Callable[[], None]] = {}
        """Systems that carry out orders to their devices, and how to wake them."""
        self.closed = False

    def ids(self) -> set[str]:
        return set(self._commands)

    def put(self, command: Command) -> bool:
        """The command as it is now; one that has ended is forgotten. True: this is news."""
        before = self._commands.get(command.id)
        if command.state not in OPEN_COMMANDS:
            self.forget([command.id])
            return True
        self._commands[command.id] = command
        self._of_device.setdefault(command.device_id, {})[command.id] = command
        if before is None:
            left_s = (command.expires_at - self._clock.now()).total_seconds()
            self._latest[command.id] = self._clock.monotonic() + left_s
            self._wake(command.device_id)
            for woken in self.heeded.values():
                woken()
        return before is None or before.state != command.state

    def devices(self) -> list[str]:
        """Those with something that has not ended."""
        return list(self._of_device)

    def of(self, device_id: str) -> list[Command]:
        return list(self._of_device.get(device_id, {}).values())

    def has(self, device_id: str, order: Order) -> bool:
        return any(one.order == order for one in self._of_device.get(device_id, {}).values())

    def forget(self, ids: Iterable[str]) -> None:
        for command_id in ids:
            command = self._commands.pop(command_id, None)
            if command is not None:
                of_device = self._of_device[command.device_id]
                del of_device[command_id]
                if not of_device:
                    del self._of_device[command.device_id]
            self._latest.pop(command_id, None)
            self._given.pop(command_id, None)

    def given(self, command: Command) -> None:
        self._given[command.id] = self._clock.monotonic()

    def overdue(self) -> tuple[Sequence[str], Sequence[str]]:
        """Those nobody fetched in time, and those nobody answered."""
        late = [one for one in self._commands.values() if not self.in_time(one)]
        unanswered = [one.id for one in late if one.state == "sent" and self._late_by(one, ANSWER_WITHIN)]
        return [one.id for one in late if one.state == "requested"], unanswered

    def in_time(self, command: Command) -> bool:
        return not self._late_by(command, timedelta())

    def _late_by(self, command: Command, allowance: timedelta) -> bool:
        by_wall = command.expires_at + allowance <= self._clock.now()
        return by_wall or self._latest[command.id] + allowance.total_seconds() <= self._clock.monotonic()

    async def wait(self, device_id: str, wait_s: float) -> bool:
        """Until there is something to fetch, at most `wait_s`."""
        until = self._clock.monotonic() + wait_s
        while True:
            pause_s = self._pause(device_id)
            left_s = until - self._clock.monotonic()
            if pause_s == 0 or left_s <= 0 or self.closed:
                return pause_s == 0
            await self._woken(device_id, left_s if pause_s is None else min(left_s, pause_s))

    def _pause(self, device_id: str) -> float | None:
        """0: there is something now; None: nothing at all; else seconds until an unanswered one comes again."""
        now = self._clock.monotonic()
        pauses = [
            max(0.0, self._given.get(one.id, -AGAIN_S) + AGAIN_S - now) if one.state == "sent" else 0.0
            for one in self._of_device.get(device_id, {}).values()
            if self.in_time(one)
        ]
        return min(pauses, default=None)

    async def _woken(self, device_id: str, seconds: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(device_id, set()).add(waiter)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await waiter
        finally:
            self._waiting[device_id].discard(waiter)
            if not self._waiting[device_id]:
                del self._waiting[device_id]

    def _wake(self, device_id: str) -> None:
        for waiter in self._waiting.get(device_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    def close(self) -> None:
        """Whoever waits goes."""
        self.closed = True
        for device_id in self._waiting:
            self._wake(device_id)
