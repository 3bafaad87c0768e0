"""A stand-in mail server of a station: takes mail strictly, says what is wrong with it, and fails on command."""

import asyncio
import hashlib
import hmac
import ssl
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any, Literal, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from msgspec import Struct

from tocsin.config.listening import split_listen
from tocsin.engine.contracts import Clock
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.standins.mail_readers import Assumed, Letter, Reads, understood
from tocsin.standins.serving import until_cancelled

Out = Callable[[dict[str, Any]], None]
SIZE_LIMIT = 32_000_000
REMEMBERED = 100_000
_LONGEST_LINE = 998
_ONCE = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version")


class MailFault(Struct, frozen=True):
    """What goes wrong once, at the first fitting command: an answer such as `451 try later`, a delay, a cut.

    `drop` at `data` cuts after the whole message has come, before the answer. `recipient` narrows `rcpt`. At `auth`
    there is only an answer.
    """

    at: Literal["auth", "mail", "rcpt", "data"]
    answer: str = ""
    delay_s: float = 0.0
    drop: bool = False
    recipient: str = ""


class MailSwitches(Struct, frozen=True):
    """How the server is set up. `tls` with `implicit`: from the first byte; else STARTTLS is offered.

    `require_tls` refuses mail before STARTTLS; `user` asks for a login; `clear_login` offers it unencrypted too.
    `reads` is the station's software that the mail is for; `assumed` what its site has set. `delay_s` is waited before
    each answer to a sender, a recipient and a message.
    """

    tls: ssl.SSLContext | None = None
    implicit: bool = False
    require_tls: bool = False
    user: str = ""
    password: str = ""
    clear_login: bool = False
    size_limit: int = SIZE_LIMIT
    reads: Reads = ""
    assumed: Assumed = Assumed()
    delay_s: float = 0.0


OPEN = MailSwitches()


