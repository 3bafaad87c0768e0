"""The mail server for alarms: takes a mail, makes it durable, and only then says 250."""

import asyncio
import hmac
import ipaddress
import logging
import traceback
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, TLSSetupException

from tocsin.config.listening import split_listen
from tocsin.engine.contracts import Intake, IntakeClosed, Refused, SourceState, Submission, Supervised
from tocsin.sources.acknowledging import may_acknowledge
from tocsin.sources.smtp.events import Mails, alarm_of, submission
from tocsin.sources.smtp.patterns import Lines
from tocsin.sources.smtp.reading import Reading, read_mail
from tocsin.sources.smtp.settings import SmtpSourceSettings
from tocsin.sources.surroundings import SourceSurroundings
from tocsin.telemetry.occurrences import EventRefused, FrameDropped, TaskFailed
from tocsin.transports.tls import server_context

MOST_RECIPIENTS = 20
MOST_COMMANDS = 1000
"""Of one kind on one connection."""
MOST_ANSWERS_BEFORE_LOGIN = 100
"""Lines; greeting, encryption and a few tries at the login take some thirty."""
HANDSHAKE_DEADLINE_S = 10.0
FAREWELL_S = 5.0
"""To hear why a connection is closed; whoever does not read is then cut off."""
PROGRESS = 16_000
"""Bytes; a sender that brings fewer within `idle` is as good as silent."""
CUT_OFF_AT = 2
"""Times the largest mail: a larger one is refused when it has been heard, one without end cannot be."""
_LARGE = 200_000
"""A mail of more bytes is taken apart beside the loop."""

# The library warns of every odd command; what counts of that is an occurrence here, once.
logging.getLogger("mail.log").addHandler(logging.NullHandler())


