"""TLS contexts from settings, and every way a connection can fail as a sentence a technician can act on."""

import asyncio
import contextlib
import errno
import hashlib
import hmac
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from tocsin.transports.contract import Endpoint, TlsOptions, TransportError, Unreachable
from tocsin.transports.keeping import is_kept, kept


class TlsFileError(TransportError):
    """A certificate or key file cannot be used; the text names the file and why."""


class WrongPin(Unreachable):
    """The peer's certificate is not the pinned one."""


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """The context for connecting as `options` say, TLS 1.2 or newer; others get the same one. Raises TlsFileError.

    Without `ca_file` the system's authorities are trusted, with it only those in the file. A pin comes on top of
    that: call `check_pin` after the handshake.
    """
    return kept(_what_is_read(options), options, lambda: new_context(options))


async def context_apart(options: TlsOptions) -> ssl.SSLContext:
    """`client_context`; what has to be read for it is read in a thread. Raises TlsFileError."""
    if not is_kept(_what_is_read(options), options):
        return await asyncio.to_thread(client_context, options)
    return client_context(options)


def new_context(options: TlsOptions) -> ssl.SSLContext:
    """`client_context`, but nobody else's. Raises TlsFileError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif options.ca_file:
        _load_authority(context, options.ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if options.cert:
        _load_pair(context, options.cert, options.key)
    return context


def _what_is_read(options: TlsOptions) -> TlsOptions:
    return replace(options, server_name="", pin="")


def server_context(cert: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """The context for listening, TLS 1.2 or newer. With `client_ca` every client must show a certificate of it.

    Raises TlsFileError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_pair(context, cert, key)
    if client_ca:
        _load_authority(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def server_name(options: TlsOptions, endpoint: Endpoint) -> str:
    """The name the peer's certificate must carry."""
    return options.server_name or endpoint.host


def check_pin(certificate: bytes | None, pin: str, endpoint: Endpoint) -> None:
    """Compare the peer's certificate (DER) with the pinned SHA-256; nothing to do without a pin. Raises WrongPin."""
    if not pin:
        return
    seen = hashlib.sha256(certificate or b"").hexdigest()
    if not hmac.compare_digest(seen, pin.lower()):
        raise WrongPin(
            f"{endpoint} shows another certificate than the pinned one (its SHA-256 is {seen}). If the station has "
            "renewed its certificate, confirm the value with the station and put it into tls.pin"
        )


async def shown_certificate(endpoint: Endpoint, timeout_s: float, name: str = "") -> bytes:
    """The certificate (DER) a TLS peer shows, trusted or not, for explaining a failed check; empty if it cannot be had.

    Opens a connection of its own, sends nothing over it and closes it.
    """
    context = client_context(TlsOptions(insecure=True))
    with contextlib.suppress(OSError, ssl.SSLError, asyncio.TimeoutError):
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(
                endpoint.host, endpoint.port, ssl=context, server_hostname=name or endpoint.host
            )
            try:
                return writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
            finally:
                writer.transport.abort()
    return b""


def explain(error: BaseException, endpoint: Endpoint, certificate: bytes = b"") -> str:
    """Why connecting failed and what to do about it.

    Looks through the wrappers of HTTP and mail libraries. `certificate` (DER, as from `shown_certificate`) lets the
    sentence name the missing authority or the names the certificate carries.
    """
    for cause in _causes(error):
        if isinstance(cause, TransportError):
            return str(cause)
        sentence = _sentence(cause, endpoint, certificate)
        if sentence:
            return sentence
    text = str(error) or type(error).__name__
    return f"The connection to {endpoint} failed: {text}"


def _sentence(error: BaseException, endpoint: Endpoint, certificate: bytes) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, endpoint, certificate)
    if isinstance(error, ssl.SSLError):
        return _tls_failure(error, endpoint)
    if isinstance(error, socket.gaierror):
        return (
            f"The name {endpoint.host} cannot be found ({error.strerror or error}). Check its spelling, and that the "
            "gateway's DNS server is reachable and knows it"
        )
    if isinstance(error, TimeoutError):
        return (
            f"No answer from {endpoint} in time. Check the address, and that no firewall on the way drops "
            f"connections to port {endpoint.port}"
        )
    return _system_failure(error, endpoint) if isinstance(error, OSError) else ""


