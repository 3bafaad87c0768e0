"""A service cloud: joins its documents with the HTTP transport."""

from collections.abc import Sequence

from tocsin.destinations.cloud.addressing import address_of
from tocsin.destinations.cloud.answers import judged
from tocsin.destinations.cloud.format import (
    GZIP_ABOVE,
    event_key,
    health_body,
    inventory_key,
    inventory_parts,
    packed,
)
from tocsin.destinations.cloud.settings import CloudSettings
from tocsin.destinations.posting import Headers, Request, Service, Services, Verdict, shown_head
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Rendered
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.transports.http import HttpAnswer

UNTRIED = "the token is not tried: there is no message that is none; its first answer tells"


class CloudDestination:
    """See engine.contracts.Destination."""

    supervision_s: float | None = None

    def __init__(self, settings: CloudSettings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self.concurrency = settings.concurrency
        self._settings = settings
        self._around = surroundings
        self._token = settings.token.reveal() if settings.token else ""
        self._health = self._services(settings.events_url)
        self._inventories = self._services(settings.inventory_url)

    def address(self, event: Event, device: Device | None) -> Addressed:
        return address_of(self._settings, event)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        request = self._request(health_body(self._settings, due, self._around.gateway), event_key(due.event))
        head = shown_head(self._settings.events_url, request, [self._token])
        return [Rendered("request-head.txt", head, "secrets masked"), Rendered("health.json", request.shown)]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        request = self._request(health_body(self._settings, due, self._around.gateway), event_key(due.event))
        return await self._health.post(request, self._judged, attempt)

    async def deliver_inventory(self, body: bytes, run_id: str, attempt: Attempt) -> Receipt:
        """The whole set of one customer and system, in one request or, extended, in parts; the last one's receipt.
        Raises LinkDown, TryLater, Rejected: then all parts are to be sent again, under the same keys.
        """
        parts = inventory_parts(body, self._settings.max_devices)
        for number, part in enumerate(parts, start=1):
            request = self._request(part, inventory_key(run_id, number))
            receipt = await self._inventories.post(request, self._judged, attempt)
        return receipt

    async def supervise(self, attempt: Attempt) -> Receipt:
        raise LinkDown("a service cloud has no supervision")

    async def check(self) -> Sequence[CheckStep]:
        """Both addresses: name, TCP, TLS; nothing is sent."""
        steps = await self._inventories.check(self._around.network)
        if self._inventories.in_use != self._health.in_use:
            steps += await self._health.check(self._around.network)
        return [*steps, CheckStep("login", True, UNTRIED)] if all(step.ok for step in steps) else steps

    def hosts_in_use(self) -> str:
        return self._health.in_use

    async def aclose(self) -> None:
        await self._health.aclose()
        await self._inventories.aclose()

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
