"""What a receiver's answer means for the delivery (stations.md 7.1). Pure."""

from datetime import datetime

from tocsin.destinations.posting import retry_after, status_line
from tocsin.engine.contracts import DeliveryError, Rejected, TryLater
from tocsin.protocols.text import one_line
from tocsin.transports.http import HttpAnswer

_LATER = frozenset({408, 425, 429})
_ADVICE = {
    400: "The receiver does not understand the event. Compare what was sent with what it expects",
    401: "The receiver does not accept the login. Check token, or user and password",
    403: "The receiver forbids it. Check token, signing_keys, and whether it knows the gateway's address",
    404: "The receiver knows no such address. Check the path in url",
    405: "The receiver takes no POST at this address. Check the path in url",
    410: "The receiver has closed this address for good. Ask the station for the new one and put it into url",
    413: "The event is too large for the receiver. Lower photos.max_bytes or photos.max_count",
    415: "The receiver takes no application/json",
}


def failure(answer: HttpAnswer, where: str, now: datetime) -> DeliveryError | None:
    """None for any 2xx; else who must wait, with a sentence for the technician."""
    if 200 <= answer.status < 300:
        return None
    said = f"{where} answered {status_line(answer)}"
    text = one_line(answer.body.decode("utf-8", "replace"))
    said += f" ({text})" if text else ""
    if 300 <= answer.status < 400:
        target = one_line(answer.header("Location")) or "elsewhere"
        return TryLater(f"{said}: it redirects to {target}. Redirects are not followed; put the final address into url")
    if answer.status in _LATER or answer.status >= 500 or answer.status < 200:
        return TryLater(said, retry_after(answer.header("Retry-After"), now))
    advice = _ADVICE.get(answer.status, "It will not take this event")
    return Rejected(f"{said}. {advice}")
