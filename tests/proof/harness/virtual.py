"""An event loop whose time jumps to the next timer when nothing is ready: hours pass in milliseconds.

It has no sockets, no threads, no signals: whoever asks for one gets `NotVirtual`. The order of everything follows from
the order of calls alone, so the same seed gives the same run.
"""

import asyncio
import asyncio.base_events
import itertools
import math
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar

EPOCH = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
_STEPS_WITHOUT_TIME = 200_000
T = TypeVar("T")


class NotVirtual(RuntimeError):
    """Something asked for the real world: a socket, a thread, a signal."""


class Stuck(RuntimeError):
    """Nothing is ready and no timer runs, or everything runs and time stands still."""


class _NumberedTask(asyncio.Task[Any]):
    """Sets of tasks (asyncio.wait, TaskGroup) are walked in the order the tasks were made, not by memory address."""

    _numbers = itertools.count()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.number = next(self._numbers)
        super().__init__(*arguments, **named)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Jump:
    """Stands where asyncio has its selector: waiting is moving the time."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        self._loop.pass_time(timeout)
        return []


class VirtualLoop(asyncio.base_events.BaseEventLoop):
    """`time()` starts at 0 and is seconds of virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._steps = 0
        self._clock_resolution = math.ulp(0.0)
        self._selector = _Jump(self)
        _NumberedTask._numbers = itertools.count()
        self.set_task_factory(lambda loop, coroutine, **named: _NumberedTask(coroutine, loop=loop, **named))

    def time(self) -> float:
        return self._now

    def pass_time(self, timeout: float | None) -> None:
        """Called when a turn of the loop has run; `timeout` is 0 while something is ready."""
        if timeout is None:
            raise Stuck(f"at {self._now:.3f} s everything waits and no timer runs")
        self._steps = 0 if timeout > 0 else self._steps + 1
        if self._steps > _STEPS_WITHOUT_TIME:
            self._steps = 0
            running = "; ".join(repr(handle) for handle in [*self._ready, *sorted(self._scheduled)][:3])
            raise Stuck(f"at {self._now:.3f} s time stands still: round and round go {running}")
        self._now += timeout
        self._clock_resolution = math.ulp(self._now)  # no timer runs early, not even by rounding

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""


_REAL = ("add_reader", "add_writer", "add_signal_handler", "call_soon_threadsafe", "run_in_executor")
_REAL_LATER = (
    *("connect_accepted_socket", "connect_read_pipe", "connect_write_pipe", "create_connection", "create_server"),
    *("create_datagram_endpoint", "create_unix_connection", "create_unix_server", "getaddrinfo", "getnameinfo"),
    *("sendfile", "sock_accept", "sock_connect", "sock_recv", "sock_sendall", "start_tls"),
    *("subprocess_exec", "subprocess_shell"),
)


def _refuse(loop: VirtualLoop, *arguments: Any, **named: Any) -> NoReturn:
    raise NotVirtual("the virtual loop has no sockets, threads, processes or signals")


async def _refuse_later(loop: VirtualLoop, *arguments: Any, **named: Any) -> NoReturn:
    _refuse(loop)


for _name in _REAL:
    setattr(VirtualLoop, _name, _refuse)
for _name in _REAL_LATER:
    setattr(VirtualLoop, _name, _refuse_later)


class VirtualClock:
    """engine.contracts.Clock on a loop's time: EPOCH when the loop starts."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()


def run_virtually(main: Callable[[VirtualClock], Coroutine[Any, Any, T]]) -> T:
    """Run `main` on a new virtual loop to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main(VirtualClock(runner.get_loop())))
