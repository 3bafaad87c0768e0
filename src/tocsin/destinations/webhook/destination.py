"""A receiver of JSON over HTTP: joins the format with the HTTP transport."""

import base64
from collections.abc import Sequence
from urllib.parse import unquote_plus, urlsplit

from msgspec import Struct

from tocsin.destinations.checking import link_steps
from tocsin.destinations.photos import chosen, wanted_photos
from tocsin.destinations.posting import Headers, noted, request_head, status_line
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.trace import ANSWER_LIMIT, MASK, SENT_LIMIT, excerpt, masked
from tocsin.destinations.webhook.addressing import address_of
from tocsin.destinations.webhook.answers import failure
from tocsin.destinations.webhook.format import json_body, message_id
from tocsin.destinations.webhook.settings import WebhookSettings
from tocsin.destinations.webhook.signing import signature_headers
from tocsin.engine.contracts import (
    Addressed,
    Attempt,
    CheckStep,
    DeliveryError,
    LinkDown,
    Rejected,
    Rendered,
    TryLater,
)
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.transports.contract import LinkBroken, NoAnswer, Unreachable
from tocsin.transports.http import HttpAnswer, HttpClient

_TOO_LARGE = 413


class Request(Struct, frozen=True):
    """One POST; `shown` are its headers with secrets masked."""

    headers: Headers
    shown: Headers
    body: bytes
    note: str


