"""Mail to a station's own server (never by MX look-up): one connection, kept through a burst, closed when idle."""

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, TypeVar

import aiosmtplib
from msgspec import Struct

from tocsin.protocols.text import one_line
from tocsin.transports.contract import Endpoint, LinkBroken, NoAnswer, TransportError, Unreachable
from tocsin.transports.smtp_entry import Log, SmtpOptions, enter, heard
from tocsin.transports.tls import explain

Result = TypeVar("Result")

SLOWEST_BYTES_PER_S = 65536
CLOSE_DEADLINE_S = 2.0
REUSE_DEADLINE_S = 5.0
_LEAVING = 421
"""The server closes the connection with this answer (RFC 5321 3.8)."""


class Mail(Struct, frozen=True):
    """An envelope and the message in it, 7-bit clean, lines ended by CR LF."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


class Refusal(Struct, frozen=True):
    """One negative answer: which command it answered, its code (4yz or 5yz) and text."""

    command: str
    code: int
    text: str

    @property
    def permanent(self) -> bool:
        return 500 <= self.code < 600

    def __str__(self) -> str:
        return f"{self.code} {self.text} (to {self.command})"


class MailRefused(TransportError):
    """Nobody got the message."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(map(str, refusals)))
        self.refusals = tuple(refusals)


class MailTaken(Struct, frozen=True):
    """The answer to the final dot, and who was refused before it: (recipient, refusal)."""

    answer: str
    refused: tuple[tuple[str, Refusal], ...] = ()


class SmtpLink:
    """Sends mail over at most one connection at a time."""

    def __init__(self, options: SmtpOptions) -> None:
        self._options = options
        self._turn = asyncio.Lock()
        self._client: aiosmtplib.SMTP | None = None
        self._endpoint: Endpoint | None = None
        self._half_told = False
        """The last mail was refused on the way: the server may still have its sender."""
        self._idle: asyncio.Task[None] | None = None

    def linked(self) -> Endpoint | None:
        """Where the kept connection leads, if one stands."""
        return self._endpoint if self._client is not None and self._client.is_connected else None

    async def send(self, endpoint: Endpoint, mail: Mail, log: Log) -> MailTaken:
        """Raises Unreachable, LoginRefused (nothing was sent), MailRefused, NoAnswer, LinkBroken."""
        async with self._turn:
            self._rest()
            settled = False
            try:
                begun = await self._begun(endpoint, mail, log)
                client = begun or await self._opened(endpoint, log)
                work = _transaction(client, mail, log, begun is not None)
                taken = await self._within(work, endpoint, _seconds(self._options, mail))
                settled = True
                return taken
            except MailRefused:
                settled = self._half_told = True
                raise
            finally:
                if settled and self._client is not None and self._client.is_connected:
                    self._idle = asyncio.create_task(self._close_when_idle())
                else:
                    self._drop()

    async def try_login(self, endpoint: Endpoint, log: Log) -> None:
        """Connect and log in as for sending, then leave. Raises Unreachable, LoginRefused."""
        async with self._turn:
            self._rest()
            self._drop()
            await self._opened(endpoint, log)
            await self._leave()

    async def aclose(self) -> None:
        """Leave politely, within two seconds."""
        async with self._turn:
            self._rest()
            await self._leave()

    async def _begun(self, endpoint: Endpoint, mail: Mail, log: Log) -> aiosmtplib.SMTP | None:
        """The kept connection, if it leads there and the server there has taken this mail's sender; None: open a new
        one. Nothing of a mail is lost with a connection that ends before that. Raises MailRefused.
        """
        client = self._client
        if client is None or self.linked() != endpoint:
            await self._leave()
            return None
        try:
            async with asyncio.timeout(REUSE_DEADLINE_S):
                if self._half_told:
                    heard(log, "RSET", await client.rset())
                    self._half_told = False
                await _told_sender(client, mail, log)
                return client
        except (aiosmtplib.SMTPException, OSError):
            self._drop()
        except MailRefused as refused:
            if refused.refusals[0].code != _LEAVING:
                raise
            self._drop()
        return None

    async def _opened(self, endpoint: Endpoint, log: Log) -> aiosmtplib.SMTP:
        try:
            entering = enter(endpoint, self._options, log)
            self._client = await self._within(entering, endpoint, self._options.timeout_s)
        except (NoAnswer, LinkBroken) as error:
            raise Unreachable(str(error)) from error
        self._endpoint = endpoint
        return self._client

    async def _within(self, work: Coroutine[Any, Any, Result], endpoint: Endpoint, seconds: float) -> Result:
        """Await with a deadline; the library's errors become ours."""
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError as error:
            raise NoAnswer(
                f"{endpoint} stayed silent for {seconds:.3g} s in the middle of the mail dialogue. Check that this "
                "port speaks SMTP, and whether it expects TLS from the first byte (tls.mode)"
            ) from error
        except aiosmtplib.SMTPServerDisconnected as error:
            raise LinkBroken(f"{endpoint} cut the connection in the middle of the mail dialogue") from error
        except aiosmtplib.SMTPResponseException as error:
            raise LinkBroken(
                f"{endpoint} does not speak SMTP as agreed: {error.code} {one_line(error.message)}"
            ) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise LinkBroken(explain(error, endpoint)) from error

    async def _close_when_idle(self) -> None:
        await asyncio.sleep(self._options.idle_s)
        async with self._turn:
            await self._leave()

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    async def _leave(self) -> None:
        client = self._client
        try:
            if client is not None and client.is_connected:
                with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                    async with asyncio.timeout(CLOSE_DEADLINE_S):
                        await client.quit()
        finally:
            self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = self._endpoint = None
        self._half_told = False


