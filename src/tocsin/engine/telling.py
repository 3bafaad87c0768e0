"""What one destination is told of an event beyond what the source said: the login-free page's address, and that it
was on test.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tocsin.engine.contracts import Addressed, Attempt, CheckStep, Destination, Rendered
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import ON_TEST, Event, Photo

SENT_AS_TEST = "sent as a test: it was on test"


class Telling:
    """A destination that hears of links and tests (engine/contracts.py, Destination).

    `link` makes the page's address of a token; None: this destination is told the source's own address.
    """

    def __init__(self, destination: Destination, link: Callable[[str], str] | None) -> None:
        self.name = destination.name
        self.concurrency = destination.concurrency
        self.supervision_s = destination.supervision_s
        self._destination = destination
        self._link = link
        self._on_test_here = f"{ON_TEST}:{self.name}"

    def address(self, event: Event, device: Device | None) -> Addressed:
        return self._destination.address(event, device)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        return self._destination.render(self._told(due), photos)

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        told = self._told(due)
        receipt = await self._destination.deliver(told, attempt)
        if not told.event.under_test or not told.event.is_test:
            return receipt
        attempt.exchanged(receipt.host, "note", note=SENT_AS_TEST)
        return replace(receipt, answer=f"{receipt.answer} ({SENT_AS_TEST})")

    async def supervise(self, attempt: Attempt) -> Receipt:
        return await self._destination.supervise(attempt)

    async def check(self) -> Sequence[CheckStep]:
        return await self._destination.check()

    def hosts_in_use(self) -> str:
        return self._destination.hosts_in_use()

    async def aclose(self) -> None:
        await self._destination.aclose()

    def _told(self, due: Due) -> Due:
        event = due.event
        if event.link and self._link is not None:
            event = replace(event, url=self._link(event.link), source_url=event.url)
        if self._on_test_here in event.flags:
            event = replace(event, flags=(*event.flags, ON_TEST))
        return due if event is due.event else replace(due, event=event)
