"""A service cloud: joins its documents with the HTTP transport."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

from tocsin.destinations.cloud.addressing import NO_NOTICE, address_of
from tocsin.destinations.cloud.answers import judged
from tocsin.destinations.cloud.batching import EventPost
from tocsin.destinations.cloud.format import (
    GZIP_ABOVE,
    event_key,
    inventory_key,
    inventory_parts,
    packed,
    source_key,
)
from tocsin.destinations.cloud.settings import CloudSettings
from tocsin.destinations.posting import Headers, Request, Service, Services, Verdict, shown_head
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Rejected, Rendered, TryLater
from tocsin.engine.inventory.telling import Inventory, health_body, inventory_body, source_body
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, HealthNotice, InventoryNotice, Photo, SourceNotice
from tocsin.store.contract import StoreError
from tocsin.transports.http import HttpAnswer

INVENTORY_FIRST_S = 10.0
MOST_AT_ONCE = 1000
UNTRIED = "the token is not tried: there is no message that is none; its first answer tells"


class CloudDestination:
    """See engine.contracts.Destination."""

    supervision_s: float | None = None

    def __init__(self, settings: CloudSettings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self.concurrency = min(settings.concurrency * settings.max_events, MOST_AT_ONCE)
        self._settings = settings
        self._around = surroundings
        self._token = settings.token.reveal() if settings.token else ""
        self._being_told: dict[tuple[str, str], asyncio.Event] = {}
        """Inventories under way, by system and customer; the pump has one of each at a time."""
        self._health = self._services(settings.events_url)
        self._inventories = self._services(settings.inventory_url)
        self._sources = self._services(settings.sources_url) if settings.sources_url else None
        self._events = EventPost(self._health, self._request, self._judged, settings.max_events, settings.concurrency)

    def address(self, event: Event, device: Device | None) -> Addressed:
        return address_of(event, self._sources is not None)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        if isinstance(due.event.notice, InventoryNotice):
            return [Rendered("inventory.json", b"", "read from the store when it is sent: whole, and the newest")]
        url, name, request = self._settings.events_url, "health.json", self._single(due.event)
        if isinstance(due.event.notice, SourceNotice):
            url, name = self._settings.sources_url or "", "system.json"
        head = shown_head(url, request, [self._token])
        return [Rendered("request-head.txt", head, "secrets masked"), Rendered(name, request.shown)]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        notice = due.event.notice
        if isinstance(notice, InventoryNotice):
            return await self._deliver_inventory(notice, attempt)
        if isinstance(notice, HealthNotice) and self._settings.profile == "brief" and not notice.turned:
            return self._nothing_sent(f"profile brief knows online and offline only, and it is {notice.status}")
        if isinstance(notice, SourceNotice) and self._sources is not None:
            return await self._sources.post(self._single(due.event), self._judged, attempt)
        if isinstance(notice, HealthNotice):
            await self._after_its_inventory(notice)
        return await self._events.deliver(due, attempt, self._health_body(due.event))

    async def _deliver_inventory(self, notice: InventoryNotice, attempt: Attempt) -> Receipt:
        """Whole and as of now; what a later run has read is told by that run's own notice (connectors.md 2.7)."""
        with self._first(notice):
            return await self._tell_inventory(notice, attempt)

    @contextlib.contextmanager
    def _first(self, notice: InventoryNotice) -> Iterator[None]:
        """Health events wait for the end: the receiver may learn of their devices only now (connectors.md 2.7)."""
        ended = self._being_told[notice.system, notice.customer_id] = asyncio.Event()
        try:
            yield
        finally:
            ended.set()
            del self._being_told[notice.system, notice.customer_id]

    async def _after_its_inventory(self, notice: HealthNotice) -> None:
        ended = self._being_told.get((notice.system, notice.customer_id))
        if ended is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INVENTORY_FIRST_S):
                    await ended.wait()

    async def _tell_inventory(self, notice: InventoryNotice, attempt: Attempt) -> Receipt:
        inventory = await self._read(notice)
        if inventory.run is not None and inventory.run.id > notice.run:
            return self._nothing_sent(f"superseded: run {inventory.run.id} has read the system since")
        if self._settings.profile == "brief" and not inventory.devices:
            return self._nothing_sent(f"profile brief cannot say that {notice.customer_id} has no device there")
        return await self._post_parts(inventory, notice.run, attempt)

    async def _read(self, notice: InventoryNotice) -> Inventory:
        book = self._around.book
        if book is None:
            raise Rejected("there is no store that inventories could be read from")
        try:
            return await book.inventory(notice.system, notice.customer_id)
        except StoreError as error:
            raise TryLater(f"the inventory of {notice.system} cannot be read: {error}") from error

    async def _post_parts(self, inventory: Inventory, run_id: str, attempt: Attempt) -> Receipt:
        """In one request or, extended, in parts; the last one's receipt. When one fails all are sent again."""
        for request in await asyncio.to_thread(self._requests, inventory, run_id):
            receipt = await self._inventories.post(request, self._judged, attempt)
        return receipt

    def _requests(self, inventory: Inventory, run_id: str) -> Sequence[Request]:
        """Pure, and long where there are many devices."""
        body = inventory_body(inventory, self._settings.profile)
        parts = inventory_parts(body, self._settings.max_devices)
        return [self._request(part, inventory_key(run_id, number, part)) for number, part in enumerate(parts, start=1)]

    def _single(self, event: Event) -> Request:
        if isinstance(event.notice, SourceNotice):
            return self._request(source_body(event), source_key(event.id))
        return self._request(self._health_body(event), event_key(event.id))

    def _health_body(self, event: Event) -> bytes:
        if not isinstance(event.notice, HealthNotice):
            raise Rejected(NO_NOTICE)
        return health_body(event, self._settings.profile, self._settings.customer_in_events)

    def _nothing_sent(self, why: str) -> Receipt:
        return Receipt(self.hosts_in_use(), f"nothing sent: {why}")

    async def supervise(self, attempt: Attempt) -> Receipt:
        raise LinkDown("a service cloud has no supervision")

    async def check(self) -> Sequence[CheckStep]:
        """Every address: name, TCP, TLS; nothing is sent."""
        steps = await self._inventories.check(self._around.network)
        tried = {self._inventories.in_use}
        for services in (self._health, *([self._sources] if self._sources else [])):
            if services.in_use not in tried:
                tried.add(services.in_use)
                steps += await services.check(self._around.network)
        return [*steps, CheckStep("login", True, UNTRIED)] if all(step.ok for step in steps) else steps

    def hosts_in_use(self) -> str:
        return self._health.in_use

    async def aclose(self) -> None:
        await self._health.aclose()
        await self._inventories.aclose()
        if self._sources is not None:
            await self._sources.aclose()

    def _services(self, url: str) -> Services:
        settings = self._settings
        service = Service(url, settings.tls.options(), settings.timeout, [self._token], settings.concurrency)
        return Services([service], self._around.clock)

    def _judged(self, answer: HttpAnswer, host: str) -> Verdict:
        return judged(answer, host, self._around.clock.now())

    def _request(self, body: bytes, key: str) -> Request:
        headers: Headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)]
        headers += [("Authorization", f"Bearer {self._token}")] if self._token else []
        if self._settings.gzip and len(body) > GZIP_ABOVE:
            return Request([*headers, ("Content-Encoding", "gzip")], packed(body), body, "sent with gzip")
        return Request(headers, body, body)


def build(settings: CloudSettings, surroundings: Surroundings) -> CloudDestination:
    return CloudDestination(settings, surroundings)
