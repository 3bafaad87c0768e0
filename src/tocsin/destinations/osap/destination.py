"""A control room that takes OSAP: joins the message with login and HTTP transport."""

from collections.abc import Sequence

from tocsin.destinations.files import Files
from tocsin.destinations.osap import format as osap_format
from tocsin.destinations.osap.addressing import address
from tocsin.destinations.osap.answers import judged
from tocsin.destinations.osap.login import Login
from tocsin.destinations.osap.settings import OsapSettings
from tocsin.destinations.pictures import files_at_hand, files_of
from tocsin.destinations.posting import Headers, Request, Service, Services, Verdict, noted, shown_head, status_line
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Rejected, Rendered
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.transports.contract import LinkBroken, Unreachable
from tocsin.transports.http import HttpAnswer

_SMALLER = "sent once more without pictures: the server found the message too large"
_NO_ANSWER = "neither that it accepts the login nor that it does not; send a test event"


class OsapDestination:
    """See engine.contracts.Destination."""

    def __init__(self, settings: OsapSettings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self.concurrency = settings.concurrency
        self.supervision_s = settings.health_every
        self._settings = settings
        self._around = surroundings
        self._login = Login(settings, surroundings.clock)
        self._events = Services([self._service(f"{url}/v1/events") for url in settings.urls], surroundings.clock)
        self._health = [self._service(f"{url}/v1/health") for url in settings.urls]

    def _service(self, url: str) -> Service:
        settings = self._settings
        return Service(url, settings.tls.options(), settings.timeout, connections=settings.concurrency)

    def address(self, event: Event, device: Device | None) -> Addressed:
        return address(self._settings, event, device, self._around.area_address)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        files = files_at_hand(photos, self._settings.photos, due.event, _zone(due))
        made = self._message(due, files)
        request = Request([*_content(), *self._login.shown()], osap_format.encoded(made), b"")
        head = shown_head(self._events.all[0].url, request, ())
        return [Rendered("request-head.txt", head, "secrets masked"), Rendered("event.json", request.body, files.note)]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        files = Files()
        if self._settings.wants_photos() and due.event.photos:
            files = await files_of(await attempt.photos(), self._settings.photos, due.event, _zone(due))
        return await self._deliver(due, files, attempt)

    async def supervise(self, attempt: Attempt) -> Receipt:
        """The first server that says it is well."""
        problems = []
        for service in self._health:
            problem = await _unwell(service)
            if not problem:
                return Receipt(service.host, "HTTP 200, healthy")
            attempt.exchanged(service.host, "unreachable", note=problem)
            problems.append(problem)
        raise LinkDown("; ".join(dict.fromkeys(problems)))

    async def check(self) -> Sequence[CheckStep]:
        """Every server: name, TCP, TLS, health, login; no event is sent."""
        steps: list[CheckStep] = []
        for events, health in zip(self._events.all, self._health, strict=True):
            found = await events.check(self._around.network)
            if found[-1].ok:
                problem = await _unwell(health)
                found += [CheckStep(f"GET {health.url}", not problem, problem or "healthy")]
                found += [] if problem else [await self._check_login(events)]
            steps += found
        return steps

    def hosts_in_use(self) -> str:
        return self._events.in_use

    async def aclose(self) -> None:
        for service in self._health:
            await service.aclose()
        await self._events.aclose()
        await self._login.aclose()

    def _message(self, due: Due, files: Files) -> osap_format.Message:
        where = osap_format.where_of(due.address)
        gateway = self._around.gateway
        return osap_format.message(self._settings, due.event, where, gateway, due.attempts, files.files)

    async def _deliver(self, due: Due, files: Files, attempt: Attempt) -> Receipt:
        made = self._message(due, files)
        statuses: set[int] = set()
        try:
            return await self._post(made, files.note, statuses, attempt)
        except Rejected:
            if statuses != {413} or not files.files:
                raise
        return await self._post(self._message(due, Files()), _SMALLER, set(), attempt)

    async def _post(self, made: osap_format.Message, note: str, statuses: set[int], attempt: Attempt) -> Receipt:
        """One round; a token that is no longer taken is renewed once."""
        headers, secrets = await self._login.headers(attempt)
        try:
            return await self._round(made, headers, secrets, note, statuses, attempt)
        except LinkDown:
            if 401 not in statuses or not self._login.refused(secrets):
                raise
        statuses.clear()
        headers, secrets = await self._login.headers(attempt)
        return await self._round(made, headers, secrets, noted("with a new token", note), statuses, attempt)

    async def _round(
        self,
        made: osap_format.Message,
        login: Headers,
        secrets: tuple[str, ...],
        note: str,
        statuses: set[int],
        attempt: Attempt,
    ) -> Receipt:
        body, shown = osap_format.encoded(made), osap_format.shown(made)

        def judge(answer: HttpAnswer, host: str) -> Verdict:
            statuses.add(answer.status)
            return judged(answer, host, self._around.clock.now())

        return await self._events.post(Request([*_content(), *login], body, shown, note, secrets), judge, attempt)

    async def _check_login(self, service: Service) -> CheckStep:
        """A text is no event whatever the server makes of it: who is logged in is told that it is not taken."""
        what, attempt = f"login at {service.host}", Attempt(self._around.clock)
        found: list[HttpAnswer] = []

        def judge(answer: HttpAnswer, host: str) -> Verdict:
            found.append(answer)
            return Verdict("refused")

        try:
            headers, secrets = await self._login.headers(attempt)
        except LinkDown as error:
            return CheckStep(what, False, str(error))
        text: Headers = [("Content-Type", "text/plain"), *headers]
        verdict = await service.post(Request(text, b"login check", b"login check", "", secrets), judge, attempt)
        if not found:
            return CheckStep(what, False, verdict.reason)
        if found[0].status in (401, 403):
            hint = "Check api_key, oauth, or tls.cert with the control room"
            return CheckStep(what, False, f"answered {status_line(found[0])}", hint)
        if found[0].status in (400, 415, 422):
            return CheckStep(what, True, "accepted")
        return CheckStep(what, True, f"answered {status_line(found[0])}: {_NO_ANSWER}")


def build(settings: OsapSettings, surroundings: Surroundings) -> OsapDestination:
    return OsapDestination(settings, surroundings)


async def _unwell(service: Service) -> str:
    """Why a server is not healthy; empty if it is."""
    try:
        answer = await service.get([("Accept", "application/json")])
    except (Unreachable, LinkBroken) as error:
        return str(error)
    return "" if answer.status == 200 else f"{service.host} answered {status_line(answer)} to GET {service.url}"


def _content() -> Headers:
    return [("Content-Type", osap_format.MEDIA_TYPE), ("Accept", "application/json")]


def _zone(due: Due) -> str:
    where = osap_format.where_of(due.address)
    return (where.zone or "") if where else ""
