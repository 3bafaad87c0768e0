"""A station's software that takes a POST per event: joins a type's message with login and HTTP transport."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Protocol

from pydantic import Field

from tocsin.config.fields import Duration
from tocsin.destinations.posting import Headers, HttpUrl, Request, Service, Services, Verdict, shown_head
from tocsin.destinations.settings import DestinationSettings, TlsSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Addressed, AreaAddress, Attempt, CheckStep, LinkDown, Rendered
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.transports.http import HttpAnswer

UNTRIED = "login and account are not tried: there is no message that is none; send a test event"


class PostedSettings(DestinationSettings):
    """What such a station may say besides its address and its names."""

    default_key: ClassVar[str] = "account"

    urls: list[HttpUrl] = Field(min_length=1, max_length=16, description="Where events are POSTed, the first first.")
    tls: TlsSettings = Field(TlsSettings(), description="TLS, for https.")
    timeout: Duration = Field(15.0, ge=0.1, le=60, description="One request, from connecting to its answer's end.")
    concurrency: int = Field(1, ge=1, le=64, description="Requests at once; never two of one account.")
    wait: Duration = Field(10.0, ge=0, le=60, description="The longest an event waits for late classification.")

    def hold_s(self) -> float:
        return self.wait

    def host_s(self) -> float:
        return self.timeout


class PostedFormat(Protocol):
    """What one type adds; pure. `login` are the headers that prove who sends, `secrets` what is masked of them."""

    file_name: str
    content_type: str
    login: Headers
    secrets: tuple[str, ...]

    def address(self, event: Event, device: Device | None, areas: AreaAddress) -> Addressed:
        """Where the event would go."""

    def body(self, due: Due) -> bytes:
        """The message. Raises Rejected."""

    def judged(self, answer: HttpAnswer, host: str, now: datetime) -> Verdict:
        """What an answer means."""


class PostedStation:
    """See engine.contracts.Destination."""

    supervision_s: float | None = None

    def __init__(self, settings: PostedSettings, surroundings: Surroundings, form: PostedFormat) -> None:
        self.name = settings.name
        self.concurrency = settings.concurrency
        self._around = surroundings
        self._form = form
        tls = settings.tls.options()
        made = [Service(url, tls, settings.timeout, form.secrets, settings.concurrency) for url in settings.urls]
        self._services = Services(made, surroundings.clock)

    def address(self, event: Event, device: Device | None) -> Addressed:
        return self._form.address(event, device, self._around.area_address)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        request = self._request(due)
        head = shown_head(self._services.all[0].url, request, self._form.secrets)
        return [Rendered("request-head.txt", head, "secrets masked"), Rendered(self._form.file_name, request.body)]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        def judge(answer: HttpAnswer, host: str) -> Verdict:
            return self._form.judged(answer, host, self._around.clock.now())

        return await self._services.post(self._request(due), judge, attempt)

    async def supervise(self, attempt: Attempt) -> Receipt:
        raise LinkDown("this type of station has no supervision")

    async def check(self) -> Sequence[CheckStep]:
        steps = await self._services.check(self._around.network)
        return [*steps, CheckStep("login", True, UNTRIED)] if all(step.ok for step in steps) else steps

    def hosts_in_use(self) -> str:
        return self._services.in_use

    async def aclose(self) -> None:
        await self._services.aclose()

    def _request(self, due: Due) -> Request:
        body = self._form.body(due)
        return Request([("Content-Type", self._form.content_type), *self._form.login], body, body)
