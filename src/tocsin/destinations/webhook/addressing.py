"""Site, area and zone of an event at a webhook (stations.md 2). Pure."""

import re

from tocsin.engine.contracts import ORIGIN_DEFAULT, ORIGIN_DEVICE, ORIGIN_OWN, ORIGIN_TAG, Addressed, printed_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import find

_PART = re.compile(r"[A-Za-z0-9]{1,32}\Z")
_PRINTED = re.compile(r"#([A-Za-z0-9]+)(?:\|([A-Za-z0-9]+))?(?:-([A-Za-z0-9]+))?\Z")


def parse_printed(text: str) -> Address | None:
    """The outbox's printed form; None for the empty one."""
    match = _PRINTED.match(text)
    return Address(match[1], match[2], match[3]) if match else None


def address_of(event: Event, device: Device | None, name: str, default: Address | None) -> Addressed:
    """The event's own address, else the description's tag, else the device's list, else the default, else none."""
    tagged = find(event.place.description if device is None else device.description, "Json")
    warning = "; ".join(f"description of {event.device_id}: {each}" for each in tagged.warnings)
    if event.address is not None:
        return _addressed(event, _plain(event.address), ORIGIN_OWN, "")
    if isinstance(tagged.address, Address):
        return _addressed(event, _plain(tagged.address), ORIGIN_TAG, warning)
    if device is not None and name in device.addresses:
        return _addressed(event, _plain(device.addresses[name]), ORIGIN_DEVICE, warning)
    if default is not None:
        return _addressed(event, default, ORIGIN_DEFAULT, warning)
    return Addressed(queue=event.device_id, origin="none: site stays empty", warning=warning)


def _plain(address: Address) -> Address:
    """Receiver and prefix mean nothing to a webhook."""
    return Address(address.account, address.area or None, address.zone or None)


def _addressed(event: Event, address: Address, origin: str, warning: str) -> Addressed:
    for part in (address.account, address.area, address.zone):
        if part is not None and not _PART.match(part):
            return Addressed(origin=origin, problem=f"{part!r} from {origin} cannot be sent as site, area or zone")
    return Addressed(printed_address(address), event.device_id or address.account, origin, warning=warning)
