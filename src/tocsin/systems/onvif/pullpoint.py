"""A standing subscription to one device's events: made, pulled, renewed at half its life, made anew after any fault."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import LoginRefused, NotSupported, SystemFault
from tocsin.systems.onvif.device import OnvifDevice
from tocsin.systems.onvif.facts import Notification, Reference
from tocsin.systems.onvif.soap import SoapFault

LIFE_S = 600
PULL_S = 60
MOST_MESSAGES = 100
SHORTEST_LIFE_S = 10.0
"""Devices whose clock jumps give subscriptions that are over already; they are renewed no faster than this."""
BACK_OFF_S = (1.0, 60.0)
NOT_SUPPORTED_S = 3600.0
UNSUBSCRIBE_S = 1.0


class PullPoint:
    """`up` says whether it stands. `told` hears endpoint and trouble when it goes down, and no trouble when it is
    back.
    """

    def __init__(self, device: OnvifDevice, clock: Clock, told: Callable[[str, str], None]) -> None:
        self._device = device
        self._clock = clock
        self._told = told
        self.up = False
        self._trouble = ""
        self._pause = BACK_OFF_S[0]

    async def messages(self) -> AsyncGenerator[Notification, None]:
        """Until cancelled. Never more than one request is outstanding; after a fault a new subscription is made, with
        growing pauses, and the device is asked for the state of everything.
        """
        while True:
            try:
                async with contextlib.aclosing(self._subscription()) as subscription:
                    async for notification in subscription:
                        yield notification
            except (SystemFault, SoapFault) as fault:
                if not self._trouble:
                    self._told(str(self._device.line.endpoint), str(fault))
                self._trouble = str(fault)
                await asyncio.sleep(_pause(fault, self._pause))
                self._pause = min(2 * self._pause, BACK_OFF_S[1])

    async def _subscription(self) -> AsyncGenerator[Notification, None]:
        reference, life_s = await self._device.subscribe(LIFE_S)
        try:
            with contextlib.suppress(SoapFault):  # not every device has it
                await self._device.synchronize(reference)
            renew_at = self._half(life_s)
            while True:
                wait_s = max(1, min(PULL_S, int(renew_at - self._clock.monotonic())))
                for notification in await self._device.pull(reference, wait_s, MOST_MESSAGES):
                    self._works()
                    yield notification
                self._works()
                if self._clock.monotonic() >= renew_at:
                    renew_at = self._half(await self._device.renew(reference, LIFE_S))
        finally:
            self.up = False
            await self._end(reference)

    def _works(self) -> None:
        """A pull was answered."""
        if self._trouble:
            self._told(str(self._device.line.endpoint), "")
        self.up, self._trouble, self._pause = True, "", BACK_OFF_S[0]

    def _half(self, life_s: float) -> float:
        return self._clock.monotonic() + max(life_s, SHORTEST_LIFE_S) / 2

    async def _end(self, reference: Reference) -> None:
        """Devices have few subscriptions to give; a device that is gone is not waited for."""
        with contextlib.suppress(SystemFault, SoapFault, TimeoutError):
            async with asyncio.timeout(UNSUBSCRIBE_S):
                await self._device.unsubscribe(reference)


def _pause(fault: Exception, pause: float) -> float:
    if isinstance(fault, NotSupported):
        return NOT_SUPPORTED_S
    return BACK_OFF_S[1] if isinstance(fault, LoginRefused) else pause
