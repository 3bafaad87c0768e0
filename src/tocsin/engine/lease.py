"""One node's right to work on a destination: claimed, renewed, and given up in time (DESIGN.md 6)."""

import asyncio
from collections.abc import Callable

from tocsin.engine.contracts import Clock
from tocsin.store.contract import Lease, Store, StoreUnavailable

RETRY_S = 1.0
RELEASE_LIMIT_S = 1.0


class LeaseKeeper:
    """Holds `lease` while this node may work. `taken` is called each time the right is had anew, by a new epoch.

    How long it lasts is measured on the monotonic clock: a wall clock that is set must not stop a pump.
    """

    def __init__(
        self, store: Store, clock: Clock, subject: str, node: str, ttl_s: float, taken: Callable[[], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._subject = subject
        self._node = node
        self._ttl_s = ttl_s
        self._taken = taken
        self._lease: Lease | None = None
        self._lasts = 0.0
        self._released = False
        self.elsewhere = False
        """Whether another node has it, by the store's last answer. Without an answer nobody else works on it yet."""
        self.newest: Lease | None = None
        """The last one held, even if it has run out; its epoch tells the store whether somebody else has it now."""

    @property
    def held(self) -> bool:
        """Whether it was held when last looked at; once it has run out, taking it anew begins anew."""
        return self._lease is not None

    @property
    def lease(self) -> Lease | None:
        """The lease if it still lasts; a node that was frozen past its end stops by itself."""
        if self._lease is not None:
            self.lasts(self._clock.monotonic())
        return self._lease

    def lasts(self, now: float) -> bool:
        """The same where the caller knows what time it is."""
        if self._lasts <= now:
            self._lease = None
        return self._lease is not None

    def doubt(self) -> None:
        """What this node knows may be stale: the next renewal counts as taking the lease anew."""
        self._lease = None

    async def run(self) -> None:
        while not self._released:
            held = await self._renew()
            await asyncio.sleep(self._ttl_s / 3 if held else min(RETRY_S, self._ttl_s / 3))

    async def _renew(self) -> bool:
        asked = self._clock.monotonic()
        try:
            found = await self._store.claim(self._subject, self._node, self._ttl_s, self._clock.now())
        except StoreUnavailable:
            return False
        if self._released:
            return False
        before = self.lease
        self._lease = found
        self._lasts = asked + self._ttl_s
        self.elsewhere = found is None
        if found is None:
            return False
        self.newest = found
        if before is None or before.epoch != found.epoch:
            self._taken()
        return True

    async def release(self) -> None:
        """Let another node have it at once; if the store is gone or hangs, it will have it when the lease ends."""
        self._released = True
        lease, self._lease = self._lease, None
        if lease is not None:
            try:
                async with asyncio.timeout(RELEASE_LIMIT_S):
                    await self._store.release(lease)
            except (StoreUnavailable, TimeoutError):
                return
