"""Who gets the mail about an event (stations.md 2). Pure."""

from collections.abc import Sequence

from tocsin.destinations.addresses import resolved
from tocsin.destinations.mailing.recipients import first_wrong
from tocsin.destinations.settings import DestinationSettings
from tocsin.engine.contracts import Addressed, AreaAddress, no_area_address
from tocsin.model.device import Device
from tocsin.model.event import Event
from tocsin.protocols.addressing import Number, Recipients


def recipients_of(address: str) -> tuple[str, ...]:
    """The outbox's form: mail addresses joined by commas."""
    return tuple(part for part in address.split(",") if part)


def address_of(
    settings: DestinationSettings, event: Event, device: Device | None, areas: AreaAddress = no_area_address
) -> Addressed:
    """As everywhere (destinations/addresses.py). A panel's account is no recipient."""

    def printed(found: Number, origin: str) -> Addressed:
        recipients = found.addresses if isinstance(found, Recipients) else tuple(found.account.split("+"))
        return _addressed(event, recipients, origin)

    return resolved("Email", settings, event, device, printed, areas)


def _addressed(event: Event, recipients: Sequence[str], origin: str) -> Addressed:
    wrong = first_wrong(recipients)
    if wrong is not None:
        return Addressed(origin=origin, problem=f"{wrong!r} from {origin} is no mail address")
    account = event.address.account if event.address else ""
    return Addressed(",".join(recipients), event.device_id or account or recipients[0], origin)
