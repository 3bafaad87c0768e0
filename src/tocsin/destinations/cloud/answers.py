"""What a cloud's answer means for the delivery (connectors.md 2.7). Pure."""

from datetime import datetime

from msgspec.structs import replace

from tocsin.destinations.posting import Verdict, by_status, status_line
from tocsin.transports.http import HttpAnswer

_ADVICE = {
    400: "It does not understand what was sent. Compare it with what it expects: profile, customer_in_events",
    401: "It does not accept the login. Check token",
    403: "It forbids it. Check token, and what its owner may do",
    404: "It knows no such address. Check the path in inventory_url and events_url",
    405: "It takes no POST there. Check the path in inventory_url and events_url",
    409: "It has something else under the same Idempotency-Key",
    413: "It takes no message of this size. With profile extended lower max_devices; gzip = true may help",
    415: "It takes no application/json, or no gzip: set gzip = false",
    422: "It refuses what was sent. Compare it with what it expects: profile, customer_in_events",
}


def judged(answer: HttpAnswer, where: str, now: datetime) -> Verdict:
    """Any 2xx is a receipt. 401 and 403 would meet every delivery alike, so they pause all of them."""
    if 200 <= answer.status < 300:
        return Verdict("delivered", answer=f"HTTP {status_line(answer)}")
    verdict = by_status(answer, where, now, _ADVICE)
    return replace(verdict, word="unreachable") if answer.status == 403 else verdict
