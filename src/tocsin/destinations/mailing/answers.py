"""What a mail server's answer means for the engine (receivers.md 1.3). Pure."""

from tocsin.engine.contracts import DeliveryError, LinkDown, Rejected, TryLater
from tocsin.transports.contract import Endpoint, LinkBroken, NoAnswer, TransportError
from tocsin.transports.smtp import MailRefused

_TOO_LARGE = frozenset({523, 552, 554})


class TooLarge(Rejected):
    """The server may take a smaller mail."""


def failure(error: TransportError, host: Endpoint) -> tuple[DeliveryError, str]:
    """Who must wait, and how the exchange is called."""
    if isinstance(error, MailRefused):
        return _refused(error, host)
    if isinstance(error, NoAnswer):
        return TryLater(f"{error}. The server may have taken the mail; it is sent again"), "silent"
    if isinstance(error, LinkBroken):
        return TryLater(f"{error}. The server may have taken the mail; it is sent again"), "broken"
    return LinkDown(str(error)), "unreachable"


def _refused(error: MailRefused, host: Endpoint) -> tuple[DeliveryError, str]:
    if not all(refusal.permanent for refusal in error.refusals):
        return TryLater(f"{host} does not take the mail now: {error}"), "retry"
    whole = any(refusal.code in _TOO_LARGE and not refusal.command.startswith("RCPT") for refusal in error.refusals)
    reason = f"{host} refuses the mail: {error}"
    return (TooLarge(reason) if whole else Rejected(reason)), "refused"
