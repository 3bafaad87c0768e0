"""One node's right to work on a destination: claimed, renewed, and given up in time (DESIGN.md 6)."""

import asyncio
from collections.abc import Callable

from tocsin.engine.contracts import Clock
from tocsin.store.contract import Lease, Store, StoreUnavailable

RETRY_S = 1.0


class LeaseKeeper:
    """Holds `lease` while this node may work. `taken` is called each time the right is had anew, by a new epoch."""

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

    @property
    def lease(self) -> Lease | None:
        """The lease if it still lasts; a node that was frozen past its end stops by itself."""
        if self._lease is not None and self._lease.until <= self._clock.now():
            self._lease = None
        return self._lease

    async def run(self) -> None:
        while True:
            held = await self._renew()
            await asyncio.sleep(self._ttl_s / 3 if held else min(RETRY_S, self._ttl_s / 3))

    async def _renew(self) -> bool:
        before = self.lease
        try:
            found = await self._store.claim(self._subject, self._node, self._ttl_s, self._clock.now())
        except StoreUnavailable:
            return False
        self._lease = found
        if found is not None and (before is None or before.epoch != found.epoch):
            self._taken()
        return found is not None

    async def release(self) -> None:
        """Let another node have it at once; if the store is gone, it will have it when the lease ends."""
        lease, self._lease = self._lease, None
        if lease is not None:
            try:
                await self._store.release(lease)
            except StoreUnavailable:
                return
