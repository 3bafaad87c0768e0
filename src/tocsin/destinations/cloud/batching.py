"""Health events on their way: each by itself as it happens, several in one request once many wait (connectors.md 1.7).

The pump never has two of one device under way, so the order of a device does not depend on how events are put together.
"""

import asyncio
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tocsin.destinations.cloud.format import event_key, events_key
from tocsin.destinations.posting import Judge, Request, Services, Verdict, noted
from tocsin.destinations.trace import excerpt
from tocsin.engine.contracts import Attempt, DeliveryError, Rejected, TryLater
from tocsin.engine.inventory.telling import events_body
from tocsin.model.delivery import Due, Receipt
from tocsin.transports.http import HttpAnswer

TOGETHER_ABOVE = 20
ABOUT_CONTENT = frozenset({400, 409, 413, 422})
"""Answers that may be about one event of several; any other would meet each of them alike."""
MakeRequest = Callable[[bytes, str], Request]
"""From a body and its key."""


class Waiting:
    """One health event that is to be sent; `done` once it is known how that ended."""

    def __init__(self, due: Due, attempt: Attempt, body: bytes) -> None:
        self.due = due
        self.attempt = attempt
        self.body = body
        self.done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    def forget(self) -> None:
        """Whoever waited for it is gone."""
        if not self.done.cancel() and not self.done.cancelled():
            self.done.exception()

    def ends(self, end: Receipt | Exception) -> None:
        if self.done.done():
            return
        if isinstance(end, Exception):
            self.done.set_exception(end)
        else:
            self.done.set_result(end)


class EventPost:
    """`most` events in one request, `at_once` requests at the same time."""

    def __init__(self, services: Services, request: MakeRequest, judge: Judge, most: int, at_once: int) -> None:
        self._services = services
        self._request = request
        self._judge = judge
        self._most = most
        self._slots = asyncio.Semaphore(at_once)
        self._waiting: list[Waiting] = []

    async def deliver(self, due: Due, attempt: Attempt, body: bytes) -> Receipt:
        """Raises LinkDown, TryLater, Rejected."""
        one = Waiting(due, attempt, body)
        self._waiting.append(one)
        try:
            async with self._slots:
                while one in self._waiting:
                    await self._send(self._next(one))
            return await one.done
        finally:
            if one in self._waiting:
                self._waiting.remove(one)
            one.forget()

    def _next(self, one: Waiting) -> list[Waiting]:
        """The oldest together, or this one alone."""
        if self._most == 1 or len(self._waiting) <= TOGETHER_ABOVE:
            self._waiting.remove(one)
            return [one]
        batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        return batch

    async def _send(self, batch: Sequence[Waiting]) -> None:
        """To the end of each."""
        try:
            await self._try(batch)
        finally:
            for one in batch:
                one.ends(TryLater("its request was given up before the answer came"))

    async def _try(self, batch: Sequence[Waiting]) -> None:
        """What is refused because of one event is sent again in halves, so that only that one is lost."""
        statuses: list[int] = []
        end: Receipt | Exception
        try:
            end = await self._post(batch, statuses)
        except Rejected as refused:
            if len(batch) > 1 and ABOUT_CONTENT.issuperset(statuses):
                await self._try(batch[: len(batch) // 2])
                await self._try(batch[len(batch) // 2 :])
                return
            end = refused
        except DeliveryError as error:
            end = error
        for one in batch:
            one.ends(end)

    async def _post(self, batch: Sequence[Waiting], statuses: list[int]) -> Receipt:
        def judged(answer: HttpAnswer, host: str) -> Verdict:
            statuses.append(answer.status)
            return self._judge(answer, host)

        if len(batch) == 1:
            request = self._request(batch[0].body, event_key(batch[0].due.event.id))
            return await self._services.post(request, judged, batch[0].attempt)
        request = self._request(
            events_body([one.body for one in batch]), events_key([one.due.event.id for one in batch])
        )
        request = replace(request, note=noted(request.note, f"{len(batch)} events in one request"))
        try:
            return await self._services.post(request, judged, batch[0].attempt)
        finally:
            _noted_by_all(batch)


def _noted_by_all(batch: Sequence[Waiting]) -> None:
    """Each delivery keeps its own event and the answer; the whole request stands with the first."""
    first, *others = batch
    for exchange in first.attempt.exchanges[-1:]:
        for one in others:
            note = noted(exchange.note, f"the whole request stands with delivery {first.due.key}")
            one.attempt.exchanges.append(replace(exchange, sent=excerpt(one.body), note=note))
