"""The event log, read forward by serial number (connectors.md 5.8). That serial numbers rise is assumed."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from tocsin.systems.onguard.answers import items, number
from tocsin.systems.onguard.events import LoggedEvent, read_event
from tocsin.systems.onguard.listing import all_pages
from tocsin.systems.onguard.session import Session

OPERATION = "logged_events"


class EventLog:
    """A place in the log. Everything raises SystemFault; NotSupported where this OnGuard has no such request."""

    def __init__(self, session: Session, zone: tzinfo) -> None:
        self._session = session
        self._zone = zone
        self.last: int | None = None
        """The serial number up to which everything is done; None: nothing was read yet."""

    async def begin(self, back: int = 0) -> None:
        """Stand at the end of the log, `back` rows before it. Does nothing when there is a place already."""
        if self.last is not None:
            return
        total = number(await self._page(-1, 1, 1), "total_items") or 0
        rows = items(await self._page(-1, total - back, 1), OPERATION) if total > back else []
        read = [event.serial_number for row in rows if (event := read_event(row, self._zone))]
        self.last = max(read, default=0)

    async def more(self) -> Sequence[LoggedEvent]:
        """What came since, in order. `last` is the caller's to move, once an event is handed over."""
        after = self.last or 0

        async def page(n: int, size: int) -> dict[str, Any]:
            return await self._page(after, n, size)

        listing = await all_pages(OPERATION, ["controller_id", "serial_number"], page)
        read = [event for row in listing.rows if (event := read_event(row, self._zone))]
        return sorted((event for event in read if event.serial_number > after), key=lambda one: one.serial_number)

    async def _page(self, after: int, n: int, size: int) -> dict[str, Any]:
        return await self._session.page(OPERATION, {"filter": f"serial_number>{after}"}, n, size, "serial_number")