def _seconds(options: SmtpOptions, mail: Mail) -> float:
    return options.timeout_s + len(mail.data) / SLOWEST_BYTES_PER_S


async def _told_sender(client: aiosmtplib.SMTP, mail: Mail, log: Log) -> None:
    """Raises MailRefused."""
    size = [f"SIZE={len(mail.data)}"] if client.supports_extension("size") else []
    command = f"MAIL FROM:<{mail.sender}>" + "".join(f" {option}" for option in size)
    refusal = await _asked(client.mail(mail.sender, options=size), command, log)
    if refusal is not None:
        raise MailRefused([refusal])


async def _transaction(client: aiosmtplib.SMTP, mail: Mail, log: Log, begun: bool) -> MailTaken:
    """`begun`: the server has taken the sender. Raises MailRefused."""
    if not begun:
        await _told_sender(client, mail, log)
    refused = await _refused_recipients(client, mail.recipients, log)
    if len(refused) == len(mail.recipients):
        raise MailRefused([each for _, each in refused])
    try:
        answer = await client.data(mail.data)
    except aiosmtplib.SMTPDataError as error:
        raise MailRefused([_refusal("DATA", error, log)]) from error
    heard(log, f"DATA ({len(mail.data)} bytes)", answer)
    return MailTaken(f"{answer.code} {one_line(answer.message)}", tuple(refused))


async def _refused_recipients(
    client: aiosmtplib.SMTP, recipients: Sequence[str], log: Log
) -> list[tuple[str, Refusal]]:
    refused = []
    for recipient in recipients:
        refusal = await _asked(client.rcpt(recipient), f"RCPT TO:<{recipient}>", log)
        if refusal is not None:
            refused.append((recipient, refusal))
    return refused


async def _asked(answering: Awaitable[Any], command: str, log: Log) -> Refusal | None:
    try:
        heard(log, command, await answering)
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPRecipientRefused) as error:
        return _refusal(command, error, log)
    return None


def _refusal(command: str, error: aiosmtplib.SMTPResponseException, log: Log) -> Refusal:
    log.extend([f"C: {command}", f"S: {error.code} {one_line(error.message)}"])
    return Refusal(command, error.code, one_line(error.message))
