"""A station that takes Sur-Gard records: rounds over its lines until one of them is acknowledged."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

from msgspec import Struct

from tocsin.destinations.checking import link_steps
from tocsin.destinations.surgard import format as surgard_format
from tocsin.destinations.surgard.addressing import address, read_printed
from tocsin.destinations.surgard.arrivals import Arrivals
from tocsin.destinations.surgard.hosts import Hosts
from tocsin.destinations.surgard.line import Line
from tocsin.destinations.surgard.settings import LinkedSettings, SurgardSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.trace import printable
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Rejected, Rendered, TryLater
from tocsin.engine.link import ANNOUNCE_AFTER
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Address, Event, Photo
from tocsin.protocols.errors import Unsendable
from tocsin.protocols.surgard.framing import wrap
from tocsin.protocols.surgard.sender import Ended
from tocsin.protocols.text import one_line
from tocsin.transports.contract import Endpoint, LinkBroken, Unreachable

ARRIVAL_WAIT_S = 5.0
"""How long we wait for a station that is to connect to us, before saying that it is not there."""
LONG_WAIT_S = 240.0
"""The same once the other stations know of it (engine/link.py): nothing is lost by waiting then, and the backlog goes
out the moment the station is back.
"""
CHECK_WAIT_S = 15.0
LISTENING_PROBE_S = 30.0
NO_ANSWER_HINT = (
    "Connected, but no acknowledgement: ask the station whether this port is its Sur-Gard or MLR2 receiver input, and "
    "compare header (line_digits), receiver and line numbers"
)
ALONE_HINT = (
    "The gateway itself, when it runs, listens here: `tocsin destinations` then shows whether the station is connected"
)


class Dialect(Struct, frozen=True):
    """How one type says things. `heartbeat` is empty where none is sent; `notation` is the tag in a description."""

    notation: str
    record: Callable[[Event, Address], bytes]
    heartbeat: bytes


class Lines(Protocol):
    """Where the lines to a station come from: we connect, or it does."""

    async def standing(self, wait_s: float) -> Line | None:
        """The line in use; where the station connects, waits so long for one. Raises LinkDown."""

    async def next(self, tried: set[Endpoint], attempt: Attempt) -> Line | None:
        """Another line for this round; None when there is none left. Adds its host to `tried`."""

    async def keep(self, line: Line) -> None:
        """It has served and stands."""

    async def aclose(self) -> None: ...


class SurgardDestination:
    """See engine.contracts.Destination. One record is outstanding at a time: one delivery at once."""

    concurrency = 1

    def __init__(self, settings: LinkedSettings, dialect: Dialect, surroundings: Surroundings) -> None:
        self.name = settings.name
        self.lines: Lines = (
            Hosts(settings, surroundings.network, surroundings.clock)
            if settings.mode == "connect"
            else Arrivals(settings, surroundings)
        )
        self.supervision_s = settings.heartbeat or (LISTENING_PROBE_S if settings.mode == "listen" else None)
        self._settings = settings
        self._dialect = dialect
        self._areas = surroundings.area_address
        self._network = surroundings.network
        self._clock = surroundings.clock
        self._one_at_a_time = asyncio.Lock()
        self._last_host = ""
        self._absences = 0

    def address(self, event: Event, device: Device | None) -> Addressed:
        found = address(self._dialect.notation, self._settings, event, device, self._areas)
        return surgard_format.expressible(self._settings, event, found)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        record = self._record(due)
        return [Rendered("record", wrap(record), surgard_format.shown(wrap(record)))]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        record = self._record(due)
        return await self._exchange(record, attempt)

    async def supervise(self, attempt: Attempt) -> Receipt:
        return await self._exchange(b"", attempt)

    async def check(self) -> Sequence[CheckStep]:
        """Every host, or whoever connects within a quarter of a minute, as far as a heartbeat; no event is sent."""
        if isinstance(self.lines, Hosts):
            hosts = dict.fromkeys(self._settings.endpoints())
            return [step for host in hosts for step in await self._check_host(self.lines, host)]
        return await self._check_listening()

    def hosts_in_use(self) -> str:
        first = self._settings.hosts[:1] or [f"listening on {self._settings.listen}"]
        return self._last_host or first[0]

    async def aclose(self) -> None:
        await self.lines.aclose()

    def _record(self, due: Due) -> bytes:
        """Raises Rejected."""
        where = read_printed(due.address)
        if where is None:
            raise Rejected(f"{due.address!r} in the outbox is no Sur-Gard address")
        try:
            return self._dialect.record(due.event, where)
        except Unsendable as error:
            raise Rejected(str(error)) from error

    # One round

    async def _exchange(self, record: bytes, attempt: Attempt) -> Receipt:
        async with self._one_at_a_time:
            try:
                known = self._absences >= ANNOUNCE_AFTER
                receipt = await self._round(record, attempt, LONG_WAIT_S if known else ARRIVAL_WAIT_S)
            except LinkDown:
                self._absences += 1
                raise
            self._absences = 0
            return receipt

    async def _round(self, record: bytes, attempt: Attempt, wait_s: float) -> Receipt:
        """Over the standing line, then over new ones. Without a record, only the link is proved. Raises LinkDown when
        no host shows life, TryLater when one does and yet does not take the record.
        """
        begun, alive, tried = len(attempt.exchanges), False, set[Endpoint]()
        standing = True
        while line := await self._line(standing, wait_s, tried, attempt):
            known = line.proved
            word, receipt = await self._over(line, record, attempt)
            if receipt is not None:
                return receipt
            alive = alive or (line.proved and (word == "retry" or not known))
            standing = known and word == "broken"  # it may have been dead before: no attempt of its host
            if not standing:
                tried.add(line.endpoint)
        reasons = "; ".join(dict.fromkeys(each.note for each in attempt.exchanges[begun:] if each.result != "note"))
        raise TryLater(reasons) if alive and record else LinkDown(reasons or "the station has closed the connection")

    async def _line(self, standing: bool, wait_s: float, tried: set[Endpoint], attempt: Attempt) -> Line | None:
        line = await self.lines.standing(wait_s) if standing else None
        return line or await self.lines.next(tried, attempt)

    async def _over(self, line: Line, record: bytes, attempt: Attempt) -> tuple[str, Receipt | None]:
        """Over a new line events go only after a heartbeat was acknowledged (surgard.md 6.1)."""
        heartbeat = self._dialect.heartbeat
        said = Receipt(str(line.endpoint), "connected")
        word = "delivered"
        if heartbeat and (not line.proved or not record):
            word, answer = await self._ask(line, heartbeat, attempt, "heartbeat")
            if answer is None:
                return word, None
            said = answer
        line.proved = True
        if record:
            word, answer = await self._ask(line, record, attempt, "")
            if answer is None:
                return word, None
            said = answer
        self._last_host = str(line.endpoint)
        await self.lines.keep(line)
        return word, said

    async def _ask(self, line: Line, record: bytes, attempt: Attempt, what: str) -> tuple[str, Receipt | None]:
        """One record. A line is closed after anything but an acknowledgement: a late answer must not meet another."""
        host, sent = str(line.endpoint), surgard_format.shown(wrap(record))
        try:
            ended = await line.ask(record)
        except LinkBroken as error:
            await line.aclose()
            attempt.exchanged(host, "broken", sent, note=str(error))
            return "broken", None
        except BaseException:
            await line.aclose()
            raise
        answer = surgard_format.answer_shown(ended.outcome, *self._settings.answers())
        if ended.outcome == "acknowledged":
            attempt.exchanged(host, "note" if what else "delivered", sent, answer, _remark(what, ended))
            return "delivered", Receipt(host, answer)
        await line.aclose()
        if ended.outcome == "unsettled":
            attempt.exchanged(host, "note", note=f"{host} still owes answers to an earlier record: connecting anew")
            return "broken", None
        word = "retry" if ended.outcome == "refused" else "silent"
        attempt.exchanged(host, word, sent, answer, self._failure(host, what, ended))
        return word, None

    def _failure(self, host: str, what: str, ended: Ended) -> str:
        record = what or "record"
        if ended.outcome == "refused":
            return f"{host} answers the {record} with NAK, {ended.attempts} times"
        said = f"; it sent {one_line(printable(ended.ignored))!r}, which is no answer" if ended.ignored else ""
        each_s = self._settings.wait
        return f"{host} did not acknowledge the {record}: sent {ended.attempts} times, {each_s:g} s each{said}"

    # Commissioning

    async def _check_host(self, hosts: Hosts, host: Endpoint) -> list[CheckStep]:
        steps = await link_steps(self._network, host, self._settings.connecting_tls(), self._settings.connect_timeout)
        if not all(step.ok for step in steps):
            return steps
        try:
            line = await hosts.open(host)
        except Unreachable as error:
            return [*steps, CheckStep(f"connect to {host}", False, str(error))]
        try:
            return [*steps, await self._check_line(line)]
        finally:
            await line.aclose()

    async def _check_listening(self) -> list[CheckStep]:
        what = f"a station connects to {self._settings.listen}"
        try:
            line = await self.lines.standing(CHECK_WAIT_S)
        except LinkDown as error:
            return [CheckStep(what, False, str(error), ALONE_HINT)]
        if line is None:
            return [CheckStep(what, False, "it was closed at once")]
        return [CheckStep(what, True, str(line.endpoint)), await self._check_line(line)]

    async def _check_line(self, line: Line) -> CheckStep:
        what = f"heartbeat to {line.endpoint}"
        if not self._dialect.heartbeat:
            return CheckStep(what, True, "not sent: heartbeat is off, so whether it answers shows with the first event")
        attempt = Attempt(self._clock)
        _, receipt = await self._ask(line, self._dialect.heartbeat, attempt, "heartbeat")
        if receipt is None:
            return CheckStep(what, False, attempt.exchanges[-1].note, NO_ANSWER_HINT)
        return CheckStep(what, True, "acknowledged; accounts show only with the first event")


def _remark(what: str, ended: Ended) -> str:
    times = f"sent {ended.attempts} times" if ended.attempts > 1 else ""
    return ", ".join(part for part in (what, times) if part)


def build(settings: SurgardSettings, surroundings: Surroundings) -> SurgardDestination:
    zone = ZoneInfo(surroundings.time_zone)

    def record(event: Event, where: Address) -> bytes:
        return surgard_format.event_record(settings, event, where, zone)

    heartbeat = surgard_format.heartbeat(settings) if settings.heartbeat else b""
    return SurgardDestination(settings, Dialect("Surgard", record, heartbeat), surroundings)
