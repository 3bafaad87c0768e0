"""Who gets the mail about an event (stations.md 2). Pure."""

from collections.abc import Sequence

from tocsin.destinations.mailing.recipients import first_wrong
from tocsin.engine.contracts import ORIGIN_DEFAULT, ORIGIN_DEVICE, ORIGIN_TAG, Addressed
from tocsin.model.device import Device
from tocsin.model.event import Event
from tocsin.protocols.addressing import Recipients, find


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
    wrong = first_wrong(recipients)
    if wrong is not None:
        return Addressed(origin=origin, problem=f"{wrong!r} from {origin} is no mail address", warning=warning)
    account = event.address.account if event.address else ""
    return Addressed(",".join(recipients), event.device_id or account or recipients[0], origin, warning=warning)
