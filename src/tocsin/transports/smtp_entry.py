"""Entering a mail server: connection, greeting, encryption, login; each refusal as a sentence."""

import asyncio
import contextlib
import socket
import ssl
from typing import Any, Literal, cast

import aiosmtplib
from msgspec import Struct

from tocsin.protocols.text import one_line
from tocsin.transports.contract import Endpoint, TlsOptions, TransportError, Unreachable
from tocsin.transports.pinned import checking_context_apart
from tocsin.transports.tls import TlsFileError, explain

TlsMode = Literal["required", "opportunistic", "off", "implicit"]
CERTIFICATE_DEADLINE_S = 3.0


class SmtpOptions(Struct, frozen=True):
    """How to reach and enter a mail server. `user` empty: no login. `timeout_s` covers connecting with login, and
    once more the message; a large one gets a second more per 64 KiB.
    """

    mode: TlsMode = "required"
    tls: TlsOptions = TlsOptions()
    user: str = ""
    password: str = ""
    clear_login: bool = False
    timeout_s: float = 20.0
    idle_s: float = 10.0
    source_address: str = ""
    local_name: str = ""
    """What EHLO says; empty: the connection's own address."""

    def __repr__(self) -> str:
        return f"SmtpOptions(mode={self.mode!r}, …)"


class LoginRefused(Unreachable):
    """The server can be reached but does not let us in."""


Log = list[str]
"""Collects the dialogue, one line per command and answer; passwords never reach it."""


async def enter(endpoint: Endpoint, options: SmtpOptions, log: Log) -> aiosmtplib.SMTP:
    """A connection on which mail may be sent: greeted, encrypted as asked for, logged in. Raises Unreachable."""
    context = await _context(options, endpoint)
    sock = await _connected(endpoint, options.source_address)
    client = aiosmtplib.SMTP(
        hostname=options.tls.server_name or endpoint.host,
        sock=sock,
        use_tls=options.mode == "implicit",
        start_tls=False,
        tls_context=context,
        timeout=None,  # the caller's deadline is the only one
        local_hostname=options.local_name or _literal(sock),
    )
    entered = False
    try:
        await _greeted(client, endpoint, options, log)
        await _secured(client, endpoint, options, log)
        await _logged_in(client, endpoint, options, log)
        entered = True
        return client
    finally:
        if not entered:
            _abandon(client, sock)


def _abandon(client: aiosmtplib.SMTP, sock: socket.socket) -> None:
    """Let go at once. A socket that a transport has is left to it: under TLS it would say goodbye on a number that
    may be another connection's by then.
    """
    transport = client.transport
    client.close()
    if transport is not None:
        cast("asyncio.Transport", transport).abort()
    else:
        sock.close()


async def _context(options: SmtpOptions, endpoint: Endpoint) -> ssl.SSLContext | None:
    try:
        return None if options.mode == "off" else await checking_context_apart(options.tls, endpoint)
    except TlsFileError as error:
        raise Unreachable(str(error)) from error


async def _connected(endpoint: Endpoint, source_address: str) -> socket.socket:
    """A TCP connection to the first address of the name that answers; each gets its share of five seconds."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable(explain(error, endpoint)) from error
    except ValueError as error:
        raise Unreachable(f"{endpoint.host!r} is no valid host name or address: {error}") from error
    failure: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            if source_address:
                sock.bind((source_address, 0))
            async with asyncio.timeout(5.0 / len(found)):
                await loop.sock_connect(sock, address)
                return sock
        except OSError as error:
            sock.close()
            failure = error
        except asyncio.CancelledError:
            sock.close()
            raise
    raise Unreachable(explain(failure, endpoint)) from failure


def _literal(sock: socket.socket) -> str:
    """This end's address as EHLO takes it (RFC 5321, 4.1.3)."""
    address = sock.getsockname()[0]
    return f"[IPv6:{address}]" if sock.family == socket.AF_INET6 else f"[{address}]"


async def _greeted(client: aiosmtplib.SMTP, endpoint: Endpoint, options: SmtpOptions, log: Log) -> None:
    try:
        greeting = await client.connect()
    except aiosmtplib.SMTPConnectResponseError as error:
        raise Unreachable(f"{endpoint} turns us away: {error.code} {one_line(error.message)}") from error
    except aiosmtplib.SMTPConnectError as error:
        await _refuse_tls(error, endpoint, options)
        raise Unreachable(explain(_system_cause(error), endpoint)) from error
    log.append(f"S: {greeting.code} {one_line(greeting.message)}")
    await _hello(client, endpoint, log)


