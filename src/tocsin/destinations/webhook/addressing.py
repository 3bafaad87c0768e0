"""Site, area and zone of an event at a webhook (stations.md 2). Pure."""

import re

from tocsin.destinations.addresses import resolved
from tocsin.destinations.webhook.settings import WebhookSettings
from tocsin.engine.contracts import Addressed, AreaAddress, no_area_address, printed_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number

_PART = re.compile(r"[A-Za-z0-9]{1,32}\Z")
_PRINTED = re.compile(r"#([A-Za-z0-9]+)(?:\|([A-Za-z0-9]+))?(?:-([A-Za-z0-9]+))?\Z")


def parse_printed(text: str) -> Address | None:
    """The outbox's printed form; None for the empty one."""
    match = _PRINTED.match(text)
    return Address(match[1], match[2], match[3]) if match else None


def address_of(
    settings: WebhookSettings, event: Event, device: Device | None, areas: AreaAddress = no_area_address
) -> Addressed:
    """As everywhere (destinations/addresses.py); without any address the site stays empty."""

    def printed(found: Number, origin: str) -> Addressed:
        return _addressed(event, found, origin)

    nothing = Addressed(queue=event.device_id, origin="none: site stays empty")
    return resolved("Json", settings, event, device, printed, areas, own=_plain, without=nothing)


def _plain(address: Address) -> Address:
    """Receiver and prefix mean nothing to a webhook."""
    return Address(address.account, address.area or None, address.zone or None)


def _addressed(event: Event, found: Number, origin: str) -> Addressed:
    address = _plain(found) if isinstance(found, Address) else Address(str(found))
    for part in (address.account, address.area, address.zone):
        if part is not None and not _PART.match(part):
            return Addressed(origin=origin, problem=f"{part!r} from {origin} cannot be sent as site, area or zone")
    return Addressed(printed_address(address), event.device_id or address.account, origin)
