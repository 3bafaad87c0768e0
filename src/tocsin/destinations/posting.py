"""POST to a station's web service that may stand at several URLs: the request, its trace, and who must wait."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace
from pydantic import AfterValidator
from yarl import URL

from tocsin.config.hosts import checked_host
from tocsin.destinations.checking import link_steps
from tocsin.destinations.trace import ANSWER_LIMIT, SENT_LIMIT, excerpt, masked
from tocsin.engine.contracts import Attempt, CheckStep, Clock, LinkDown, Rejected, TryLater
from tocsin.model.delivery import Receipt
from tocsin.protocols.text import one_line
from tocsin.transports.contract import LinkBroken, Network, NoAnswer, TlsOptions, Unreachable
from tocsin.transports.http import HttpAnswer, HttpClient, endpoint_of

Headers = list[tuple[str, str]]
Word = Literal["delivered", "refused", "retry", "silent", "broken", "unreachable"]
LONGEST_RETRY_AFTER_S = 300.0
AVOIDED_S = 30.0
"""How long a URL that failed is asked only after the others."""
_PLAIN = re.compile(r"[\x21-\x7e]{1,2000}\Z")
_NUMBERS = re.compile(r"[0-9.]+\Z")
_CANONICAL = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}\Z")
"""The only numbers that the HTTP library takes for an address, and it takes none for a name."""
HIDDEN = b"[not kept: it is a secret]"
_PLAIN_HTTP = "events and credentials travel unencrypted"
_LATER = frozenset({408, 425, 429})


def checked_url(text: str) -> str:
    """A URL to POST to. Raises ValueError."""
    try:
        host = endpoint_of(text).host
        url = URL(text, encoded=True)
    except ValueError as error:
        raise ValueError(f"no usable address: {error}") from None
    if not _PLAIN.match(text):
        raise ValueError("a URL is plain ASCII without blanks; write other characters as %XX")
    if host in ("http", "https") and url.raw_path.startswith("//"):
        raise ValueError(f"no usable address: {url.scheme}:// stands before a second {host}://")
    _usable_host(host)
    if url.user is not None or url.password is not None:
        raise ValueError("leave user and password out of the URL and give them as settings of their own")
    if url.raw_fragment:
        raise ValueError("a URL with # makes no sense here")
    return text


def _usable_host(host: str) -> None:
    try:
        checked_host(host)
    except ValueError as error:
        raise ValueError(f"no usable address: {error}") from None
    if _NUMBERS.match(host) and not _CANONICAL.match(host):
        raise ValueError(f"no usable address: {host} is no IPv4 address of four numbers without leading zeros")


HttpUrl = Annotated[str, AfterValidator(checked_url)]


class Request(Struct, frozen=True):
    """One POST. `shown` is the body as it may be kept and shown: secrets masked, large attachments left out. `secrets`
    are those of this request alone, such as a token.
    """

    headers: Headers
    body: bytes
    shown: bytes
    note: str = ""
    secrets: tuple[str, ...] = ()


class Verdict(Struct, frozen=True):
    """What an answer means for the delivery. `answer` stands in the receipt. `unreachable` also says: not logged in.
    `hides_body`: the answer is a secret itself and not kept.
    """

    word: Word
    reason: str = ""
    answer: str = ""
    after_s: float | None = None
    hides_body: bool = False


Judge = Callable[[HttpAnswer, str], Verdict]
"""From an answer and the host that gave it."""


class Service:
    """One URL that takes POSTs. `secrets` are masked in all that is kept of it."""

    def __init__(
        self, url: str, tls: TlsOptions, timeout_s: float, secrets: Sequence[str] = (), connections: int = 4
    ) -> None:
        self.url = url
        self._tls = tls
        self._secrets = secrets
        self._client = HttpClient(url, tls, timeout_s, connections)
        self.host = str(self._client.endpoint)

    async def post(self, request: Request, judge: Judge, attempt: Attempt) -> Verdict:
        """One POST, noted in `attempt`."""
        headers = [*_fixed_headers(self.url, request.body), *request.headers]
        secrets = [*self._secrets, *request.secrets]
        sent = _shown(request_head(self.url, headers), request.shown, secrets)
        try:
            answer = await self._client.post(headers, request.body)
        except (Unreachable, LinkBroken) as error:
            verdict = Verdict(_word(error), masked(str(error), secrets))
            attempt.exchanged(self.host, verdict.word, sent, note=noted(verdict.reason, request.note))
            return verdict
        judged = judge(answer, self.host)
        verdict = replace(judged, reason=masked(judged.reason, secrets), answer=masked(judged.answer, secrets))
        body = HIDDEN if judged.hides_body else answer.body
        shown = _shown(_answer_head(answer), body, secrets, ANSWER_LIMIT)
        attempt.exchanged(self.host, verdict.word, sent, shown, noted(verdict.reason, request.note))
        return verdict

    async def get(self, headers: Headers) -> HttpAnswer:
        """One GET, for checks. Raises Unreachable, LinkBroken."""
        return await self._client.get([*_fixed_headers(self.url, b""), *headers])

    async def check(self, network: Network) -> list[CheckStep]:
        """Name, TCP, TLS; nothing is sent."""
        https = self.url.startswith("https:")
        steps = await link_steps(network, self._client.endpoint, self._tls if https else None)
        if not https and steps[-1].ok:
            steps.append(CheckStep("TLS", True, _PLAIN_HTTP, "use https:// if the station offers it"))
        return steps

    async def aclose(self) -> None:
        await self._client.aclose()


class Services:
    """The URLs of one station. `everyone`: each is sent every request, and one that takes it is enough."""

    def __init__(self, services: Sequence[Service], clock: Clock, everyone: bool = False) -> None:
        self.all = services
        self._clock = clock
        self._everyone = everyone
        self._failed_at: dict[str, float] = {}
        self.in_use = services[0].host

    async def post(self, request: Request, judge: Judge, attempt: Attempt) -> Receipt:
        """One round. Raises LinkDown, TryLater, Rejected."""
        if self._everyone:
            verdicts = await asyncio.gather(*(self._one(each, request, judge, attempt) for each in self.all))
            return self._receipt(list(zip(self.all, verdicts, strict=True)))
        asked: list[tuple[Service, Verdict]] = []
        for service in self._in_order():
            asked.append((service, await self._one(service, request, judge, attempt)))
            if asked[-1][1].word == "delivered":
                break
        return self._receipt(asked)

    async def check(self, network: Network) -> list[CheckStep]:
        return [step for service in self.all for step in await service.check(network)]

    async def aclose(self) -> None:
        for service in self.all:
            await service.aclose()

    def _in_order(self) -> list[Service]:
        """The first URL first (stations.md 8.1), those that have just failed last: an alarm does not wait for them."""
        now = self._clock.monotonic()
        return sorted(self.all, key=lambda one: now - self._failed_at.get(one.url, -AVOIDED_S) < AVOIDED_S)

    async def _one(self, service: Service, request: Request, judge: Judge, attempt: Attempt) -> Verdict:
        verdict = await service.post(request, judge, attempt)
        if verdict.word in ("delivered", "refused"):
            self._failed_at.pop(service.url, None)
        else:
            self._failed_at[service.url] = self._clock.monotonic()
        return verdict

    def _receipt(self, asked: Sequence[tuple[Service, Verdict]]) -> Receipt:
        taken = [(service, verdict) for service, verdict in asked if verdict.word == "delivered"]
        if taken:
            self.in_use = ", ".join(service.host for service, _ in taken)
            return Receipt(self.in_use, taken[0][1].answer)
        words = {verdict.word for _, verdict in asked}
        reasons = "; ".join(dict.fromkeys(verdict.reason for _, verdict in asked))
        if words == {"refused"}:
            raise Rejected(reasons)
        if words == {"unreachable"}:
            raise LinkDown(reasons)
        waits = [verdict.after_s for _, verdict in asked if verdict.after_s is not None]
        raise TryLater(reasons, min(waits) if waits else None)


def by_status(answer: HttpAnswer, where: str, now: datetime, advice: dict[int, str], text: str = "") -> Verdict:
    """What an answer that is no receipt means by its status alone. `text`: what the station says, else its body."""
    said = one_line(text or answer.body.decode("utf-8", "replace"))
    reason = f"{where} answered {status_line(answer)}" + (f" ({said})" if said else "")
    if answer.status == 401:
        return Verdict("unreachable", f"{reason}. {advice.get(401, 'The station does not accept the login')}")
    if 300 <= answer.status < 400:
        target = one_line(answer.header("Location")) or "elsewhere"
        return Verdict(
            "retry", f"{reason}: it redirects to {target}. Redirects are not followed; use the final address"
        )
    if answer.status in _LATER or answer.status >= 500 or answer.status < 200:
        return Verdict("retry", reason, after_s=retry_after(answer.header("Retry-After"), now))
    return Verdict("refused", f"{reason}. {advice.get(answer.status, 'It will not take this event')}")


def taken_by_status(answer: HttpAnswer, where: str, now: datetime, advice: dict[int, str]) -> Verdict:
    """What any answer means by its status alone, where any 2xx is a receipt."""
    if 200 <= answer.status < 300:
        return Verdict("delivered", answer=f"HTTP {status_line(answer)}")
    return by_status(answer, where, now, advice)


def status_line(answer: HttpAnswer) -> str:
    return f"{answer.status} {one_line(answer.reason, 60)}".rstrip()


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds to wait, at most 300; None when the header says nothing usable (RFC 9110, 10.2.3)."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(int(text[:9]))
    else:
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def request_head(url: str, headers: Headers) -> bytes:
    """The request as it goes out, up to the empty line."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("utf-8", "replace")


