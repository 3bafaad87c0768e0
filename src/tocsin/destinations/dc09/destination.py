"""A station spoken to by DC-09: rounds over its hosts until one of them acknowledges."""

import asyncio
from collections.abc import Callable, Sequence

from tocsin.destinations.checking import link_steps
from tocsin.destinations.dc09 import format as dc09_format
from tocsin.destinations.dc09.addressing import address, read_printed
from tocsin.destinations.dc09.exchange import Exchanges, Result
from tocsin.destinations.dc09.line import Line, Lines
from tocsin.destinations.dc09.pictures import Pictures, References
from tocsin.destinations.dc09.posted import Posted
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.destinations.files import Files
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Path, Rejected, Rendered, TryLater
from tocsin.model.delivery import DeliveryKey, Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Address, Event, Photo
from tocsin.protocols.dc09.errors import Dc09Error
from tocsin.protocols.dc09.frames import RawFrame
from tocsin.protocols.dc09.message import Message
from tocsin.protocols.errors import Unsendable
from tocsin.protocols.translate import Remembered
from tocsin.telemetry.occurrences import Trouble
from tocsin.transports.contract import Endpoint, Unreachable
from tocsin.transports.ring import round_order

BETWEEN_ATTEMPTS_S = 1.0
_REFUSALS_KEPT = 10_000
POLL_REFUSED = (
    "the station answers DUH to polls for account {}: it does not know the account, or expects the other of plain and "
    'encrypted; ask the station, or set supervision = "off"'
)
NO_POLL = "not sent: there is no default account"
CHECK_HINTS = {
    "refused": "The station does not know this account, or expects the other of plain and encrypted messages. Compare "
    "account, receiver number, prefix and key with the station",
    "retry": "Check the clock of this machine against a time server, then ask the station about its own",
    "silent": "Many receivers are silent when account, prefix or key are wrong. Compare them with the station, and "
    "check that this port is its DC-09 receiver",
}


