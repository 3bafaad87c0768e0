"""What people do to single deliveries: open a closed one again, or give one up."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from tocsin.engine.contracts import Clock
from tocsin.engine.intake import Door
from tocsin.engine.pump import Pump
from tocsin.engine.routing import Route, owed, unfiltered
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.store.contract import Store, StoreUnavailable

T = TypeVar("T")


class HandParts(NamedTuple):
    """`doubt` is called when it is not known whether a change is on disk: the pumps must look. `done` is told of each
    change: who, what, which delivery and its state from now on.
    """

    store: Store
    clock: Clock
    intake: Door
    routes: Mapping[str, Route]
    pumps: Mapping[str, Pump]
    doubt: Callable[[], None]
    done: Callable[[str, str, DeliveryKey, str], Awaitable[None]]


class ByHand:
    """Both raise StoreUnavailable."""

    def __init__(self, parts: HandParts) -> None:
        self._parts = parts

    async def retry(self, key: DeliveryKey, who: str) -> bool:
        """With the address that holds now. False if it cannot be; raises KeyError for an unknown destination."""
        route = self._parts.routes[key.destination]
        due = await self._reopened(key, route)
        if due is None:
            return False
        self._parts.pumps[key.destination].requeue(due)
        await self._parts.done(who, "retry", key, "pending")
        return True

    async def _reopened(self, key: DeliveryKey, route: Route) -> Due | None:
        store = self._parts.store
        delivery = await store.delivery(key)
        stored = None if delivery is None else await store.event(delivery.event_id)
        if stored is None:
            return None
        verdict = unfiltered(route, stored.event)
        fresh = owed(route, verdict, replace(stored.event, classification="done", photos_expected=0))
        if not verdict.yes or fresh.state == "rejected":
            return None
        numbered = await self._parts.intake.numbered(fresh, verdict.addressed)
        return await self._sure(store.resubmit(key, numbered, self._parts.clock.now()))

    async def discard(self, key: DeliveryKey, who: str) -> bool:
        """False if it has ended already. Its destination may be gone from the configuration."""
        parts = self._parts
        done = await self._sure(parts.store.discard(key, f"discarded by {who}", parts.clock.now()))
        if done:
            if key.destination in parts.pumps:
                parts.pumps[key.destination].forget(key)
            await parts.done(who, "discard", key, "discarded")
        return done

    async def _sure(self, change: Awaitable[T]) -> T:
        try:
            return await change
        except StoreUnavailable:
            self._parts.doubt()
            raise
