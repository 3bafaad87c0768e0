"""TLS contexts that check the pin themselves, for libraries that make their own connections (HTTP, mail)."""

import ssl

from tocsin.transports.contract import Endpoint, TlsOptions
from tocsin.transports.tls import WrongPin, check_pin, client_context


class WrongPinInHandshake(WrongPin, ssl.SSLError):
    """As WrongPin; also an SSL error, so that every event loop ends the handshake with it."""

    def __str__(self) -> str:
        return str(self.args[0])


def checking_context(options: TlsOptions, endpoint: Endpoint) -> ssl.SSLContext:
    """`client_context`, and the handshake fails unless the peer shows the pinned certificate. Raises TlsFileError."""
    context = client_context(options)
    if options.pin:
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
