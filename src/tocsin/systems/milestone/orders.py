"""Orders: each triggers a user-defined event, of which rules in XProtect make what is to happen (connectors.md 4.7)."""

import msgspec

from tocsin.engine.systems import Misconfigured, NotSupported, ProtocolFault
from tocsin.model.command import PAIRS, Order
from tocsin.systems.milestone.alarm_events import plain
from tocsin.systems.milestone.answers import AccessDenied, fault_of
from tocsin.systems.milestone.resources import Item, guid, read_item
from tocsin.systems.milestone.rest import Rest
from tocsin.systems.milestone.settings import MilestoneOrders


class Orders:
    """Which event stands for which order of which device is the site's own doing; the settings say so."""

    def __init__(self, orders: list[MilestoneOrders], rest: Rest) -> None:
        self._events = {guid(one.device): one.events() for one in orders}
        self._rest = rest

    def of(self, native_key: str) -> tuple[Order, ...]:
        """The orders of people a device takes; `trigger` is the gateway's own."""
        events = self._events.get(guid(native_key), {})
        return tuple(order for pair in PAIRS for order in pair if order in events)

    async def carry_out(self, kind: str, native_key: str, order: str) -> str:
        """What XProtect answered, as a sentence. Once: an order whose answer is lost is not repeated here. Raises
        SystemFault.
        """
        event = self._events.get(guid(native_key), {}).get(order)
        if event is None:
            raise NotSupported(f"no user-defined event stands for {order} of {kind} {native_key}: see orders")
        key = await self._key_of(event)
        answer = await self._rest.post("events", msgspec.json.encode({"type": key}))
        if answer.status == 403:
            raise AccessDenied(f"XProtect does not let this user trigger “{event}” (403); give its role that right")
        if answer.status not in (200, 201, 202):
            raise fault_of(answer, f"triggering the user-defined event “{event}”")
        return f"XProtect has taken the user-defined event “{event}” ({answer.status})"

    async def _key_of(self, event: str) -> str:
        """Looked up each time: a rule may be about another one of the same name tomorrow."""
        listing = await self._rest.listing("userDefinedEvents", "")
        if listing.fault is not None:
            raise listing.fault
        items = [read for item in listing.items if (read := read_item(item, Item)) is not None]
        found = [one for one in items if plain(event) in (one.key, plain(one.name), plain(one.display_name))]
        if len(found) == 1:
            return found[0].id
        if not items:
            raise ProtocolFault("XProtect has no user-defined events, or the user may not see them")
        how_many = "several user-defined events" if found else "no user-defined event"
        raise Misconfigured(f"XProtect has {how_many} called “{event}”; give its GUID, or correct the name in orders")
