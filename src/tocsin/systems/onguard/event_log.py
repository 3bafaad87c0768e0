"""The event log, read forward by serial number (connectors.md 5.8). That serial numbers rise is assumed."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from tocsin.systems.onguard.answers import items, number
from tocsin.systems.onguard.events import LoggedEvent, read_event
from tocsin.systems.onguard.listing import all_pages
from tocsin.systems.onguard.session import Session

OPERATION = "logged_events"
MOST_BACK = 100_000
"""Rows that are gone back over at most."""


class EventLog:
    """A place in the log. Everything raises SystemFault; NotSupported where this OnGuard has no such request."""

    def __init__(self, session: Session, zone: tzinfo) -> None:
        self._session = session
        self._zone = zone
        self.last: int | None = None
        """The serial number up to which everything is done; None: nothing was read yet."""
        self.end = 0
        """The newest serial number there was when the log was first looked at: what is above it happens now."""

    async def begin(self, back: int = 0, since: datetime | None = None) -> None:
        """Stand at the end of the log, `back` rows before it, and further where even those are younger than `since`.
        Does nothing when there is a place already.
        """
        if self.last is not None:
            return
        total = number(await self._page(-1, 1, 1), "total_items") or 0
        place = newest = await self._row(total)
        while back and (place := await self._row(total - back)) and back < MOST_BACK:
            if since is None or place.at is None or place.at < since:
                break
            back *= 4
        self.end = newest.serial_number if newest else 0
        self.last = place.serial_number if place else 0

    async def more(self) -> Sequence[LoggedEvent]:
        """What came since, in order. `last` is the caller's to move, once an event is handed over."""
        after = self.last or 0

        async def page(n: int, size: int) -> dict[str, Any]:
            return await self._page(after, n, size)

        listing = await all_pages(OPERATION, ["controller_id", "serial_number"], page)
        read = [event for row in listing.rows if (event := read_event(row, self._zone))]
        return sorted((event for event in read if event.serial_number > after), key=lambda one: one.serial_number)

    async def _row(self, n: int) -> LoggedEvent | None:
        """The n-th of the whole log, from 1; None where there is none."""
        rows = items(await self._page(-1, n, 1), OPERATION) if n > 0 else []
        return next((event for row in rows if (event := read_event(row, self._zone))), None)

    async def _page(self, after: int, n: int, size: int) -> dict[str, Any]:
        return await self._session.page(OPERATION, {"filter": f"serial_number>{after}"}, n, size, "serial_number")
