"""Who gets the mail about an event (stations.md 2). Pure."""

import re
from collections.abc import Sequence

from tocsin.engine.contracts import ORIGIN_DEFAULT, ORIGIN_DEVICE, ORIGIN_TAG, Addressed
from tocsin.model.device import Device
from tocsin.model.event import Event
from tocsin.protocols.addressing import Recipients, find

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*\Z")


def is_mail_address(text: str) -> bool:
    """A plain ASCII addr-spec without quoting, comments or address literals, within RFC 5321's lengths."""
    return bool(_ADDRESS.match(text)) and len(text.partition("@")[0]) <= 64 and len(text) <= 254


def recipients_of(address: str) -> tuple[str, ...]:
    """The outbox's form: mail addresses joined by commas."""
    return tuple(part for part in address.split(",") if part)


def address_of(event: Event, device: Device | None, name: str, default: Sequence[str]) -> Addressed:
    """The description's recipients, else the device's, else the destination's. A panel's account is none."""
    tagged = find(event.place.description if device is None else device.description, "Email")
    warning = "; ".join(f"description of {event.device_id}: {each}" for each in tagged.warnings)
    if isinstance(tagged.address, Recipients):
        return _addressed(event, tagged.address.addresses, ORIGIN_TAG, warning)
    if device is not None and name in device.addresses:
        return _addressed(event, tuple(device.addresses[name].account.split("+")), ORIGIN_DEVICE, warning)
    if default:
        return _addressed(event, tuple(default), ORIGIN_DEFAULT, warning)
    return Addressed(
        problem=f"the event has no recipient: write Email:… into the description of {event.device_id or 'its device'}, "
        f"or set to in [[destinations]] {name}",
        warning=warning,
    )


def _addressed(event: Event, recipients: Sequence[str], origin: str, warning: str) -> Addressed:
    wrong = next((one for one in recipients if not is_mail_address(one)), None)
    if wrong is not None:
        return Addressed(origin=origin, problem=f"{wrong!r} from {origin} is no mail address", warning=warning)
    account = event.address.account if event.address else ""
    return Addressed(",".join(recipients), event.device_id or account or recipients[0], origin, warning=warning)
