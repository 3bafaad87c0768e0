"""A system's devices among all that the gateway knows, so that alarms and health events find name and place."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from tocsin.engine.apart import Apart
from tocsin.engine.contracts import Clock
from tocsin.engine.devices import DeviceBook
from tocsin.engine.inventory.rules import SystemRules
from tocsin.model.canonical import KeptDevice
from tocsin.model.device import Device
from tocsin.model.event import Address

AT_A_STRETCH = 500
"""Devices that are entered in one transaction, so that an alarm's turn comes in between."""
NONE_GIVEN: dict[str, Address] = {}
"""One for all: there may be a hundred thousand."""


class Entering:
    """What people wrote about a device stays. `takes_orders`: the system can be told to do something with it."""

    def __init__(self, rules: SystemRules, takes_orders: bool, book: DeviceBook, clock: Clock, apart: Apart) -> None:
        self._rules = rules
        self._takes_orders = takes_orders
        self._book = book
        self._clock = clock
        self._apart = apart
        self._entered: Mapping[str, Device | None] = {}

    def stand(self) -> bool:
        """Whether every entry is as it was left: whatever somebody writes or deletes makes another one of it."""
        return all(self._book.get(id_) is entry for id_, entry in self._entered.items())

    async def enter(self, kept: Sequence[KeptDevice]) -> None:
        """Tombstones go. Raises StoreUnavailable."""
        news = await self._apart(lambda: [one for one in kept if self._entry(one)])
        for place in range(0, len(news), AT_A_STRETCH):
            stretch = news[place : place + AT_A_STRETCH]  # looked at again: somebody may have written meanwhile
            entries = [found for one in stretch if (found := self._entry(one))]
            await self._book.keep([], entries, self._clock.now())
        for one in kept:
            known = self._book.get(one.record.id) if one.removal is not None else None
            if known is not None and known.origin == self._rules.name:
                await self._book.delete(known.id)
        self._entered = {one.record.id: self._book.get(one.record.id) for one in kept if one.removal is None}

    def _entry(self, one: KeptDevice) -> Device | None:
        """What is to be entered; None where it stands there already, or is somebody else's."""
        known = self._book.get(one.record.id)
        if one.removal is not None or (known is not None and known.origin != self._rules.name):
            return None
        before = known or Device(one.record.id, addresses=NONE_GIVEN, origin=self._rules.name)
        orders = one.record.orders if self._takes_orders else ()
        facts = {"name": one.record.name, "type": one.record.type, "customer_id": one.record.customer_id}
        entered = replace(before, area=before.area or self._rules.area, orders=orders, **facts)
        return entered if entered != known else None