class Dc09Destination:
    """See engine.contracts.Destination, Prompt and ManyPaths."""

    def __init__(self, settings: Dc09Settings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self.concurrency = settings.connections
        self._settings = settings
        self._clock = surroundings.clock
        self._areas = surroundings.area_address
        self._network = surroundings.network
        self._record = surroundings.record
        self._hosts = settings.endpoints()
        self._default = settings.default_address()
        self._options = dc09_format.options(settings)
        self._remembered = Remembered()
        self.supervision_s = settings.supervision if self._default else None
        self._lines = Lines(settings, surroundings.network, surroundings.clock)
        self._exchanges = Exchanges(settings, surroundings)
        wanted = settings.photos is not None and settings.photos.by is not None
        self._pictures = Pictures(settings, settings.photos, surroundings) if wanted and settings.photos else None
        self._refusals: dict[DeliveryKey, set[Endpoint]] = {}
        self._begun: dict[DeliveryKey, Posted] = {}
        self._last_host = ""
        self._proved: dict[str, float] = {}
        self._poll_refused = False

    def address(self, event: Event, device: Device | None) -> Addressed:
        found = address(self._settings, event, device, self._areas)
        return dc09_format.expressible(self._settings, event, found)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        named, files = self._pictures.at_hand(due, _where(due), photos) if self._pictures else ((), Files())
        message = self._event_message(due, named)
        frame = Rendered("frame", self._exchanges.frame(message), dc09_format.clear_text(message))
        return [*(Rendered(name, file.data, files.note) for name, file in zip(named, files.files, strict=True)), frame]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        pictures = await self._references(due, attempt)
        message = self._event_message(due, pictures)
        refused = self._refusals.get(due.key, set())
        try:
            receipt = await self._round(message, attempt, refused, self._begun.pop(due.key, None))
        except TryLater:
            self._remember(due.key, refused)
            if self._pictures:
                self._pictures.sent(due.key, pictures)
            raise
        self._refusals.pop(due.key, None)
        if self._pictures:
            self._pictures.done(due.key)
        if receipt is None:
            raise Rejected(f"the station answers DUH: it cannot process {dc09_format.clear_text(message)}")
        return receipt

    def stands(self) -> bool:
        return self._lines.stands()

    def begin(self, due: Due, attempt: Attempt, ended: Callable[[Due, Attempt, Receipt | None], None]) -> bool:
        if due.key in self._refusals or (self._pictures and due.event.photos):
            return False
        message = self._event_message(due)

        def answered(posted: Posted, raw: RawFrame | None) -> None:
            if raw is None:
                self._begun[due.key] = posted
                ended(due, attempt, None)
            else:
                receipt = self._exchanges.acknowledged(posted, raw, message, attempt)
                self._answers(posted.line.host)
                self._lines.keep_or_close(posted.line)
                ended(due, attempt, receipt)

        line = self._lines.at_hand()
        if self._exchanges.post(line, message, answered):
            return True
        self._lines.keep_or_close(line)
        return False

    async def supervise(self, attempt: Attempt) -> Receipt:
        """A link test for the default account. A station that refuses it is reached all the same."""
        if self._default is None:
            raise LinkDown("there is no default account to poll with")
        try:
            receipt = await self._round(self._link_test(self._default), attempt, set())
        except TryLater as error:
            raise LinkDown(str(error)) from error
        if receipt is None and not self._poll_refused:
            self._record(Trouble(f"destination {self.name}", POLL_REFUSED.format(self._default.account)))
        self._poll_refused = receipt is None
        return receipt or Receipt(self._last_host, "DUH")

    def paths(self) -> Sequence[Path]:
        first_s, second_s = self.supervision_s, self._settings.second_path
        hosts = list(dict.fromkeys(map(str, self._hosts)))
        if first_s is None or second_s is None or len(hosts) < 2:
            return []
        return [Path(hosts[0], first_s), *(Path(host, second_s) for host in hosts[1:])]

    def proved_at(self, path: str) -> float | None:
        return self._proved.get(path)

    async def prove(self, path: str, attempt: Attempt) -> Receipt:
        """Over a connection of its own: events stay with the host they go to. A refusal proves the path too."""
        if self._default is None:
            raise LinkDown(NO_POLL)
        endpoint = next(host for host in self._hosts if str(host) == path)
        try:
            line = await self._lines.open(endpoint)
        except Unreachable as error:
            raise LinkDown(str(error)) from error
        try:
            result = await self._exchanges.ask(line, self._link_test(self._default), attempt)
        finally:
            await line.aclose()
        if result.word not in ("delivered", "refused"):
            raise LinkDown(result.reason)
        self._proved[path] = self._clock.monotonic()
        return result.receipt or Receipt(path, "DUH")

    def _answers(self, host: str) -> None:
        self._last_host = host
        self._proved[host] = self._clock.monotonic()

    async def check(self) -> Sequence[CheckStep]:
        """Every host, each as far as it goes; no event is sent."""
        steps = [step for host in dict.fromkeys(self._hosts) for step in await self._check(host)]
        return [*steps, *(await self._pictures.check() if self._pictures else ())]

    def hosts_in_use(self) -> str:
        return self._last_host or str(self._hosts[0])

    async def abandon(self) -> None:
        self._exchanges.hand_over()
        begun, self._begun = self._begun, {}
        await asyncio.gather(*(posted.line.aclose() for posted in begun.values()))

    async def aclose(self) -> None:
        await asyncio.gather(self.abandon(), self._lines.aclose())
        if self._pictures:
            await self._pictures.aclose()

    async def _references(self, due: Due, attempt: Attempt) -> References:
        if self._pictures is None or not due.event.photos:
            return ()
        return await self._pictures.references(due, _where(due), attempt)

    def _event_message(self, due: Due, pictures: References = ()) -> Message:
        """The message with its number on the wire. Raises Rejected."""
        try:
            return dc09_format.event_message(
                self._settings, due.event, _where(due), due.number, self._options, pictures, self._remembered
            )
        except (Dc09Error, Unsendable) as error:
            raise Rejected(str(error)) from error

    def _link_test(self, default: Address) -> Message:
        return dc09_format.link_test(default, self._settings.key is not None)

    def _remember(self, key: DeliveryKey, refused: set[Endpoint]) -> None:
        """A host that refused a delivery is not asked again (dc09.md 13.1); bounded, the oldest are forgotten."""
        if refused:
            self._refusals[key] = refused
        while len(self._refusals) > _REFUSALS_KEPT:
            self._refusals.pop(next(iter(self._refusals)))

    # One round over the hosts

    async def _round(
        self, message: Message, attempt: Attempt, refused: set[Endpoint], begun: Posted | None = None
    ) -> Receipt | None:
        """One round; None when every host has refused the message. Raises LinkDown, TryLater."""
        results: list[Result] = []
        line = begun.line if begun else await self._lines.standing()
        hosts = round_order(self._hosts, refused)
        if line is not None and line.endpoint in hosts:
            result = await self._ask(line, message, attempt, begun)
            # A kept link that breaks at this moment may have been dead before: that is no attempt of its host.
            if result.word not in ("broken", "unreachable"):
                hosts.remove(line.endpoint)
                _note(result, line.endpoint, results, refused)
        elif line is not None:
            await self._lines.put_back(line)
        for host in hosts:
            if not _delivered(results):
                _note(await self._host(host, message, attempt), host, results, refused)
        return self._conclude(results, refused)

    def _conclude(self, results: Sequence[Result], refused: set[Endpoint]) -> Receipt | None:
        if _delivered(results):
            return results[-1].receipt
        if refused.issuperset(self._hosts):
            return None
        reasons = "; ".join(dict.fromkeys(result.reason for result in results))
        if not refused and all(result.word == "unreachable" for result in results):
            raise LinkDown(reasons)
        raise TryLater(reasons)

    async def _host(self, host: Endpoint, message: Message, attempt: Attempt) -> Result:
        """The configured attempts at one host, each over a new connection."""
        result = Result("unreachable")
        for number in range(self._settings.attempts):
            if number:
                await asyncio.sleep(BETWEEN_ATTEMPTS_S)
            try:
                line = await self._lines.open(host)
            except Unreachable as error:
                attempt.exchanged(str(host), "unreachable", note=str(error))
                result = Result("unreachable", str(error))
            else:
                result = await self._ask(line, message, attempt)
            if result.word in ("delivered", "refused"):
                break
        return result

    async def _ask(self, line: Line, message: Message, attempt: Attempt, begun: Posted | None = None) -> Result:
        """One exchange; the line is kept only after a clean answer, so that no late one can meet another message."""
        try:
            result = await self._exchanges.ask(line, message, attempt, begun)
        except BaseException:
            await line.aclose()
            raise
        if result.word in ("delivered", "refused"):
            self._answers(line.host)
            await self._lines.put_back(line)
        else:
            await line.aclose()
        return result

    # Commissioning

    async def _check(self, host: Endpoint) -> list[CheckStep]:
        steps: list[CheckStep] = []
        if self._settings.transport == "tcp":
            tls = self._settings.tls.options() if self._settings.tls else None
            steps = await link_steps(self._network, host, tls, self._settings.connect_timeout)
        if not all(step.ok for step in steps):
            return steps
        if self._default is None:
            return [*steps, CheckStep(f"poll {host}", True, NO_POLL)]
        try:
            line = await self._lines.open(host)
        except Unreachable as error:
            return [*steps, CheckStep(f"connect to {host}", False, str(error))]
        return [*steps, await self._check_poll(line, self._default)]

    async def _check_poll(self, line: Line, default: Address) -> CheckStep:
        attempt = Attempt(self._clock)
        result = await self._ask(line, self._link_test(default), attempt)
        what = f"poll {line.endpoint} for account {default.account}"
        if result.receipt is None:
            return CheckStep(what, False, result.reason, CHECK_HINTS.get(result.word, CHECK_HINTS["silent"]))
        resynced = [each.note for each in attempt.exchanges if each.result == "resync"]
        return CheckStep(what, True, "; ".join([result.receipt.answer, *resynced]))


def _where(due: Due) -> Address:
    where = read_printed(due.address)
    if where is None:
        raise Rejected(f"{due.address!r} in the outbox is no DC-09 address")
    return where


def _note(result: Result, host: Endpoint, results: list[Result], refused: set[Endpoint]) -> None:
    results.append(result)
    if result.word == "refused":
        refused.add(host)


def _delivered(results: Sequence[Result]) -> bool:
    return bool(results) and results[-1].receipt is not None


def build(settings: Dc09Settings, surroundings: Surroundings) -> Dc09Destination:
    return Dc09Destination(settings, surroundings)
