"""Carries out attempts: at once over a link that stands, where the destination can do so; else by a worker."""

import asyncio
from collections import deque
from collections.abc import Callable

from tocsin.engine.contracts import Attempt, Destination, Prompt
from tocsin.engine.settler import Settler
from tocsin.engine.sleepers import Sleepers
from tocsin.engine.surroundings import PumpParts
from tocsin.model.delivery import DeliveryKey, Due, Receipt

ATTEMPT_LIMIT_S = 300.0
"""A destination has its own deadlines; this one only ends a destination that forgot one."""

Ended = Callable[[Due, Attempt, Receipt | Exception], None]


class Attempts:
    """At most `concurrency` at once. `take` gives the next delivery to try, `ready` whether it may have one, and
    `ended` hears how each attempt ended, once.
    """

    def __init__(
        self,
        destination: Destination,
        parts: PumpParts,
        settler: Settler,
        take: Callable[[], Due | None],
        ready: Callable[[], bool],
        ended: Ended,
        next_look: Callable[[], float | None],
    ) -> None:
        self.under_way: dict[DeliveryKey, tuple[Due, Attempt]] = {}
        self._destination = destination
        self._prompt = destination if isinstance(destination, Prompt) else None
        self._parts = parts
        self._settler = settler
        self._take = take
        self._ready = ready
        self._ended = ended
        self._next_look = next_look
        self._sleepers = Sleepers(self._look_at)
        self._handed: deque[tuple[Due, Attempt]] = deque()
        """Begun at once, and to be gone on with by a worker."""
        self._soon = False
        self._stopping = False
        self._defect: Exception | None = None

    async def begin_anew(self) -> None:
        """Whatever was under way is nobody's any more."""
        if self._prompt is not None:
            await self._prompt.abandon()
        self.under_way.clear()
        self._handed.clear()
        self._soon = False
        self._defect = None

    def more(self) -> None:
        """There may be something to try."""
        if self._prompt is None:
            self._sleepers.wake()
        elif not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def look(self) -> None:
        """Everything may have changed: whether anything may be tried, and when."""
        self._sleepers.wake(everybody=True)

    def stop(self) -> None:
        """Workers end when nothing is under way any more; `take` gives nothing now."""
        self._stopping = True
        self.look()

    async def work(self) -> None:
        """One worker, until stopped or cancelled. Raises what went wrong outside of any worker."""
        while self.under_way or not self._stopping:
            if self._defect is not None:
                raise self._defect
            turn = self._turn()
            if turn is None:
                await self._sleepers.sleep()
            else:
                if self._handed or self._ready():
                    self._sleepers.wake()
                self._sleepers.set_timer()
                await self._settler.room()
                await self._carry_out(*turn)

    def _turn(self) -> tuple[Due, Attempt] | None:
        if self._handed:
            return self._handed.popleft()
        due = self._take() if len(self.under_way) < self._destination.concurrency else None
        return None if due is None else self._started(due)

    def _look_at(self) -> float | None:
        """While all places are taken there is nothing to look for: the end of an attempt goes on."""
        return self._next_look() if len(self.under_way) < self._destination.concurrency else None

    def _started(self, due: Due) -> tuple[Due, Attempt]:
        attempt = Attempt(self._parts.clock, lambda seq: self._parts.photos(seq, due.event.photos), due.key.event_seq)
        turn = self.under_way[due.key] = due, attempt
        return turn

    async def _carry_out(self, due: Due, attempt: Attempt) -> None:
        end: Receipt | Exception
        try:
            async with asyncio.timeout(ATTEMPT_LIMIT_S):
                end = await self._destination.deliver(due, attempt)
        except Exception as error:  # noqa: BLE001 - a defect in one destination must not stop its other deliveries
            end = error
        except BaseException:
            self.under_way.pop(due.key, None)
            raise
        self._conclude(due, attempt, end)

    def _conclude(self, due: Due, attempt: Attempt, end: Receipt | Exception) -> None:
        self.under_way.pop(due.key, None)
        self._ended(due, attempt, end)
        if self._prompt is None:
            self._sleepers.wake(everybody=self._stopping)
        else:
            self._go()

    # At once

    def _go_on(self) -> None:
        self._soon = False
        try:
            self._go()
        except Exception as error:  # noqa: BLE001 - top of a callback: a worker raises it, and the pump begins anew
            self._fail(error)

    def _go(self) -> None:
        """What a standing link can take now goes out without a worker; one is woken for the rest."""
        prompt = self._prompt
        while prompt is not None and self._free() and prompt.stands():
            due = self._take()
            if due is None:
                break
            turn = self._started(due)
            if not self._begun(prompt, turn):
                self._handed.append(turn)
        if self._handed or self._stopping or self._ready():
            self._sleepers.wake(everybody=self._stopping)
        self._sleepers.set_timer()

    def _free(self) -> bool:
        return len(self.under_way) < self._destination.concurrency and self._settler.has_room()

    def _begun(self, prompt: Prompt, turn: tuple[Due, Attempt]) -> bool:
        try:
            return prompt.begin(*turn, self._answered)
        except Exception:  # noqa: BLE001 - `deliver` will meet it again, and there it is told as this delivery's failure
            return False

    def _answered(self, due: Due, attempt: Attempt, receipt: Receipt | None) -> None:
        turn = self.under_way.get(due.key)
        if turn is None or turn[1] is not attempt:
            return  # this pump has begun anew since
        if receipt is None:
            self._handed.append(turn)
            self._sleepers.wake()
            return
        try:
            self._conclude(due, attempt, receipt)
        except Exception as error:  # noqa: BLE001 - top of a callback, see `_go_on`
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._defect = error
        self.look()