async def _hello(client: aiosmtplib.SMTP, endpoint: Endpoint, log: Log) -> None:
    name = str(client.local_hostname)
    try:
        heard(log, f"EHLO {name}", await client.ehlo(hostname=name))
    except aiosmtplib.SMTPHeloError:
        try:
            heard(log, f"HELO {name}", await client.helo(hostname=name))
        except aiosmtplib.SMTPHeloError as error:
            raise Unreachable(f"{endpoint} turns us away: {error.code} {one_line(error.message)}") from error


async def _secured(client: aiosmtplib.SMTP, endpoint: Endpoint, options: SmtpOptions, log: Log) -> None:
    if options.mode in ("off", "implicit"):
        return
    if not client.supports_extension("starttls"):
        if options.mode == "opportunistic":
            return
        raise Unreachable(
            f"{endpoint} does not offer STARTTLS, so nothing was sent. Ask the station to enable it, or choose another "
            'port or tls.mode ("implicit" for TLS from the first byte, "off" for none at all)'
        )
    try:
        heard(log, "STARTTLS", await client.starttls())
    except aiosmtplib.SMTPResponseException as error:
        raise Unreachable(f"{endpoint} refuses STARTTLS: {error.code} {one_line(error.message)}") from error
    except ssl.SSLError as error:
        await _refuse_tls(error, endpoint, options)
        raise Unreachable(explain(error, endpoint)) from error
    await _hello(client, endpoint, log)


async def _logged_in(client: aiosmtplib.SMTP, endpoint: Endpoint, options: SmtpOptions, log: Log) -> None:
    if not options.user:
        return
    if client.get_transport_info("sslcontext") is None and not options.clear_login:
        raise LoginRefused(
            f"The connection to {endpoint} is not encrypted, so the password was not sent. Have the station enable "
            "STARTTLS, or set clear_login = true if the network between is trusted"
        )
    if not client.supports_extension("auth"):
        raise LoginRefused(f"{endpoint} offers no login. Leave user and password out if it needs none")
    try:
        heard(log, f"AUTH (user {options.user}, password ***)", await client.login(options.user, options.password))
    except aiosmtplib.SMTPAuthenticationError as error:
        said = f"{error.code} {one_line(error.message).rstrip('.')}"
        if error.code < 500:
            raise LoginRefused(f"{endpoint} cannot check the user {options.user} at the moment: {said}") from error
        why = f"{endpoint} refuses the user {options.user} or its password: {said}. Check user and password"
        raise LoginRefused(why) from error
    except aiosmtplib.SMTPServerDisconnected:
        raise
    except aiosmtplib.SMTPException as error:
        raise LoginRefused(f"{endpoint} offers no way to log in that we know: {error}") from error


async def _refuse_tls(error: BaseException, endpoint: Endpoint, options: SmtpOptions) -> None:
    """If it was the certificate that was not accepted, look at it to say which authority is missing."""
    cause = _system_cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        shown = await shown_by_mail_server(endpoint, options)
        raise Unreachable(explain(cause, endpoint, shown)) from error


async def shown_by_mail_server(endpoint: Endpoint, options: SmtpOptions) -> bytes:
    """The certificate (DER) the server shows, trusted or not; empty if it cannot be had. Sends no mail, no login."""
    looking = SmtpOptions(options.mode, TlsOptions(insecure=True), source_address=options.source_address)
    with contextlib.suppress(TransportError, aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(CERTIFICATE_DEADLINE_S):
            client = await enter(endpoint, looking, [])
            try:
                return client.get_transport_info("ssl_object").getpeercert(binary_form=True) or b""
            finally:
                client.close()
    return b""


def _system_cause(error: BaseException) -> BaseException:
    """What the mail library has wrapped."""
    return error.__cause__ if error.__cause__ is not None else error


def heard(log: Log, command: str, answer: Any) -> None:
    """Note one command and its answer."""
    log.extend([f"C: {command}", f"S: {answer.code} {one_line(answer.message)}"])
