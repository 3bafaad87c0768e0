"""TLS contexts that check the pin themselves, for libraries that make their own connections (HTTP, mail)."""

import asyncio
import ssl

from tocsin.transports.contract import Endpoint, TlsOptions
from tocsin.transports.keeping import is_kept, kept
from tocsin.transports.tls import WrongPin, check_pin, client_context, context_apart, new_context


class WrongPinInHandshake(WrongPin, ssl.SSLError):
    """As WrongPin; also an SSL error, so that every event loop ends the handshake with it."""

    def __str__(self) -> str:
        return str(self.args[0])


def checking_context(options: TlsOptions, endpoint: Endpoint) -> ssl.SSLContext:
    """`client_context`, and the handshake fails unless the peer shows the pinned certificate. Raises TlsFileError."""
    if not options.pin:
        return client_context(options)
    return kept((options, endpoint), options, lambda: _new(options, endpoint))


async def checking_context_apart(options: TlsOptions, endpoint: Endpoint) -> ssl.SSLContext:
    """`checking_context`; what has to be read for it is read in a thread. Raises TlsFileError."""
    if not options.pin:
        return await context_apart(options)
    if not is_kept((options, endpoint), options):
        return await asyncio.to_thread(checking_context, options, endpoint)
    return checking_context(options, endpoint)


def _new(options: TlsOptions, endpoint: Endpoint) -> ssl.SSLContext:
    context = new_context(options)
    context.sslobject_class = _pinned(options.pin, endpoint)
    return context


def _pinned(pin: str, endpoint: Endpoint) -> type[ssl.SSLObject]:
    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            try:
                check_pin(self.getpeercert(binary_form=True), pin, endpoint)
            except WrongPin as wrong:
                raise WrongPinInHandshake(str(wrong)) from None

    return Pinned
