"""A Stages signal service: joins the SOAP message with the HTTP transport."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from tocsin.destinations.posting import Headers, Judge, Request, Service, Services, Verdict, shown_head
from tocsin.destinations.stages import format as stages_format
from tocsin.destinations.stages.addressing import address
from tocsin.destinations.stages.answers import judged
from tocsin.destinations.stages.settings import StagesSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Rejected, Rendered, TryLater
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.protocols.addressing import listed
from tocsin.protocols.errors import Unsendable
from tocsin.transports.http import HttpAnswer

_UNPROVED = "line, account and password are not tried: Stages has no confirmed poll; send a test event"


class StagesDestination:
    """See engine.contracts.Destination."""

    def __init__(self, settings: StagesSettings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self.concurrency = settings.concurrency
        self.supervision_s = settings.heartbeat_every if settings.heartbeat != "off" else None
        self._settings = settings
        self._around = surroundings
        self._secrets = _secrets(settings)
        tls = settings.tls.options()
        services = [Service(url, tls, settings.timeout, self._secrets, settings.concurrency) for url in settings.urls]
        self._services = Services(services, surroundings.clock, settings.fan_out == "all")

    def address(self, event: Event, device: Device | None) -> Addressed:
        return address(self._settings, event, device, self._around.area_address)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        request = self._request(self._values(due))
        head = shown_head(self._settings.urls[0], request, self._secrets)
        return [
            Rendered("request-head.txt", head),
            Rendered("signal.xml", request.shown, "password masked" if self._settings.password else ""),
        ]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        return await self._services.post(self._request(self._values(due)), self._judge(), attempt)

    async def supervise(self, attempt: Attempt) -> Receipt:
        default = self._settings.default_address()
        if default is None or self._settings.heartbeat == "off":
            raise LinkDown("no heartbeat is set for Stages")
        request = self._request(stages_format.heartbeat(self._settings, default))
        try:
            return await self._services.post(request, self._judge(), attempt)
        except (TryLater, Rejected) as error:
            raise LinkDown(str(error)) from error

    async def check(self) -> Sequence[CheckStep]:
        steps = await self._services.check(self._around.network)
        if not all(step.ok for step in steps):
            return steps
        if self._settings.heartbeat == "off":
            return [*steps, CheckStep("signal", True, _UNPROVED)]
        return [*steps, await self._check_heartbeat()]

    def hosts_in_use(self) -> str:
        return self._services.in_use

    async def aclose(self) -> None:
        await self._services.aclose()

    async def _check_heartbeat(self) -> CheckStep:
        what = f"{self._settings.heartbeat} for line {self._settings.line}, account {self._settings.account}"
        try:
            receipt = await self.supervise(Attempt(self._around.clock))
        except LinkDown as error:
            return CheckStep(what, False, str(error), "Compare line, account, user and password with the station")
        return CheckStep(what, True, f"{receipt.host}: {receipt.answer}")

    def _values(self, due: Due) -> stages_format.Values:
        """Raises Rejected."""
        try:
            return stages_format.signal(self._settings, due.event, listed(due.address))
        except Unsendable as error:
            raise Rejected(str(error)) from error

    def _request(self, values: stages_format.Values) -> Request:
        headers: Headers = [("Content-Type", f"{self._settings.content_type}; charset=utf-8")]
        if self._settings.soap_action:
            headers.append(("SOAPAction", f'"{self._settings.soap_action}"'))
        body = stages_format.envelope(self._settings, values)
        return Request(headers, body, stages_format.envelope(self._settings, values, shown=True))

    def _judge(self) -> Judge:
        def judge(answer: HttpAnswer, host: str) -> Verdict:
            settings, now = self._settings, self._around.clock.now()
            return judged(answer, host, now, settings.refusals, settings.success == "any-2xx")

        return judge


def build(settings: StagesSettings, surroundings: Surroundings) -> StagesDestination:
    return StagesDestination(settings, surroundings)


def _secrets(settings: StagesSettings) -> list[str]:
    """The password in each form in which a service could repeat it."""
    plain = [secret.reveal() for secret in settings.secrets()]
    return [*plain, *map(escape, plain)]