def shown_head(url: str, request: Request, secrets: Sequence[str]) -> bytes:
    """The head of a request for a preview, secrets masked."""
    head = request_head(url, [*_fixed_headers(url, request.body), *request.headers]).decode()
    return masked(head, secrets).encode()


def noted(*parts: str) -> str:
    """Remarks for a technician, joined."""
    return ". ".join(part for part in parts if part)


def _fixed_headers(url: str, body: bytes) -> Headers:
    return [
        ("Host", urlsplit(url).netloc),
        ("User-Agent", "tocsin"),
        ("Accept-Encoding", "identity"),
        ("Content-Length", str(len(body))),
    ]


def _answer_head(answer: HttpAnswer) -> bytes:
    lines = [f"HTTP {status_line(answer)}", *(f"{name}: {value}" for name, value in answer.headers), ""]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


def _shown(head: bytes, body: bytes, secrets: Sequence[str], limit: int = SENT_LIMIT) -> str:
    texts = (masked(part.decode("utf-8", "backslashreplace"), secrets) for part in (head, body))
    return "".join(excerpt(text.encode("utf-8", "replace"), limit) for text in texts)


def _word(error: Unreachable | LinkBroken) -> Word:
    if isinstance(error, Unreachable):
        return "unreachable"
    return "silent" if isinstance(error, NoAnswer) else "broken"