class MailStandin:
    """Listens on `host:port` (port 0: any free one; `start` returns it). `out` gets one dict per message read."""

    def __init__(
        self, listen: str, out: Out, clock: Clock, switches: MailSwitches = OPEN, faults: Sequence[MailFault] = ()
    ) -> None:
        self._host, self._port = split_listen(listen)
        self._out = out
        self._clock = clock
        self._switches = switches
        self.faults = list(faults)
        self.connections = 0
        self._known: set[str] = set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.BaseTransport] = set()

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError."""
        implicit = self._switches.tls if self._switches.implicit else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self._host, self._port, ssl=implicit)
        return int(self._server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
            for transport in list(self._open):
                if not transport.is_closing():  # one that is closed already cannot be aborted before Python 3.11.4
                    cast("asyncio.Transport", transport).abort()
            await self._server.wait_closed()

    def _protocol(self) -> asyncio.Protocol:
        switches = self._switches
        starttls = switches.tls is not None and not switches.implicit
        self.connections += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns of logins without TLS, which are meant here
            return _Session(
                self,
                hostname="standin.example.net",
                ident="stand-in",
                data_size_limit=switches.size_limit,
                tls_context=switches.tls if starttls else None,
                require_starttls=starttls and switches.require_tls,
                authenticator=self._authenticate,
                auth_required=bool(switches.user),
                auth_exclude_mechanism=() if switches.user else ("LOGIN", "PLAIN"),
                auth_require_tls=bool(switches.user) and not switches.clear_login and not switches.implicit,
                loop=asyncio.get_running_loop(),
            )

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        fault = self._next_fault("auth", "")
        if fault is not None:
            return AuthResult(success=False, handled=False, message=fault.answer)
        wanted = f"{self._switches.user}\0{self._switches.password}".encode()
        given = data.login + b"\0" + data.password if isinstance(data, LoginPassword) else b""
        return AuthResult(success=hmac.compare_digest(given, wanted), handled=False)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        failed = await self._fault("mail", server, "")
        if failed:
            return failed
        envelope.mail_from, envelope.mail_options = address, options
        return "250 2.1.0 sender taken"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        failed = await self._fault("rcpt", server, address)
        if failed:
            return failed
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient taken"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        record = self._read(session, envelope, content)
        failed = await self._fault("data", server, "")
        answer = failed or (f"554 5.6.0 {record['problems'][0]}" if record["problems"] else "250 2.0.0 queued")
        record["answer"] = answer
        self._out(record)
        return answer

    async def _fault(self, at: str, server: SMTP, recipient: str) -> str:
        if self._switches.delay_s:
            await asyncio.sleep(self._switches.delay_s)
        fault = self._next_fault(at, recipient)
        if fault is None:
            return ""
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault.drop:
            cast("asyncio.Transport", server.transport).abort()
            return "421 4.3.0 cut"
        return fault.answer

    def _next_fault(self, at: str, recipient: str) -> MailFault | None:
        fault = next((one for one in self.faults if one.at == at and one.recipient in ("", recipient)), None)
        if fault is not None:
            self.faults.remove(fault)
        return fault

    def _read(self, session: Session, envelope: Envelope, content: bytes) -> dict[str, Any]:
        message = message_from_bytes(content, policy=policy.default)
        identity = str(message.get("Message-ID", ""))
        photos = _photos(message)
        attached = sum(1 for _ in message.iter_attachments())
        text = _text(message).replace("\r\n", "\n").removesuffix("\n")
        letter = Letter(tuple(envelope.rcpt_tos), str(message.get("Subject", "")), text, attached)
        told = understood(self._switches.reads, letter, self._switches.assumed)
        record = {
            "received_at": self._clock.now().isoformat(timespec="milliseconds"),
            "peer": str(session.peer[0]) if session.peer else "",
            "tls": session.ssl is not None or self._switches.implicit,
            "user": self._switches.user if session.authenticated else "",
            "from": envelope.mail_from or "",
            "to": list(envelope.rcpt_tos),
            "bytes": len(content),
            "subject": str(message.get("Subject", "")),
            "message_id": identity,
            "event_id": str(message.get("X-Event-ID", "")),
            "duplicate": identity in self._known,
            "text": _text(message),
            "photos": [{"name": name, **facts} for name, facts in photos],
            "problems": [
                *_line_problems(content), *_header_problems(message), *_part_problems(message, photos), *told.problems,
            ],
        }  # fmt: skip
        if self._switches.reads:
            record["understood"] = dict(told.facts)
        if not record["problems"] and len(self._known) < REMEMBERED:
            self._known.add(identity)
        return record


class _Session(SMTP):
    """One connection, known to its stand-in so that it can be closed with it."""

    def __init__(self, standin: MailStandin, **options: Any) -> None:
        super().__init__(standin, **options)
        self._standin = standin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._standin._open.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._standin._open.discard(self.transport)
        super().connection_lost(error)


def _line_problems(content: bytes) -> list[str]:
    problems = []
    if content.replace(b"\r\n", b"").strip(b"\x00") != content.replace(b"\r", b"").replace(b"\n", b""):
        problems.append("a line does not end in CR LF, or there is a NUL")
    if any(len(line) > _LONGEST_LINE for line in content.split(b"\r\n")):
        problems.append(f"a line is longer than {_LONGEST_LINE} characters")
    if not content.isascii():
        problems.append("the message is not 7-bit clean")
    return problems


def _header_problems(message: EmailMessage) -> list[str]:
    problems = [f"{name} is there {n} times" for name in _ONCE if (n := len(message.get_all(name, []))) != 1]
    try:
        date: datetime | None = parsedate_to_datetime(str(message.get("Date", "")))
    except ValueError:
        date = None
    if date is None or date.tzinfo is None:
        problems.append("Date cannot be read")
    return problems


def _part_problems(message: EmailMessage, photos: list[tuple[str, dict[str, Any]]]) -> list[str]:
    defects = [f"defect: {type(defect).__name__}" for part in message.walk() for defect in part.defects]
    return defects + [f"photo {name} is no JPEG: {facts['reason']}" for name, facts in photos if "reason" in facts]


def _photos(message: EmailMessage) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for part in message.walk():
        if part.get_content_maintype() == "image":
            data = cast("bytes", part.get_payload(decode=True) or b"")
            facts, digest = jpeg_facts(data), hashlib.sha256(data).hexdigest()
            told = (
                {"bytes": facts.size, "width": facts.width, "height": facts.height, "sha256": digest}
                if isinstance(facts, JpegFacts)
                else {"reason": facts.reason}
            )
            found.append((part.get_filename() or "", told | {"inline": part.get_content_disposition() == "inline"}))
    return found


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    return "" if part is None else str(part.get_content())


async def serve(
    listen: str,
    out: Out,
    clock: Clock,
    switches: MailSwitches = OPEN,
    faults: Sequence[MailFault] = (),
    started: Callable[[int], None] | None = None,
) -> None:
    """Run a stand-in until cancelled; `started` is told the port. Raises OSError if it cannot listen there."""
    standin = MailStandin(listen, out, clock, switches, faults)
    await until_cancelled(standin.start, standin.aclose, started)
