"""Under which number an event goes to a station: the order that all types share (stations.md 2.1). Pure."""

import re

from msgspec import Struct

from tocsin.engine.contracts import ORIGIN_DEFAULT, ORIGIN_DEVICE, ORIGIN_OWN, ORIGIN_TAG
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import find

_PRINTED = re.compile(r"(?:R(\d+))?(?:L(\d+))?#([A-Za-z0-9]+)(?:\|([A-Za-z0-9]+))?(?:-([A-Za-z0-9]+))?\Z", re.ASCII)


class Choice(Struct, frozen=True):
    """The first address there is; `origin` and `warning` are for people."""

    address: Address | None = None
    origin: str = ""
    warning: str = ""


def choice(event: Event, device: Device | None, name: str, prefix: str, default: Address | None) -> Choice:
    """The event's own address, the description's tag `prefix:`, the device's list for the destination `name`, the
    default.
    """
    if event.address is not None:
        return Choice(event.address, ORIGIN_OWN)
    tagged = find(event.place.description if device is None else device.description, prefix)
    warning = "; ".join(f"description of {event.device_id}: {each}" for each in tagged.warnings)
    if isinstance(tagged.address, Address):
        return Choice(tagged.address, ORIGIN_TAG, warning)
    if device is not None and name in device.addresses:
        return Choice(device.addresses[name], ORIGIN_DEVICE, warning)
    return Choice(default, ORIGIN_DEFAULT if default is not None else "", warning)


def read_printed(text: str) -> Address | None:
    """The form in which an address stands in the outbox; None for anything else."""
    match = _PRINTED.match(text)
    if match is None:
        return None
    receiver, prefix, account, area, zone = match.groups()
    return Address(account, area, zone, receiver, prefix)


def renamed(account: str, accounts: dict[str, str]) -> str:
    """A panel's account under the name this station knows it by."""
    wanted = account.lower()
    return next((new for old, new in accounts.items() if old.lower() == wanted), account)
