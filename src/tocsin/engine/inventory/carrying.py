"""Orders to devices of one system: the system is told, instead of a device that fetches them (stations.md 12).

Every order sets a state, so one whose answer was lost, or that was under way when the gateway was killed, is carried
out again while its time lasts; after that it has failed. A siren is stopped after its time: outputs do not stop by
themselves.
"""

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from tocsin.engine.commands import LONGEST_SIREN_S, Commands
from tocsin.engine.contracts import Clock, IntakeClosed
from tocsin.engine.systems import System, SystemFault, Unreachable
from tocsin.model.command import Command, CommandState, pair_of
from tocsin.store.contract import CommandFilter, Store, StoreUnavailable
from tocsin.telemetry.occurrences import TaskFailed, Trouble
from tocsin.telemetry.record import Recorder

ANSWER_LIMIT_S = 30.0
LOOK_EVERY_S = 1.0
MOST_AT_ONCE = 32
LONGEST_PAUSE_S = 15.0
SIRENS_LOOKED_AT = 1000
STOPPED = "the gateway was stopped meanwhile"
Identity = tuple[str, str]


class CarryParts(NamedTuple):
    """`identity_of`: what the system calls a device of its own; None: it is not. `mine`: this node owns the system."""

    commands: Commands
    store: Store
    clock: Clock
    record: Recorder
    identity_of: Callable[[str], Identity | None]
    mine: Callable[[], bool]


class Ended(Struct, frozen=True):
    """How telling the system went. None as `state`: it is told again while there is time."""

    state: CommandState | None
    words: str