class SmtpSource:
    """See engine.contracts.Source. `port` is the port listened on, 0 while there is none."""

    def __init__(self, settings: SmtpSourceSettings, surroundings: SourceSurroundings) -> None:
        self.name = settings.name
        self.settings = settings
        self.port = 0
        self.listening = asyncio.Event()
        self._clock = surroundings.clock
        self._record = surroundings.record
        self._tell_heard = surroundings.heard
        self._mails = Mails(settings)
        self._networks = [ipaddress.ip_network(each) for each in settings.allow]
        self._users = {each.user: each.password.reveal() for each in settings.users}
        self._intake: Intake | None = None
        self._open: set[asyncio.Transport] = set()
        self._last_heard: dict[str, datetime] = {}

    async def run(self, intake: Intake) -> None:
        self._intake = intake
        host, port = split_listen(self.settings.listen)
        tls = self.settings.tls
        context = server_context(tls.cert, tls.key, tls.client_ca) if tls else None
        implicit = context if self.settings.tls_mode == "implicit" else None
        server = await asyncio.get_running_loop().create_server(
            lambda: self._session(None if implicit else context),
            host,
            port,
            ssl=implicit,
            ssl_handshake_timeout=HANDSHAKE_DEADLINE_S if implicit else None,
        )
        try:
            self.port = server.sockets[0].getsockname()[1]
            self.listening.set()
            await asyncio.Event().wait()
        finally:
            self.listening.clear()
            server.close()
            for transport in list(self._open):
                transport.abort()

    def states(self) -> Sequence[SourceState]:
        """The mailers that are not supervised but were heard; the engine knows the others."""
        watched = {each.subject for each in self.supervised()}
        heard = sorted(self._last_heard.items())
        return [SourceState(subject, True, at) for subject, at in heard if subject not in watched]

    def supervised(self) -> Sequence[Supervised]:
        return [
            Supervised(
                rule.subject, rule.settings.supervision, rule.settings.supervision_allowance, None, rule.settings.area
            )
            for rule in self._mails.rules
            if rule.settings.supervision
        ]

    # Connections

    def _session(self, starttls: Any) -> "_Session":
        settings = self.settings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns of logins without TLS, which clear_login allows
            return _Session(
                self,
                hostname=self.name,
                ident="Tocsin",
                data_size_limit=settings.size,
                enable_SMTPUTF8=True,
                tls_context=starttls,
                require_starttls=starttls is not None and settings.tls_mode == "required",
                timeout=settings.idle,
                authenticator=self._authenticate,
                auth_required=bool(self._users),
                auth_exclude_mechanism=() if self._users else ("LOGIN", "PLAIN"),
                auth_require_tls=not settings.clear_login and settings.tls_mode != "implicit",
                command_call_limit=MOST_COMMANDS,
                loop=asyncio.get_running_loop(),
            )

    def admits(self, transport: asyncio.Transport) -> str:
        """Why a connection may not stay; empty when it may."""
        host = _host(transport)
        if self._networks and not any(ipaddress.ip_address(host) in network for network in self._networks):
            self._record(FrameDropped(self.name, "address_not_allowed", host))
            return "554 5.7.1 mail is not taken from this address"
        if len(self._open) >= self.settings.max_connections:
            self._record(FrameDropped(self.name, "too_many_connections", host))
            return "421 4.7.0 too many connections, try again later"
        self._open.add(transport)
        return ""

    def left(self, transport: asyncio.Transport) -> None:
        self._open.discard(transport)

    def overflowed(self, transport: asyncio.Transport) -> None:
        """One that sends without end is cut off."""
        self._record(FrameDropped(self.name, "overflow", _host(transport)))
        transport.abort()

    def unwelcome(self, transport: asyncio.Transport, reason: str, why: str) -> None:
        """One whose encryption or login did not come about."""
        self._record(FrameDropped(self.name, reason, _host(transport), why))

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        login, password = (data.login, data.password) if isinstance(data, LoginPassword) else (b"", b"")
        wanted = self._users.get(login.decode("utf-8", "replace"))
        same = hmac.compare_digest(password, (wanted or "").encode())
        if not (same and wanted is not None):
            self._record(EventRefused(self.name, "login", f"user {login[:60]!r} from {_peer(session)}"))
        return AuthResult(success=same and wanted is not None, handled=False)

    # The dialogue (called by aiosmtpd)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients, send the rest in another mail"
        if not self._mails.may_be_for(address):
            self._record(EventRefused(self.name, "unknown_recipient", f"{address[:200]} from {_peer(session)}"))
            return "550 5.1.1 no rule of this gateway is for this recipient"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient taken"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        data = envelope.original_content or b""
        mail = read_mail(data) if len(data) < _LARGE else await asyncio.to_thread(read_mail, data)
        found = self._submissions(mail, envelope)
        if not found:
            sender = f"{(envelope.mail_from or '')[:200]} from {_peer(session)}, subject {mail.subject[:100]!r}"
            self._record(EventRefused(self.name, "no_rule", sender))
            return "550 5.7.1 no rule of this gateway fits this mail"
        return await self._kept(found)

    async def handle_exception(self, error: Exception) -> str:
        trace = "".join(traceback.format_exception(error))
        self._record(TaskFailed(f"source {self.name}", f"{type(error).__name__}: {error}", trace, 0.0))
        return "451 4.3.0 internal error, try again later"

    def _submissions(self, mail: Reading, envelope: Envelope) -> list[Submission]:
        now, alarm, lines = self._clock.now(), alarm_of(mail), Lines(mail.text)
        made = []
        for recipient in envelope.rcpt_tos:
            found = self._mails.find(recipient, envelope.mail_from or "", mail, alarm, lines)
            if found is not None:
                if found.rule is not None:
                    self._heard(found.rule.subject, now)
                made.append(submission(self.settings, found, mail, alarm, recipient, now))
        return made

    def _heard(self, subject: str, now: datetime) -> None:
        self._last_heard[subject] = now
        self._tell_heard(self.name, subject)

    async def _kept(self, submissions: Sequence[Submission]) -> str:
        """The answer to the mail, once its events are on disk, or once a station has them."""
        assert self._intake is not None
        try:
            taken = await self._intake.accept_many(submissions)
        except IntakeClosed as closed:
            return f"451 4.3.0 not taken: {str(closed)[:200]}"
        except Refused as refused:
            self._record(EventRefused(self.name, "refused", str(refused)))
            return f"554 5.6.0 {str(refused)[:200]}"
        if not await may_acknowledge(self.settings, self._intake, taken):
            why = f"no station has it within {self.settings.delivered_within:g} s"
            self._record(EventRefused(self.name, "not_delivered", f"{why}; the mail is to be sent again"))
            return f"451 4.4.7 kept, but {why}: send it again"
        return f"250 2.0.0 kept as {' '.join(each.id for each in taken)}"


