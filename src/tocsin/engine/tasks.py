"""Long tasks under supervision: they end by cancellation, or are restarted with back-off, and their state can be
seen.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable

from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.telemetry.occurrences import TaskFailed
from tocsin.telemetry.record import Recorder

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
QUIET_S = 60.0
"""A task that ran this long before it failed starts again from the first pause."""


class ComponentState(Struct, frozen=True):
    """For /healthz. `kind` is destination, source, system, evidence, task or store."""

    name: str
    kind: str
    ok: bool
    detail: str = ""


class Supervised:
    """One supervised task."""

    def __init__(
        self, name: str, kind: str, work: Callable[[], Awaitable[None]], clock: Clock, record: Recorder
    ) -> None:
        self.name = name
        self.kind = kind
        self._work = work
        self._clock = clock
        self._record = record
        self._trouble = ""

    def state(self) -> ComponentState:
        return ComponentState(self.name, self.kind, not self._trouble, self._trouble)

    async def run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            began = self._clock.monotonic()
            try:
                await self._work()
                raise RuntimeError("it ended by itself")
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                    raise
                if self._clock.monotonic() - began > QUIET_S:
                    pause_s = FIRST_PAUSE_S
                self._note(error, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            self._trouble = ""

    def _note(self, error: BaseException, pause_s: float) -> None:
        self._trouble = f"failed and starts again in {pause_s:g} s: {_words(error)}"
        trace = "" if isinstance(error, OSError) else "".join(traceback.format_exception(error))
        self._record(TaskFailed(self.name, _words(error), trace, pause_s))


def _is_cancelled() -> bool:
    """Whether this task itself is to end. A cancellation may also leak out of a library: that is a failure."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _words(error: BaseException) -> str:
    """The innermost reason of a failed group of tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