def _system_failure(error: OSError, endpoint: Endpoint) -> str:
    if error.errno == errno.ECONNREFUSED:
        return (
            f"{endpoint} refuses the connection: nothing listens on port {endpoint.port} there, or a firewall rejects "
            "it. Check the port, and that the receiver is running"
        )
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN):
        return f"There is no route to {endpoint}. Check the gateway's network, its default route and any VPN"
    if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED):
        return (
            f"{endpoint} cut the connection at once. It may expect TLS where none is set (or none where it is), or "
            "allow only known addresses"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"This machine does not allow connections to {endpoint}. Check its own firewall and the service's rights"
    return ""


_CHAIN_INCOMPLETE = frozenset({2, 18, 19, 20, 21})
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64


def _untrusted(error: ssl.SSLCertVerificationError, endpoint: Endpoint, certificate: bytes) -> str:
    shown = _read(certificate)
    if error.verify_code in _CHAIN_INCOMPLETE:
        return _foreign(endpoint, shown)
    if error.verify_code == _EXPIRED:
        when = f" on {shown.not_valid_after_utc:%Y-%m-%d}" if shown else ""
        return (
            f"The certificate of {endpoint} expired{when}. The station must renew it; if the date looks right, check "
            "the gateway's clock"
        )
    if error.verify_code == _NOT_YET_VALID:
        return f"The certificate of {endpoint} is not valid yet. Check the gateway's clock, then ask the station"
    if error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
        return _wrong_name(endpoint, shown)
    return f"The certificate of {endpoint} is not accepted: {error.verify_message}. Ask the station about it"


def _foreign(endpoint: Endpoint, shown: x509.Certificate | None) -> str:
    if shown is None:
        who = "an authority this machine does not know"
    elif shown.issuer == shown.subject:
        return (
            f"The certificate of {endpoint} is self-signed ({_name(shown.subject)}). Ask the station for this "
            "certificate as a PEM file and give it as tls.ca_file"
        )
    else:
        who = f"“{_name(shown.issuer)}”, which is not trusted here"
    return (
        f"The certificate of {endpoint} was issued by {who}. Ask the station for the complete chain of this "
        "authority as a PEM file and give it as tls.ca_file"
    )


def _wrong_name(endpoint: Endpoint, shown: x509.Certificate | None) -> str:
    names = _names(shown) if shown else []
    if shown and _is_address(endpoint.host) and endpoint.host in _dns_names(shown):
        return (
            f"The certificate of {endpoint} carries the address only as a DNS entry, which does not count. Ask the "
            f"station for one with {endpoint.host} as an IP entry, or use a name it carries as host or tls.server_name"
        )
    carries = f" (it is for {', '.join(names[:5])})" if names else ""
    return (
        f"The certificate of {endpoint} does not carry the expected name{carries}. Use that name as host or as "
        "tls.server_name; an IP address must be in the certificate as an IP entry"
    )


_TLS_REASONS = (
    (("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE"),
     "{0} does not speak TLS on this port. Check the port, or leave tls out if the station wants a plain connection"),
    (("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION"),
     "{0} offers only TLS versions before 1.2, which are not safe. Ask the station to enable TLS 1.2 or 1.3"),
    (("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNKNOWN_CA", "CERTIFICATE_UNKNOWN", "CERTIFICATE_EXPIRED"),
     "{0} does not accept the gateway's certificate. Give the client certificate the station has issued as tls.cert "
     "and tls.key"),
    (("HANDSHAKE_FAILURE",),
     "{0} refuses the TLS handshake: it has no cipher in common with us or wants a client certificate (tls.cert)"),
    (("UNRECOGNIZED_NAME",),
     "{0} does not know the name it was asked for. Set tls.server_name to the name in its certificate"),
)  # fmt: skip


def _tls_failure(error: ssl.SSLError, endpoint: Endpoint) -> str:
    reason = getattr(error, "reason", None) or str(error)
    text = reason.upper()
    for marks, sentence in _TLS_REASONS:
        if any(mark in text for mark in marks):
            return sentence.format(endpoint)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return f"{endpoint} ended the connection during the TLS handshake. Check that this port expects TLS"
    return f"TLS with {endpoint} failed: {reason}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (getattr(one, name, None) for name in ("certificate_error", "os_error", "__cause__", "__context__"))
        waiting.extend(inner)
        waiting.extend(one.exceptions if isinstance(one, BaseExceptionGroup) else ())


def _read(certificate: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(certificate) if certificate else None
    except ValueError:
        return None


def _name(name: x509.Name) -> str:
    kinds = (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME)
    values = [str(attribute.value) for kind in kinds for attribute in name.get_attributes_for_oid(kind)]
    return _printable(", ".join(values) or name.rfc4514_string()) or "without a name"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _dns_names(certificate: x509.Certificate) -> list[str]:
    try:
        entry = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return list(entry.get_values_for_type(x509.DNSName))


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        entry = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return [_name(certificate.subject)]
    found = [*entry.get_values_for_type(x509.DNSName), *map(str, entry.get_values_for_type(x509.IPAddress))]
    return [_printable(name) for name in found]


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:200]


def _load_authority(context: ssl.SSLContext, file: str) -> None:
    _must_be_readable(file)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        raise TlsFileError(f"{file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)") from None


def _load_pair(context: ssl.SSLContext, cert: str, key: str) -> None:
    _must_be_readable(cert)
    _must_be_readable(key)
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        raise TlsFileError(_bad_pair(error, cert, key)) from None


def _bad_pair(error: ssl.SSLError, cert: str, key: str) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"The key {key} does not belong to the certificate {cert}; give the pair that was issued together"
    return f"{cert} and {key} are no usable pair: PEM form is expected, the key without a password"


def _no_password() -> str:
    """An encrypted key is an error; OpenSSL would otherwise ask on the terminal."""
    return ""


def _must_be_readable(file: str) -> None:
    try:
        with Path(file).open("rb"):
            pass
    except OSError as error:
        raise TlsFileError(f"The file {file} cannot be read: {error.strerror}") from None
