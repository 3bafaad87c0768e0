"""A Manitou station: rounds over its hosts until one of them acknowledges."""

import asyncio
from collections.abc import Sequence

from tocsin.destinations.checking import link_steps
from tocsin.destinations.files import Files
from tocsin.destinations.manitou import format as manitou_format
from tocsin.destinations.manitou.addressing import address
from tocsin.destinations.manitou.exchange import Exchanges, Outgoing, Result
from tocsin.destinations.manitou.line import Line, Lines
from tocsin.destinations.manitou.settings import ManitouSettings
from tocsin.destinations.pictures import files_at_hand, files_of
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Rejected, Rendered, TryLater
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.protocols.addressing import listed
from tocsin.protocols.errors import Unsendable
from tocsin.transports.contract import Endpoint, Unreachable
from tocsin.transports.ring import round_order

UNCONFIRMED = "the layout is unconfirmed: compare it with the station's document"
_HINT = (
    "Many receivers are silent when framing or layout are wrong. Compare packet, framing, ack and heartbeat with the "
    "station, and check that this port is its XML receiver"
)


class ManitouDestination:
    """See engine.contracts.Destination. One packet is under way at a time, over one connection."""

    concurrency = 1

    def __init__(self, settings: ManitouSettings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self.supervision_s = settings.heartbeat_every
        self._settings = settings
        self._around = surroundings
        self._hosts = settings.endpoints()
        self._lines = Lines(settings, surroundings.network, surroundings.clock)
        self._exchanges = Exchanges(settings)
        self._one_at_a_time = asyncio.Lock()
        self._heartbeats = 0
        self._last_host = ""

    def address(self, event: Event, device: Device | None) -> Addressed:
        if not manitou_format.event_code(self._settings, event):
            return Addressed(unsupported=f"SIA has no code for {event.kind}; one can be set in codes")
        return address(self._settings, event, device, self._around.area_address)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        zone = manitou_format.zone_of(due.event, listed(due.address))
        files = files_at_hand(photos, self._settings.photos, due.event, zone)
        packet = self._packet(due, files)
        note = f"{UNCONFIRMED}. {files.note}" if files.note else UNCONFIRMED
        return [Rendered("packet.xml", self._exchanges.frame(packet.document), note)]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        files = Files()
        if self._settings.wants_photos() and due.event.photos:
            zone = manitou_format.zone_of(due.event, listed(due.address))
            files = await files_of(await attempt.photos(), self._settings.photos, due.event, zone)
        return await self._round(self._packet(due, files), attempt)

    async def supervise(self, attempt: Attempt) -> Receipt:
        """A heartbeat; any host that answers it will do."""
        try:
            return await self._round(self._heartbeat(), attempt)
        except (TryLater, Rejected) as error:
            raise LinkDown(str(error)) from error

    async def check(self) -> Sequence[CheckStep]:
        """Every host, each as far as it goes; no event is sent."""
        return [step for host in dict.fromkeys(self._hosts) for step in await self._check(host)]

    def hosts_in_use(self) -> str:
        return self._last_host or str(self._hosts[0])

    async def aclose(self) -> None:
        await self._lines.aclose()

    def _packet(self, due: Due, files: Files) -> Outgoing:
        """Raises Rejected."""
        number = manitou_format.signal_number(due.number)
        settings, event, where = self._settings, due.event, listed(due.address)
        try:
            document = manitou_format.packet(settings, event, where, number, files.files)
            shown = manitou_format.packet(settings, event, where, number, files.files, shown=True)
        except Unsendable as error:
            raise Rejected(str(error)) from error
        return Outgoing(number, document, shown, files.note)

    def _heartbeat(self) -> Outgoing:
        number = manitou_format.heartbeat_number(self._heartbeats)
        self._heartbeats += 1
        document = manitou_format.heartbeat(self._settings, number)
        return Outgoing(number, document, document)

    # One round over the hosts

    async def _round(self, packet: Outgoing, attempt: Attempt) -> Receipt:
        """Raises LinkDown, TryLater, Rejected."""
        async with self._one_at_a_time:
            hosts, results = round_order(self._hosts), list[Result]()
            line = await self._lines.standing()
            if line is not None:
                result = await self._ask(line, packet, attempt)
                # A kept link that breaks at this moment may have been dead before: that is no attempt of its host.
                if result.word != "broken":
                    hosts.remove(line.endpoint)
                    results.append(result)
            for host in hosts:
                if not (results and results[-1].receipt):
                    results.append(await self._host(host, packet, attempt))
            return _concluded(results)

    async def _host(self, host: Endpoint, packet: Outgoing, attempt: Attempt) -> Result:
        try:
            line = await self._lines.open(host)
        except Unreachable as error:
            attempt.exchanged(str(host), "unreachable", note=str(error))
            return Result("unreachable", str(error))
        return await self._ask(line, packet, attempt)

    async def _ask(self, line: Line, packet: Outgoing, attempt: Attempt) -> Result:
        """The line is kept only after a clean answer, so that no late one can meet another packet."""
        try:
            result = await self._exchanges.ask(line, packet, attempt)
        except BaseException:
            await line.aclose()
            raise
        if result.word in ("delivered", "refused"):
            self._last_host = str(line.endpoint)
            await self._lines.put_back(line)
        else:
            await line.aclose()
        return result

    # Commissioning

    async def _check(self, host: Endpoint) -> list[CheckStep]:
        tls = self._settings.tls.options() if self._settings.tls else None
        steps = await link_steps(self._around.network, host, tls, self._settings.connect_timeout)
        if not all(step.ok for step in steps):
            return steps
        if self._settings.heartbeat_every is None:
            return [*steps, CheckStep(f"heartbeat to {host}", True, "not sent: heartbeat_every is off")]
        attempt = Attempt(self._around.clock)
        result = await self._host(host, self._heartbeat(), attempt)
        if result.receipt is None:
            return [*steps, CheckStep(f"heartbeat to {host}", False, result.reason, _HINT)]
        return [*steps, CheckStep(f"heartbeat to {host}", True, result.receipt.answer)]


def _concluded(results: Sequence[Result]) -> Receipt:
    if results[-1].receipt is not None:
        return results[-1].receipt
    reasons = "; ".join(dict.fromkeys(result.reason for result in results))
    words = {result.word for result in results}
    if words == {"refused"}:
        raise Rejected(reasons)
    raise LinkDown(reasons) if words == {"unreachable"} else TryLater(reasons)


def build(settings: ManitouSettings, surroundings: Surroundings) -> ManitouDestination:
    return ManitouDestination(settings, surroundings)
