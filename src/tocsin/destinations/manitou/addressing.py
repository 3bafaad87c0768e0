"""TXID, area and zone of an event at a Manitou station (receivers.md 6.1). Pure."""

import re

from tocsin.destinations.addresses import resolved
from tocsin.destinations.manitou.settings import ManitouSettings
from tocsin.engine.contracts import Addressed, AreaAddress, no_area_address, printed_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number

_PART = re.compile(r"[A-Za-z0-9]{1,32}\Z", re.ASCII)
COUNTER = "packet"


def address(
    settings: ManitouSettings, event: Event, device: Device | None, areas: AreaAddress = no_area_address
) -> Addressed:
    """As everywhere (destinations/addresses.py); a panel's own account goes before all others."""

    def printed(found: Number, origin: str) -> Addressed:
        return _addressed(found if isinstance(found, Address) else Address(str(found)), origin)

    return resolved("Manitou", settings, event, device, printed, areas, own=lambda own: _panels(settings, own))


def _panels(settings: ManitouSettings, own: Address) -> Address:
    account = next((new for old, new in settings.accounts.items() if old.lower() == own.account.lower()), own.account)
    return Address(account, own.area, own.zone)


def _addressed(found: Address, origin: str) -> Addressed:
    for part in (found.account, found.area, found.zone):
        if part and not _PART.match(part):
            return Addressed(origin=origin, problem=f"{part!r} from {origin} cannot be sent as TXID, area or zone")
    where = Address(found.account, found.area or None, found.zone or None)
    return Addressed(printed_address(where), where.account.upper(), origin, counter=COUNTER)
