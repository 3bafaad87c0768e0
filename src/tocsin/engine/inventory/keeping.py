"""States of devices on their way to the disk: changes at once, mere confirmations now and then."""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from tocsin.engine.contracts import Clock
from tocsin.engine.inventory.health import DeviceHealth
from tocsin.store.contract import Store, StoreUnavailable

AT_A_STRETCH = 500
CONFIRMED_EVERY_S = 10.0
"""Between two looks at which confirmations are to be written."""
KEEP_EVERY = timedelta(minutes=5)
"""How old a confirmation may be on disk."""


class Keeping:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._changed: set[str] = set()
        self._confirmed: set[str] = set()
        """The state is on disk, only since when it was last confirmed is not."""
        self._kept_at: dict[str, datetime] = {}
        self._looked = -math.inf

    def changed(self, device_id: str) -> None:
        self._changed.add(device_id)

    def confirmed(self, device_id: str) -> None:
        self._confirmed.add(device_id)

    @property
    def pending(self) -> bool:
        return bool(self._changed)

    def only(self, ids: Collection[str]) -> None:
        """The others are watched no more."""
        self._changed.intersection_update(ids)
        self._confirmed.intersection_update(ids)
        self._kept_at = {id_: at for id_, at in self._kept_at.items() if id_ in ids}

    async def keep(self, devices: Mapping[str, DeviceHealth], untold: Collection[str], now: datetime) -> None:
        """Never a change that was not told yet. Raises StoreUnavailable; then they are kept the next time."""
        if self._clock.monotonic() - self._looked >= CONFIRMED_EVERY_S:
            self._looked = self._clock.monotonic()
            old = {id_ for id_ in self._confirmed if now - self._kept_at.get(id_, now - KEEP_EVERY) >= KEEP_EVERY}
            self._changed |= old
        ids = sorted(self._changed.difference(untold))
        for place in range(0, len(ids), AT_A_STRETCH):  # an alarm's turn comes in between
            await self._keep_some(ids[place : place + AT_A_STRETCH], devices, now)

    async def _keep_some(self, ids: Sequence[str], devices: Mapping[str, DeviceHealth], now: datetime) -> None:
        known = {id_: one.health for id_ in ids if (one := devices.get(id_))}
        healths = {id_: health for id_, health in known.items() if health}
        self._changed.difference_update(ids)
        self._confirmed.difference_update(ids)
        try:
            await self._store.put_healths(healths)
        except StoreUnavailable:
            self._changed |= healths.keys()
            raise
        self._kept_at |= dict.fromkeys(healths, now)