class WebhookDestination:
    """See engine.contracts.Destination."""

    supervision_s: float | None = None

    def __init__(self, settings: WebhookSettings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self.concurrency = settings.concurrency
        self._settings = settings
        self._around = surroundings
        self._client = HttpClient(
            settings.full_url(), settings.tls.options(), settings.timeout, connections=settings.concurrency
        )
        self._secrets = _secrets(settings)
        parts = urlsplit(settings.url)
        self._shown_url = f"{parts.scheme}://{parts.netloc}{parts.path or '/'}" + (
            f"?{MASK}" if "?" in settings.full_url() else ""
        )

    def address(self, event: Event, device: Device | None) -> Addressed:
        return address_of(self._settings, event, device, self._around.area_address)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        request = self._request(due, photos)
        head = request_head(self._shown_url, request.shown)
        return [
            Rendered("request-head.txt", head, "secrets masked; the time and signature are of now"),
            Rendered("body.json", request.body, request.note),
        ]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        photos = await wanted_photos(self._settings, due, attempt)
        answer = await self._post(self._request(due, photos), attempt)
        if answer.status == _TOO_LARGE and photos:
            smaller = self._request(due, (), "sent once more without photos: the receiver found the event too large")
            answer = await self._post(smaller, attempt)
        error = self._failure(answer)
        if error is not None:
            raise error
        return Receipt(self.hosts_in_use(), f"HTTP {status_line(answer)}")

    async def supervise(self, attempt: Attempt) -> Receipt:
        raise LinkDown("webhooks have no supervision")

    async def check(self) -> Sequence[CheckStep]:
        https = self._shown_url.startswith("https:")
        tls = self._settings.tls.options() if https else None
        steps = await link_steps(self._around.network, self._client.endpoint, tls)
        if not https and steps[-1].ok:
            plain = "events, photos and credentials travel unencrypted"
            steps.append(CheckStep("TLS", True, plain, "use https:// if the receiver offers it"))
        return steps

    def hosts_in_use(self) -> str:
        return str(self._client.endpoint)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _post(self, request: Request, attempt: Attempt) -> HttpAnswer:
        host = self.hosts_in_use()
        sent = masked(request_head(self._shown_url, request.shown).decode(), self._secrets)
        sent = excerpt(sent.encode()) + masked(excerpt(request.body, SENT_LIMIT), self._secrets)
        try:
            answer = await self._client.post(request.headers, request.body)
        except Unreachable as error:
            attempt.exchanged(host, "unreachable", sent, note=noted(str(error), request.note))
            raise LinkDown(str(error)) from error
        except NoAnswer as error:
            attempt.exchanged(host, "silent", sent, note=noted(str(error), request.note))
            raise TryLater(str(error)) from error
        except LinkBroken as error:
            attempt.exchanged(host, "broken", sent, note=noted(str(error), request.note))
            raise TryLater(str(error)) from error
        failed = self._failure(answer)
        result = "delivered" if failed is None else "refused" if isinstance(failed, Rejected) else "retry"
        attempt.exchanged(host, result, sent, self._shown_answer(answer), noted(str(failed or ""), request.note))
        return answer

    def _failure(self, answer: HttpAnswer) -> DeliveryError | None:
        error = failure(answer, self._shown_url, self._around.clock.now())
        if error is not None:
            error.args = (masked(str(error), self._secrets),)
        return error

    def _shown_answer(self, answer: HttpAnswer) -> str:
        lines = [f"HTTP {status_line(answer)}", *(f"{name}: {value}" for name, value in answer.headers), ""]
        head = masked("".join(f"{line}\r\n" for line in lines), self._secrets).encode("utf-8", "replace")
        body = masked(answer.body.decode("utf-8", "backslashreplace"), self._secrets).encode("utf-8", "replace")
        more = "" if answer.complete else "\n[more was not read]"
        return excerpt(head, ANSWER_LIMIT) + excerpt(body, ANSWER_LIMIT) + more

    def _request(self, due: Due, photos: Sequence[Photo], note: str = "") -> Request:
        photos_settings = self._settings.photos
        carried = (
            chosen(photos, photos_settings.max_count, photos_settings.max_bytes)
            if self._settings.wants_photos()
            else []
        )
        if len(carried) < len(photos) and self._settings.wants_photos():
            note = noted(note, f"{len(photos) - len(carried)} of {len(photos)} photos left out: see photos.max_…")
        body = json_body(due.event, due.address, self._around.gateway, carried)
        headers, shown = self._headers(due.event, body)
        return Request(headers, shown, body, note)

    def _headers(self, event: Event, body: bytes) -> tuple[Headers, Headers]:
        """The headers to send, and the same with secrets masked."""
        settings = self._settings
        message = message_id(self._around.gateway, event)
        keys = [key.reveal() for key in settings.signing_keys]
        plain: Headers = [
            ("Host", urlsplit(settings.url).netloc),
            ("User-Agent", "tocsin"),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Idempotency-Key", message),
            ("webhook-id", message),
            *signature_headers(settings.signing, keys, message, int(self._around.clock.now().timestamp()), body),
        ]
        secret = [(name, value.reveal()) for name, value in settings.headers.items()]
        login = _authorization(settings)
        return (
            [*plain, *login, *secret],
            [*plain, *((name, value.split(" ")[0] + f" {MASK}") for name, value in login), *_mask_values(secret)],
        )


def build(settings: WebhookSettings, surroundings: Surroundings) -> WebhookDestination:
    return WebhookDestination(settings, surroundings)


def _authorization(settings: WebhookSettings) -> Headers:
    if settings.token is not None:
        return [("Authorization", f"Bearer {settings.token.reveal()}")]
    if settings.user is not None and settings.password is not None:
        pair = f"{settings.user}:{settings.password.reveal()}".encode()
        return [("Authorization", f"Basic {base64.b64encode(pair).decode()}")]
    return []


def _mask_values(headers: Headers) -> Headers:
    return [(name, MASK) for name, _ in headers]


def _secrets(settings: WebhookSettings) -> list[str]:
    """Every secret in each form in which a receiver could repeat it."""
    login = [value.split(" ", 1)[1] for _, value in _authorization(settings)]
    query = urlsplit(settings.full_url()).query
    values = [part.partition("=")[2] for part in query.split("&")]
    return [*(secret.reveal() for secret in settings.secrets()), *login, query, *values, *map(unquote_plus, values)]
