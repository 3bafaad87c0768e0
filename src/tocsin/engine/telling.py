"""What one destination is told of an event beyond what the source said: the login-free page's address, and that it
was on test.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tocsin.engine.contracts import Addressed, Attempt, CheckStep, Destination, Prompt, Rendered
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import ON_TEST, Event, Photo

Ended = Callable[[Due, Attempt, Receipt | None], None]
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
        return _noted(told, attempt, await self._destination.deliver(told, attempt))

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


class PromptTelling(Telling):
    """The same for a destination that can send at once (engine/contracts.py, Prompt)."""

    def __init__(self, destination: Prompt, link: Callable[[str], str] | None) -> None:
        super().__init__(destination, link)
        self._prompt = destination

    def stands(self) -> bool:
        return self._prompt.stands()

    def begin(self, due: Due, attempt: Attempt, ended: Ended) -> bool:
        told = self._told(due)
        if told is due and not due.event.flags:
            return self._prompt.begin(due, attempt, ended)

        def answered(_: Due, attempt: Attempt, receipt: Receipt | None) -> None:
            ended(due, attempt, None if receipt is None else _noted(told, attempt, receipt))

        return self._prompt.begin(told, attempt, answered)

    async def abandon(self) -> None:
        await self._prompt.abandon()


def telling(destination: Destination, link: Callable[[str], str] | None) -> Destination:
    """The destination, told of links and tests."""
    return PromptTelling(destination, link) if isinstance(destination, Prompt) else Telling(destination, link)


def _noted(told: Due, attempt: Attempt, receipt: Receipt) -> Receipt:
    """Proof and trace say it where it went out as a test only because it was on test."""
    if not told.event.under_test or not told.event.is_test:
        return receipt
    attempt.exchanged(receipt.host, "note", note=SENT_AS_TEST)
    return replace(receipt, answer=f"{receipt.answer} ({SENT_AS_TEST})")