class _Session(SMTP):
    """One connection, known to its source so that it can be counted and closed with it."""

    def __init__(self, source: SmtpSource, **options: Any) -> None:
        # Cameras write pictures as one line, or end lines in LF alone; nothing is relayed that could fool another
        # server.
        self.line_length_limit = CUT_OFF_AT * source.settings.size + PROGRESS
        super().__init__(source, **options)
        self._source = source
        self._brought = self._since_reset = 0
        self._admitted: asyncio.Transport | None = None
        self._turned_away = False
        self._answers = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._admitted is None:  # with STARTTLS it is called a second time
            self._admitted = cast("asyncio.Transport", transport)
            refusal = self._source.admits(self._admitted)
            if refusal:
                self._turned_away = True
                self._admitted.write(f"{refusal}\r\n".encode())
                self._admitted.close()
                return
            if self._auth_required:
                within = self._source.settings.login_within
                self._deadline = self.loop.call_later(within, self._send_away, f"no login within {within:g} s")
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._turned_away or self._admitted is None:
            return
        self._brought += len(data)
        self._since_reset += len(data)
        if self._brought > self.line_length_limit:
            self._source.overflowed(self._admitted)
            return
        if self._since_reset >= PROGRESS:
            self._since_reset = 0
            super()._reset_timeout()
        super().data_received(data)

    def _reset_timeout(self, duration: float | None = None) -> None:
        """The library calls it at each command."""
        self._brought = self._since_reset = 0
        super()._reset_timeout(duration)

    async def push(self, status: Any) -> None:
        """The library calls it with each line it answers."""
        if self._is_stranger():
            self._answers += 1
            if self._answers > MOST_ANSWERS_BEFORE_LOGIN:
                self._send_away("too many commands before the login")
                await asyncio.sleep(0)  # the dialogue, cancelled, ends here
        await super().push(status)

    async def smtp_STARTTLS(self, arg: str) -> None:
        if self._tls_protocol is not None:
            await self.push("503 5.5.1 the connection is encrypted already")
            return
        await super().smtp_STARTTLS(arg)
        if self._shakes_hands():  # given up: the library takes that for done and would keep the connection for ever
            raise TLSSetupException

    async def handle_exception(self, error: Exception) -> str:
        if not isinstance(error, TLSSetupException) or self._admitted is None:
            return str(await super().handle_exception(error))
        self._source.unwelcome(self._admitted, "handshake", str(error.__cause__ or "") or "given up")
        return ""  # nobody is left to be answered

    def _shakes_hands(self) -> bool:
        return self._tls_protocol is not None and self.session is not None and self.session.ssl is None

    def _is_stranger(self) -> bool:
        return bool(self._auth_required and self.session is not None and not self.session.authenticated)

    def _send_away(self, why: str) -> None:
        """Ends the connection of whoever has not logged in by now."""
        if self._admitted is None or self.transport is None or not self._is_stranger():
            return
        self._source.unwelcome(self._admitted, "no_login", why)
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(FAREWELL_S, self._admitted.abort)
        cast("asyncio.Transport", self.transport).write(f"421 4.7.0 {why}\r\n".encode())
        self.transport.close()
        if self._handler_coroutine is not None and not self._shakes_hands():
            self._handler_coroutine.cancel()

    def eof_received(self) -> bool | None:
        if not self._turned_away:
            super().eof_received()
        return False  # that ended the dialogue, and one that had not begun would leave the connection half open

    def connection_lost(self, error: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._admitted is not None and not self._turned_away:
            self._source.left(self._admitted)
            super().connection_lost(error)


def _host(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    return str(peer[0]).partition("%")[0] if peer else ""


def _peer(session: Session) -> str:
    return str(session.peer[0]) if session.peer else "?"


def build(settings: SmtpSourceSettings, surroundings: SourceSurroundings) -> SmtpSource:
    return SmtpSource(settings, surroundings)