class Carrying:
    """`run` until cancelled. Orders of one device are carried out in their order, those of several side by side."""

    def __init__(self, system: System, parts: CarryParts) -> None:
        self._system = system
        self._parts = parts
        self._clock = parts.clock
        self._gate = asyncio.Semaphore(MOST_AT_ONCE)
        self._woken = asyncio.Event()
        self._under_way: set[str] = set()
        self._pauses: dict[str, tuple[float, float]] = {}
        self._last_words: dict[str, str] = {}
        self._sounding: dict[str, tuple[Command, float]] = {}
        self._remembered = False
        if "commands" in system.capabilities:
            parts.commands.carried(system.name, self._woken.set)

    async def run(self) -> None:
        self._under_way.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                if self._parts.mine():
                    await self._look(group)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._woken.wait()

    async def _look(self, group: asyncio.TaskGroup) -> None:
        with contextlib.suppress(StoreUnavailable):
            await self._remember()
            await self._end_sirens()
        for device_id in self._parts.commands.devices_ordered():
            identity = self._parts.identity_of(device_id)
            if identity is not None and device_id not in self._under_way and not self._pausing(device_id):
                self._under_way.add(device_id)
                group.create_task(self._serve(device_id, identity))

    def _pausing(self, device_id: str) -> bool:
        """After a failure, unless there is something new to be done: a siren's stop does not wait."""
        _, until = self._pauses.get(device_id, (0.0, 0.0))
        return self._clock.monotonic() < until and not self._parts.commands.has_new(device_id)

    async def _serve(self, device_id: str, identity: Identity) -> None:
        try:
            async with self._gate:
                await self._end_late(device_id)
                done = await self._carry_out_all(device_id, identity)
        except (StoreUnavailable, IntakeClosed):  # what was carried out and not noted is carried out again
            done = False
        finally:
            self._under_way.discard(device_id)
        if done:
            self._pauses.pop(device_id, None)
            if self._parts.commands.has_new(device_id):
                self._woken.set()
            return
        pause_s = min(2 * self._pauses.get(device_id, (0.5, 0.0))[0], LONGEST_PAUSE_S)
        self._pauses[device_id] = (pause_s, self._clock.monotonic() + pause_s)

    async def _end_late(self, device_id: str) -> None:
        """What was begun and has no time left: it may have been carried out."""
        for command in self._parts.commands.begun_late(device_id):
            if command.order == "siren":
                await self._parts.commands.end_siren(command)
            why = self._last_words.get(command.id, STOPPED)
            await self._end(command, "failed", f"{why}; its time is over, and it may have been carried out")

    async def _carry_out_all(self, device_id: str, identity: Identity) -> bool:
        """Whether nothing is left to be done again."""
        commands = await self._parts.commands.fetch(device_id)
        for command, later in overtaken(commands):
            words = f"gave way to {later.order} {later.id}; it may have been carried out"
            await self._end(command, "failed", words)
        for command in standing(commands):
            ended = await self._told(command, identity)
            if command.order == "siren" and ended.state != "failed":
                self._sounds(command, self._clock.monotonic() + siren_s(command))
            if ended.state is None:
                self._last_words[command.id] = ended.words
                return False
            await self._end(command, ended.state, ended.words)
        return True

    async def _told(self, command: Command, identity: Identity) -> Ended:
        left_s = (command.expires_at - self._clock.now()).total_seconds()
        limit_s = max(1.0, min(ANSWER_LIMIT_S, left_s))
        try:
            async with asyncio.timeout(limit_s):
                return Ended("confirmed", await self._system.command(*identity, command.order))
        except TimeoutError:
            return Ended(None, f"{self._system.name} gave no answer within {limit_s:.0f} s")
        except Unreachable as fault:
            return Ended(None, str(fault))
        except SystemFault as fault:
            return Ended("failed", str(fault))
        except Exception as error:  # noqa: BLE001 - a connector's defect must not cost other devices' orders
            trace = "".join(traceback.format_exception(error))
            self._parts.record(TaskFailed(f"{self._system.name} orders", repr(error), trace, 0.0))
            return Ended("failed", f"internal error: {type(error).__name__}")

    async def _end(self, command: Command, state: CommandState, words: str) -> None:
        await self._parts.commands.end(command, state, words)
        self._last_words.pop(command.id, None)
        if command.order == "stop_siren" and state == "confirmed":
            self._sounding.pop(command.device_id, None)
        if state == "failed":
            what = f"{command.order} of {command.device_id}, ordered by {command.requested_by}, failed: {words}"
            self._parts.record(Trouble(f"system {self._system.name}", what))

    # Sirens end

    def _sounds(self, command: Command, until: float) -> None:
        self._sounding[command.device_id] = (command, until)

    async def _end_sirens(self) -> None:
        """Raises StoreUnavailable; then they are ended at the next look."""
        for device_id, (command, until) in list(self._sounding.items()):
            if until <= self._clock.monotonic() and not self._parts.commands.has_new(device_id):
                await self._parts.commands.end_siren(command)
                if self._sounding.get(device_id) == (command, until):
                    del self._sounding[device_id]

    async def _remember(self) -> None:
        """Sirens that an earlier process left sounding."""
        if self._remembered:
            return
        wanted = CommandFilter(SIRENS_LOOKED_AT, states=frozenset[CommandState]({"confirmed"}))
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for command in left_sounding(await self._parts.store.commands(wanted)):
            if self._parts.identity_of(command.device_id) is not None and command.device_id not in self._sounding:
                self._sounds(command, monotonic + left_s(command, now))
        self._remembered = True


def overtaken(commands: Sequence[Command]) -> list[tuple[Command, Command]]:
    """Of orders to one device, oldest first: those that a later one of the same pair makes void, and that one."""
    last = {pair_of(command.order): command for command in commands}
    return [(command, later) for command in commands if (later := last[pair_of(command.order)]).id != command.id]


def standing(commands: Sequence[Command]) -> list[Command]:
    """The others."""
    void = {command.id for command, _ in overtaken(commands)}
    return [command for command in commands if command.id not in void]


def siren_s(command: Command) -> float:
    return float(command.parameters.duration_s or LONGEST_SIREN_S)


def left_s(command: Command, now: datetime) -> float:
    """How long a siren may still sound. A clock that was set back lets none sound longer than was asked."""
    began = command.ended_at or now
    left = began + timedelta(seconds=siren_s(command)) - now
    return min(max(left.total_seconds(), 0.0), siren_s(command))


def left_sounding(ended: Iterable[Command]) -> list[Command]:
    """Of confirmed orders, newest first: each device's last about its siren, where that sounded it."""
    newest: dict[str, Command] = {}
    for command in ended:
        if command.order in ("siren", "stop_siren"):
            newest.setdefault(command.device_id, command)
    return [command for command in newest.values() if command.order == "siren"]
